"""Predict what perturbations do, and say how well that works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import perturbation_slots as slots
from sc_annotate._core.conditions import as_targets, names_of
from sc_annotate._core.lazy import with_tables
from sc_annotate._core.matrix import check_adata
from sc_annotate._core.progress import logger
from sc_annotate._core.sanitize import sanitize
from sc_annotate.errors import InputError, StorageError
from sc_annotate.evaluation import cv_coverage, cv_plus, error_quantile
from sc_annotate.pp._profiles import MIN_CELLS, perturbation_profiles
from sc_annotate.pp._screen import check_profiles, is_profiles, screen_of
from sc_annotate.tl._embeddings import check_shared, embedding_of, parameters
from sc_annotate.tl._fit import check_rng
from sc_annotate.tl._perturbation_cells import cells_of
from sc_annotate.tl._perturbation_evaluation import boards, needed
from sc_annotate.tl._perturbation_folds import hold_out, maker, predicted, reasons, splits_of
from sc_annotate.tl._perturbation_notes import told
from sc_annotate.tl._trust import check_share

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._core.transform import Stated
    from sc_annotate.tl._perturbation_folds import HeldOut


def predict_perturbation(
    adata: AnnData,
    perturbation_key: str = "perturbation",
    control: str = "control",
    *,
    conditions: Sequence[str] | None = None,
    method: str | None = None,
    method_kwargs: Mapping[str, Any] | None = None,
    baseline: str = "linear",
    gene_embedding: Any = None,
    perturbation_embedding: Any = None,
    evaluate: bool = True,
    n_folds: int | None = None,
    coverage: float = 0.9,
    n_top: int = 1000,
    replicate_key: str | None = None,
    separator: str | Sequence[str] = "+",
    guide_suffix: str | None = None,
    layer: str | None = None,
    total_counts_key: str | None = None,
    values: Stated | None = None,
    min_cells: int = MIN_CELLS,
    key_added: str = slots.DEFAULT_KEY,
    rng: int = 0,
) -> None:
    """Predict the mean expression of perturbed cells, with intervals, beside what simple baselines reach.

    Every method, and with it ``no_change``, ``mean`` and ``linear`` (for combinations: ``additive``), is also asked about
    measured conditions that it had not seen; how each does is stored with the result, and a sentence says what follows.

    Parameters
    ----------
    adata
        Cells x genes of a screen; or its profiles (:func:`sc_annotate.pp.perturbation_profiles`).
    perturbation_key, control
        Column of ``obs`` with the condition of each cell, and the name of unperturbed cells; not used for profiles.
    conditions
        What to predict: ``"KLF1"``, ``"KLF1+GATA1"``. Of conditions that were measured, the prediction is by a model that
        had not seen them. None: all measured conditions.
    method
        A name in the registry's ``perturbation`` methods; None: the baseline is the method.
    method_kwargs
        Parameters of the method. Profiles of another screen stand for it (``transfer``: ``{"source": profiles}``), the path
        of a GMT file for its gene sets (``ridge``: ``{"gene_sets": "go_bp.gmt.gz"}``).
    baseline
        The simple method that `method` is held against.
    gene_embedding, perturbation_embedding
        For ``linear`` (both) and ``knn`` (the second): features of genes, or of targets, from elsewhere, such as another screen or a pretrained
        model. A DataFrame with names as index, or a pair of an AnnData and the key of its ``varm``.
    evaluate
        Whether to hold conditions out. Without it there are neither scores nor intervals.
    n_folds
        By default every condition is held out alone where there are up to 50, else ten folds are; conditions that share a
        target are held out together.
    coverage
        Share of the genes' true values that the intervals should hold.
    n_top
        Genes highest in control that errors are measured on.
    replicate_key, separator, guide_suffix, layer, total_counts_key, values, min_cells
        How cells are averaged: see :func:`sc_annotate.pp.perturbation_profiles`.
    key_added
        Name of the result. An earlier result of that name is replaced; anything else of that name is an error.
    rng
        Seed; equal seeds give equal results.

    Returns
    -------
    None. Written to `adata`; read it with :func:`sc_annotate.get.perturbation`:

    ``varm[key_added]`` : float32, genes x conditions
        Predicted mean log-normalised expression; NaN for conditions that the method cannot predict.
    ``varm[f"{key_added}_lower"]``, ``varm[f"{key_added}_upper"]`` : float32
        Ends of the intervals, by the jackknife+ or CV+ over held-out conditions; infinite where there are too few.
    ``varm[f"{key_added}_observed"]`` : float32
        What was measured, where it was.
    ``var[f"{key_added}_control"]`` : float32
        Mean of the control.
    ``uns[key_added]`` : dict
        ``conditions``, ``reason`` (why a condition could not be predicted, else empty), ``held_out``, ``method``,
        ``baseline``, ``params``, ``control``, ``coverage`` (what was asked, and the share of genes that the intervals hold on
        held-out conditions: on average, which is near what was asked by construction, and in the tenth of conditions where
        it is lowest), ``single`` and ``double`` (scores of all
        methods on held-out conditions of one and of several targets: :func:`sc_annotate.get.leaderboard`), ``verdict``,
        ``notes``.

    Raises
    ------
    sc_annotate.errors.InputError
        One of its kinds, with the cure; `adata` is then as it was.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, Nature Methods, doi:10.1038/s41592-025-02772-6. Barber et al. 2021, Annals of
    Statistics 49:486.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(2000, 60, 12, 0, rng=0)
    >>> sca.tl.predict_perturbation(screen, conditions=["G50"])
    >>> sca.get.perturbation(screen).shape
    (1, 60)
    """
    check_adata(adata, what="adata")
    check_rng(rng)
    check_share(coverage, "coverage")
    slots.check_writable(adata, key_added)
    if isinstance(n_top, bool) or not isinstance(n_top, int) or n_top < 1:
        raise InputError(f"n_top must be a whole number, 1 or more, not {n_top!r}.")
    new = None
    if conditions is not None:
        new = as_targets(conditions, control=control, separator=separator, guide_suffix=guide_suffix)
    how: dict[str, Any] = {
        "replicate_key": replicate_key,
        "separator": separator,
        "guide_suffix": guide_suffix,
        "layer": layer,
        "total_counts_key": total_counts_key,
        "values": values,
        "min_cells": min_cells,
    }
    main = method or baseline
    embeddings = {
        "gene_embedding": embedding_of(gene_embedding, argument="gene_embedding"),
        "perturbation_embedding": embedding_of(perturbation_embedding, argument="perturbation_embedding"),
    }
    given = any(value is not None for value in embeddings.values())
    if method_kwargs is not None and not hasattr(method_kwargs, "items"):
        raise InputError(f"method_kwargs must be a dict of parameters, not {method_kwargs!r}.")
    # What is wrong with them should show before anything is computed.
    maker(main, dict(method_kwargs or {}), **embeddings)
    label = f"{main} (own embedding)" if given else main
    tables = with_tables(adata)
    if is_profiles(tables):
        profiles = check_profiles(tables, what="adata")
    else:
        profiles = perturbation_profiles(tables, perturbation_key, control, rng=rng, **how)
    screen, rows = screen_of(profiles)
    screen = cells_of(screen, tables, profiles, main, perturbation_key, control, **how)
    asked = screen.targets if new is None else new
    make = maker(main, parameters(method_kwargs or {}, screen), **embeddings)
    check_shared(embeddings["gene_embedding"], screen.genes.tolist(), argument="gene_embedding", what="genes")
    named = {target for each in [*screen.targets, *asked] for target in each}
    check_shared(embeddings["perturbation_embedding"], named, argument="perturbation_embedding", what="targets")
    makers = {label: make} | {
        name: maker(name, {}) for name in needed(screen.targets, asked, baseline) if name != label
    }
    final = make().fit(screen.select(np.arange(len(screen.targets))), rng=rng)
    values_of = predicted(final, asked, len(screen.genes))
    reason = reasons(final, asked, values_of)
    place = {targets: i for i, targets in enumerate(screen.targets)}
    at = np.array([place.get(targets, -1) for targets in asked], dtype=np.intp)
    unseen = np.flatnonzero(at < 0)
    held: HeldOut | None = None
    if evaluate:
        held = hold_out(screen, makers, [asked[i] for i in unseen], splits_of(screen.targets, n_folds, rng), rng=rng)
    own = at >= 0 if held is not None else np.zeros(len(asked), dtype=bool)
    lower, upper = np.full((2, *values_of.shape), np.nan)
    found_coverage: dict[str, float] = {}
    if held is not None:
        # The only condition of its kind is in no fold.
        own &= held.fold[at] >= 0
        values_of[own] = held.predicted[label][at[own]]
        reason = np.where(own, held.why_not[label][at], reason)
        lower, upper, found_coverage = _intervals(
            held, label, screen.mean, screen.targets, asked, at, values_of, coverage
        )
    observed = np.full_like(values_of, np.nan)
    observed[at >= 0] = screen.mean[at[at >= 0]]
    scores, verdict = ({}, "") if held is None else boards(held, screen, profiles, rows, label, n_top=n_top, rng=rng)
    notes = [str(note) for note in getattr(final, "notes_", [])]
    notes += told(screen, asked, reason, upper, scores, main, evaluate=held is not None)
    for note in notes:
        logger.warning(note)
    if verdict:
        logger.info(verdict)
    parts = {"": values_of, "_lower": lower, "_upper": upper, "_observed": observed}
    slots.write(
        adata,
        key_added,
        {name: np.ascontiguousarray(part.T, dtype=np.float32) for name, part in parts.items()},
        screen.control,
        {
            "conditions": names_of(asked),
            "reason": reason,
            "held_out": own,
            "method": label,
            "baseline": baseline,
            "control": str(profiles.obs_names[~rows][0]),
            "params": {
                **how,
                "method_kwargs": plain(method_kwargs or {}),
                "n_folds": n_folds,
                "n_top": n_top,
                "rng": rng,
            },
            "coverage": {"asked": float(coverage)} | found_coverage,
            "verdict": verdict,
            "notes": notes,
        }
        | scores,
    )


def plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as a file can hold them; of objects such as another screen only the kind."""
    out: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, dict) and len(value) > 20:
            out[str(name)] = f"<dict of {len(value)}>"
            continue
        try:
            out[str(name)] = sanitize(value)
        except StorageError:
            out[str(name)] = f"<{type(value).__name__}>"
    return out


def _intervals(
    held: HeldOut,
    label: str,
    truth: NDArray[np.float64],
    targets: Sequence[tuple[str, ...]],
    asked: Sequence[tuple[str, ...]],
    at: NDArray[np.intp],
    values: NDArray[np.float64],
    coverage: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, float]]:
    """Ends of the intervals, and the coverage on held-out conditions, by number of targets."""
    errors = np.abs(held.predicted[label] - truth)
    many: NDArray[np.bool_] = np.array([len(each) > 1 for each in targets])
    usable: NDArray[np.bool_] = np.isfinite(errors).all(axis=1) & (held.fold >= 0)
    lower, upper = np.full((2, *values.shape), np.nan)
    found: dict[str, float] = {}
    for name, kind in (("single", ~many), ("double", many)):
        rows = np.flatnonzero(usable & kind)
        if rows.size > 1:
            share = cv_coverage(errors[rows], held.fold[rows], coverage)
            if np.isfinite(share).all():
                found |= {name: float(share.mean()), f"{name}_worst_tenth": float(np.quantile(share, 0.1))}
    nth = np.cumsum(at < 0) - 1
    widths: dict[tuple[bool, int], NDArray[np.float64]] = {}
    for i, each in enumerate(asked):
        several = len(each) > 1
        rows = np.flatnonzero(usable & (many if several else ~many))
        if not np.isfinite(values[i]).all():
            continue
        lower[i], upper[i] = -np.inf, np.inf
        if not rows.size:
            continue
        if at[i] >= 0 and held.fold[at[i]] >= 0:
            # Its own prediction is by one model; errors of its own fold would know it.
            own = int(held.fold[at[i]])
            if (several, own) not in widths:
                widths[several, own] = error_quantile(errors[rows[held.fold[rows] != own]], coverage)
            lower[i], upper[i] = values[i] - widths[several, own], values[i] + widths[several, own]
        else:
            if at[i] >= 0:
                continue
            says = held.new[:, nth[i]]
            could = np.asarray(np.isfinite(says).all(axis=1))
            rows = rows[could[held.fold[rows]]]
            lower[i], upper[i] = cv_plus(errors[rows], held.fold[rows], np.nan_to_num(says), coverage)
    return lower, upper, found
