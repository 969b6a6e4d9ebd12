"""Name the cells of an AnnData."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core import genes, registry, storage
from sc_annotate._core.matrix import check_adata
from sc_annotate._core.progress import logger
from sc_annotate._core.read import Input, check_representations, open_input, total_counts
from sc_annotate._core.slots import DEFAULT_KEY, GIVEN, Slots
from sc_annotate.errors import InputError, LabelError
from sc_annotate.tl._evaluation import check_cv
from sc_annotate.tl._fit import N_TOP_GENES, check_rng, learn
from sc_annotate.tl._model import AnnotationModel, load
from sc_annotate.tl._predict import Answer, predict, same_cells
from sc_annotate.tl._training import LabelledCells, is_panel, labelled_cells, read_training

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from anndata import AnnData

    from sc_annotate._core.transform import Stated


def annotate(
    adata: AnnData,
    reference: AnnData | AnnotationModel | str | os.PathLike[str] | None = None,
    labels_key: str | None = None,
    *,
    method: str = "logreg",
    method_kwargs: Mapping[str, Any] | None = None,
    batch_key: str | None = None,
    n_top_genes: int | None = N_TOP_GENES,
    min_cells: int | None = None,
    cv: int = 1,
    layer: str | None = None,
    reference_layer: str | None = None,
    use_raw: bool | None = None,
    use_rep: str | None = None,
    gene_symbols: str | None = None,
    total_counts_key: str | None = None,
    values: Stated | None = None,
    min_overlap: float = genes.MIN_SHARED_FRACTION,
    store_proba: Literal["all", False] = "all",
    key_added: str = DEFAULT_KEY,
    rng: int = 0,
) -> None:
    """Name the cells of `adata` after a labelled reference.

    The values of both sides are looked at and brought to one scale on the fly: counts are normalised to 10,000 a cell
    and logged, logarithms of another base converted, scaled data refused with the cure. Genes are matched by name,
    else by a column with other names. Nothing of `adata` but the slots below is changed.

    Parameters
    ----------
    adata
        Cells to be named, cells x genes; in memory or backed.
    reference
        Labelled cells; or a fitted model (:func:`fit_annotator`); or the path of a saved one. Without it, the cells of
        `adata` that have a label in `labels_key` name those that have none.
    labels_key
        Column of ``reference.obs`` (of ``adata.obs`` without a reference) with the types.
    method
        A name in :func:`sc_annotate.tl.methods`. With a fitted model, the model's own counts.
    method_kwargs
        Parameters of the method, by name.
    batch_key
        Column of the reference's ``obs`` with batches or donors; whole ones are held out for the scores.
    n_top_genes
        Number of highly variable genes that the method sees; None for all.
    min_cells
        Leave out types with fewer reference cells. By default none is left out, and a type of one cell is an error.
    cv
        How the model is scored on held-out reference cells, beside ``majority`` and ``logreg``: 1, one hold-out; k > 1,
        k folds; 0, not at all.
    layer, use_raw, use_rep
        Which matrix of `adata`: a layer, ``.raw`` (``use_raw=None``: only where ``X`` is scaled and ``.raw`` is not),
        or a representation in ``obsm`` that `adata` and the reference share (name with or without ``X_``).
    reference_layer
        Layer of the reference.
    gene_symbols
        Column of ``var`` (of `adata`, the reference, or both) with other names of the genes.
    total_counts_key
        Column of ``adata.obs`` (and, where it has one, of the reference) with the true total counts of each cell, for
        counts of some genes only.
    values
        What the matrix of `adata` holds, where you know it: ``"counts"``, ``"log1p"``, ``"log2"``, ``"log10"``,
        ``"linear"``. By default it is found out; what contradicts the values is an error.
    min_overlap
        Smallest share of the genes of the smaller side that both must have in common. At least 50 genes are needed
        in any case (90 % of a smaller panel).
    store_proba
        ``"all"``, or False to leave the probabilities out.
    key_added
        Name of the result. An earlier result of the same name is replaced; a foreign column of that name is an error.
    rng
        Seed, an integer; equal seeds give equal results, bit for bit, on one machine.

    Returns
    -------
    None. Written to `adata`:

    ``obs[key_added]`` : categorical
        The call.
    ``obs[f"{key_added}_confidence"]`` : float32
        Probability of the call; NaN for cells whose label was given.
    ``obs[f"{key_added}_status"]`` : categorical
        ``"given"`` for cells that had a label (only written without a reference).
    ``obs[f"{key_added}_model"]`` : categorical
        Short id of the model that named the cell.
    ``obsm[f"{key_added}_proba"]`` : float32, cells x types
        Probabilities; read them with :func:`sc_annotate.get.probabilities`.
    ``uns[key_added]`` : dict
        ``schema``, ``method``, ``model``, ``params``, ``classes``, ``input``, ``reference``, ``calibration``,
        ``baseline`` (held-out scores of the method, ``majority`` and ``logreg``).
    ``uns[f"{key_added}_colors"]`` : list
        The reference's colours of the types, where it has them.

    Raises
    ------
    InputError
        One of its kinds, with the cure: :class:`~sc_annotate.errors.MatrixError`,
        :class:`~sc_annotate.errors.GeneError`, :class:`~sc_annotate.errors.LabelError`,
        :class:`~sc_annotate.errors.MethodError`, :class:`~sc_annotate.errors.StorageError`,
        :class:`~sc_annotate.errors.ModelFileError`. `adata` is then as it was.
    MissingExtraError
        The method needs a package that is not installed.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> reference, query = adata[:500].copy(), adata[500:].copy()
    >>> sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid")
    >>> bool((query.obs["annotation"].astype(str) == query.obs["cell_type"].astype(str)).mean() > 0.7)
    True
    """
    check_adata(adata, what="adata")
    check_rng(rng)
    check_cv(cv)
    storage.check_writable(adata, key_added)
    if store_proba not in ("all", False):
        raise InputError(f"store_proba must be 'all' or False, not {store_proba!r}.")
    if isinstance(min_overlap, bool) or not isinstance(min_overlap, int | float) or not 0 <= min_overlap <= 1:
        raise InputError(f"min_overlap must be a share between 0 and 1, not {min_overlap!r}.")
    model, query, given, problems = _model_and_query(
        adata,
        reference,
        labels_key,
        _Options(
            method, method_kwargs, batch_key, n_top_genes, min_cells, cv, reference_layer, gene_symbols, total_counts_key,
            values, min_overlap, rng,
        ),
        {"layer": layer, "use_raw": use_raw, "use_rep": use_rep},
    )  # fmt: skip
    answer = predict(adata, query, model, stated=values, total_counts_key=total_counts_key, min_overlap=min_overlap)
    answer = replace(answer, problems=[*problems, *answer.problems])
    for problem in answer.problems:
        logger.warning(problem)
    used = {
        "labels_key": model.about["labels_key"],
        **model.about["params"],
        "layer": layer,
        "reference_layer": reference_layer,
        "use_raw": use_raw,
        "use_rep": use_rep,
        "gene_symbols": gene_symbols,
        "total_counts_key": total_counts_key,
        "values": values,
        "min_overlap": float(min_overlap),
    }
    result = _account(adata, model, query, answer, given, params=used, key=key_added, store_proba=bool(store_proba))
    result.colors = _colors(reference, model, result.obs[key_added])
    storage.write(adata, key_added, result)


@dataclass(frozen=True)
class _Options:
    method: str
    method_kwargs: Mapping[str, Any] | None
    batch_key: str | None
    n_top_genes: int | None
    min_cells: int | None
    cv: int
    reference_layer: str | None
    gene_symbols: str | None
    total_counts_key: str | None
    values: Stated | None
    min_overlap: float
    rng: int


Place = dict[str, Any]


def _model_and_query(
    adata: AnnData, reference: Any, labels_key: str | None, options: _Options, place: Place
) -> tuple[AnnotationModel, Input, LabelledCells | None, list[str]]:
    """The model to ask, fitted where it has to be, and the query as it was found."""
    if isinstance(reference, AnnotationModel | str) or hasattr(reference, "__fspath__"):
        model = reference if isinstance(reference, AnnotationModel) else load(reference)
        return model, open_input(adata, gene_symbols=options.gene_symbols, **place), None, []
    if reference is None and labels_key is None:
        raise InputError(
            "annotate needs something to learn from. Pass a labelled reference and its column, "
            "`annotate(adata, reference, 'cell_type')`; a fitted model or its path, `annotate(adata, model)`; or, where some "
            "cells of adata are labelled, `annotate(adata, labels_key='cell_type')`."
        )
    if labels_key is None:
        check_adata(reference, what="reference")
        raise InputError(
            f"labels_key is missing: name the column of reference.obs with the types; there are: "
            f"{', '.join(map(repr, reference.obs)) or 'none'}."
        )
    record = registry.get("annotation", options.method)
    if reference is None or reference is adata:
        return _within(adata, labels_key, options, place, record)
    return _across(adata, reference, labels_key, options, place, record)


def _within(
    adata: AnnData, labels_key: str, options: _Options, place: Place, record: registry.Method
) -> tuple[AnnotationModel, Input, LabelledCells, list[str]]:
    """Labelled cells of an object name its unlabelled ones."""
    query = open_input(adata, gene_symbols=options.gene_symbols, **place)
    cells = labelled_cells(adata, labels_key, batch_key=options.batch_key, min_cells=options.min_cells, what="adata")
    if cells.given.all():
        raise LabelError(
            f"every cell of adata has a label in obs[{labels_key!r}], so there is none to name. Set the labels of the cells "
            "in question to NaN, or pass the labelled object as reference."
        )
    training = read_training(
        adata,
        query,
        cells,
        labels_key=labels_key,
        wanted=record.input,
        stated=options.values,
        total_counts_key=options.total_counts_key,
        what="adata",
    )
    return _learn(training, options), query, cells, []


def _across(
    adata: AnnData, reference: Any, labels_key: str, options: _Options, place: Place, record: registry.Method
) -> tuple[AnnotationModel, Input, None, list[str]]:
    """A labelled object names another, by the genes that both have."""
    check_adata(reference, what="reference")
    column = options.gene_symbols
    in_either = [o for o in (adata, reference) if column is not None and column in o.var]
    if column is not None and not in_either:
        raise InputError(f"neither adata.var nor reference.var has a column {column!r} (gene_symbols).")
    cells = labelled_cells(
        reference, labels_key, batch_key=options.batch_key, min_cells=options.min_cells, what="reference"
    )
    query = open_input(adata, gene_symbols=column if column in adata.var else None, **place)
    found = open_input(
        reference,
        layer=options.reference_layer,
        use_rep=place["use_rep"],
        gene_symbols=column if column in reference.var else None,
        what="reference",
    )
    if query.source.is_embedding:
        check_representations(query.source, found.source.names, what="adata")
    match = genes.match(query.names, found.names, min_fraction=options.min_overlap)
    key = options.total_counts_key
    total_counts(adata, key, what="adata")
    ref_key = key if key is not None and key in reference.obs else None
    known = [key is not None, ref_key is not None]
    sides = [is_panel(side, np.empty(0) if has else None) for side, has in zip((query, found), known, strict=True)]
    panel = match.reference if any(sides) and not any(known) and record.input == "log" else None
    training = read_training(
        reference,
        found,
        cells,
        labels_key=labels_key,
        wanted=record.input,
        columns=match.reference,
        panel=panel,
        total_counts_key=ref_key,
    )
    problems = []
    if n := same_cells(adata, query, reference, found):
        problems.append(f"{n:,} cells of adata are also in the reference; their calls are no independent evidence")
    return _learn(training, options), query, None, problems


def _learn(training: Any, options: _Options) -> AnnotationModel:
    return learn(
        training,
        options.method,
        options.method_kwargs,
        options.n_top_genes,
        batch_key=options.batch_key,
        cv=options.cv,
        rng=options.rng,
    )


def _account(
    adata: AnnData,
    model: AnnotationModel,
    query: Input,
    answer: Answer,
    given: LabelledCells | None,
    *,
    params: dict[str, Any],
    key: str,
    store_proba: bool,
) -> storage.Annotation:
    """What is stored, from what was found."""
    import pandas as pd

    slots = Slots(key)
    proba = answer.proba
    calls = model.classes[proba.argmax(axis=1)].astype(object)
    confidence = proba.max(axis=1)
    named_by = np.full(adata.n_obs, model.id, dtype=object)
    obs: dict[str, Any] = {}
    if given is not None:
        mask = given.given
        calls[mask] = given.labels[mask]
        confidence[mask], proba[mask], named_by[mask] = np.nan, np.nan, None
        obs[slots.status] = pd.Categorical(np.where(mask, GIVEN, None), categories=[GIVEN])
    columns = {
        slots.call: pd.Categorical(calls, categories=sorted(set(calls))),
        slots.confidence: confidence.astype(np.float32),
        **obs,
        slots.model: pd.Categorical(named_by, categories=[model.id]),
    }
    about = model.about
    uns = {
        "method": model.method,
        "model": model.id,
        "params": params,
        "classes": model.classes.astype(object),
        "input": {
            "values": query.values.to_dict(),
            "genes": None if query.genes is None else query.genes.to_dict(),
            "matched_by": answer.how,
            "n_genes_of_model": len(model.means),
            "n_genes_shared": answer.n_shared,
            "n_cells_without_values": int(answer.zero_cells.sum()),
            "notes": answer.notes,
            "problems": answer.problems,
        },
        "reference": {
            "labels_key": about["labels_key"],
            "n_cells": about["n_cells"],
            "n_genes": about["n_genes"],
            "cells_per_type": model.counts,
            "values": about["values"],
            "genes": about["genes"],
            "notes": about["notes"],
            "versions": about["versions"],
        },
        "calibration": {"method": "none"},
        "baseline": {} if model.evaluation is None else model.evaluation.to_uns(),
    }
    return storage.Annotation(columns, proba if store_proba else None, uns)


def _colors(reference: Any, model: AnnotationModel, calls: Any) -> list[str] | None:
    """The reference's colours of the called types, where every one of them has one."""
    key = model.about["labels_key"]
    stored = getattr(reference, "uns", {}).get(f"{key}_colors")
    if stored is None or not hasattr(reference.obs.get(key), "cat"):
        return None
    categories = [str(c) for c in reference.obs[key].cat.categories]
    if len(stored) < len(categories):
        return None
    color = dict(zip(categories, map(str, stored), strict=False))
    return [color[c] for c in calls.categories] if all(c in color for c in calls.categories) else None
