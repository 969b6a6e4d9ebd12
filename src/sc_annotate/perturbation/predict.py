"""Predict what perturbations do, and say how well that works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import registry
from sc_annotate._core.arguments import whole
from sc_annotate._core.progress import logger
from sc_annotate._data.lazy import with_tables
from sc_annotate._data.matrix import check_adata
from sc_annotate._store import perturbation_slots as slots
from sc_annotate._vocabulary.conditions import as_targets, names_of
from sc_annotate.annotation.checks import check_rng
from sc_annotate.annotation.learn_trust import check_share
from sc_annotate.errors import InputError
from sc_annotate.perturbation.arguments import check_covariates, check_kwargs, plain
from sc_annotate.perturbation.cells import cells_of
from sc_annotate.perturbation.contexts import asked_of, contexts_of, joined, predict_contexts
from sc_annotate.perturbation.embeddings import embedding_of
from sc_annotate.perturbation.folds import maker
from sc_annotate.perturbation.mixscape import SELECTED
from sc_annotate.perturbation.one_context import Plan, predict_one
from sc_annotate.perturbation.profile_groups import PROFILES
from sc_annotate.perturbation.profiles import MIN_CELLS, perturbation_profiles
from sc_annotate.perturbation.screen import check_profiles, is_profiles, screen_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from sc_annotate._data.transform import Stated


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
    covariate_keys: Sequence[str] = (),
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
        of a GMT file for its gene sets (``ridge``: ``{"gene_sets": "go_bp.gmt.gz"}``). With `evaluate`, a source that holds what
        was measured here is refused.
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
    covariate_keys
        Columns of ``obs`` with contexts, such as cell line or time. All is done within each combination of theirs, and
        conditions are named ``"KLF1|K562"``; one named ``"KLF1"`` is predicted in every context. With
        ``method="transfer"`` and no source, each context is predicted from the mean changes in the others, and all
        methods are scored so: knowing of a context its control alone. Profiles must have been made with the same.
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
    ``varm[f"{key_added}_controls"]`` : float32, genes x contexts
        With `covariate_keys`: the control of each; ``var[f"{key_added}_control"]`` is then their mean.
    ``uns[key_added]`` : dict
        ``conditions``, ``reason`` (why a condition could not be predicted, else empty), ``held_out``, ``method``,
        ``baseline``, ``params``, ``control``, ``coverage`` (what was asked, and the share of genes that the intervals hold on
        held-out conditions: on average, which is near what was asked by construction, and in the tenth of conditions where
        it is lowest), ``single`` and ``double`` (scores of all
        methods on held-out conditions of one and of several targets: :func:`sc_annotate.get.leaderboard`), ``verdict``,
        ``notes``. With `covariate_keys` also ``covariates`` (DataFrame, a row for each context), ``context`` (the row of
        each condition), ``covariate_keys``, and ``context_scores``; ``single`` and ``double`` are then of all contexts
        together, each condition scored among those of its own.

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
    n_top = whole(n_top, "n_top", least=1)
    n_folds = None if n_folds is None else whole(n_folds, "n_folds", least=2)
    keys = check_covariates(covariate_keys)
    new = []
    if conditions is not None and not keys:
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
    kwargs = check_kwargs(method_kwargs)
    main = method or baseline
    embeddings = {
        "gene_embedding": embedding_of(gene_embedding, argument="gene_embedding"),
        "perturbation_embedding": embedding_of(perturbation_embedding, argument="perturbation_embedding"),
    }
    # What is wrong with them should show before anything is computed.
    maker(main, kwargs, **embeddings)
    given = any(value is not None for value in embeddings.values())
    plan = Plan(
        main,
        f"{main} (own embedding)" if given else main,
        baseline,
        kwargs,
        embeddings,
        evaluate,
        n_folds,
        coverage,
        n_top,
        rng,
    )
    tables = with_tables(adata)
    if is_profiles(tables):
        profiles = tables if keys else check_profiles(tables, what="adata")
    else:
        profiles = perturbation_profiles(tables, perturbation_key, control, covariate_keys=keys, rng=rng, **how)
    names = {"control": control, "separator": separator, "guide_suffix": guide_suffix}
    if keys:
        if registry.get("perturbation", main).inputs == "cells":
            raise InputError(
                f"the method {main!r} trains on cells, which it does in one context at a time. Subset adata."
            )
        contexts, table, left_out = contexts_of(profiles, keys)
        found, boards, verdict = predict_contexts(plan, contexts, asked_of(conditions, contexts, **names))
        one, about = joined(found, table, list(contexts), keys)
        one.notes.extend(left_out)
    else:
        screen, rows = screen_of(profiles)
        screen = cells_of(screen, tables, profiles, main, perturbation_key, control, **how)
        one = predict_one(plan, screen, profiles, rows, screen.targets if conditions is None else new)
        boards, verdict, about = one.boards, one.verdict, {"conditions": names_of(one.asked)}
    notes = one.notes + ([SELECTED] if profiles.uns[PROFILES].get("drop_escapers", False) else [])
    for note in notes:
        logger.warning(note)
    if verdict:
        logger.info(verdict)
    parts = {"": one.values, "_lower": one.lower, "_upper": one.upper, "_observed": one.observed}
    if keys:
        parts[slots.CONTROLS] = np.stack([screen.control for screen, _, _ in contexts.values()])
    slots.write(
        adata,
        key_added,
        {name: np.ascontiguousarray(part.T, dtype=np.float32) for name, part in parts.items()},
        one.control,
        about
        | {
            "reason": one.reason,
            "held_out": one.own,
            "method": plan.label,
            "baseline": baseline,
            "control": str(profiles.uns[PROFILES].get("control", control)),
            "params": {**how, "method_kwargs": plain(kwargs), "n_folds": n_folds, "n_top": n_top, "rng": rng},
            "coverage": {"asked": float(coverage)} | one.coverage,
            "verdict": verdict,
            "notes": notes,
        }
        | {kind: board.to_dict() for kind, board in boards.items()},
    )
