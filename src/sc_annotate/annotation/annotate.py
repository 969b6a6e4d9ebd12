"""From the cells and a reference to what is stored: open, fit or load, predict, build the result, write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.settings import each_once
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.obs import with_tables
from sc_annotate._store import storage
from sc_annotate._store.slots import TOP_K, lock
from sc_annotate.annotation.block import largest
from sc_annotate.annotation.fitting import fit_across, fit_within
from sc_annotate.annotation.model import AnnotationModel
from sc_annotate.annotation.requests import usable_method
from sc_annotate.annotation.result import colors, label_cells, query_of_model
from sc_annotate.errors import InputError, MethodError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from sc_annotate.annotation.requests import AnnotateRequest
    from sc_annotate.trust import Levels


@dataclass(frozen=True)
class _One:
    """One method's result, its model, and the levels of all types that occur, those of labelled cells included."""

    result: storage.Annotation
    model: AnnotationModel
    levels: Levels | None


def annotate(adata: AnnData, reference: Any, request: AnnotateRequest) -> None:
    """Label the cells of `adata` and write the result, all of it or nothing."""
    check_adata(adata, what="adata")
    fit, key = request.fit, request.key
    methods = fit.methods
    if fit.method == "markers":
        raise MethodError("markers need no reference: use sca.tl.annotate_markers(adata, markers, groupby) instead.")
    coarser = fit.levels[:-1]
    check_free(adata, key, coarser)
    target, adata = adata, with_tables(adata)
    if hasattr(reference, "obs"):
        reference = adata if reference is target else with_tables(reference)
    if request.vote is not None:
        from sc_annotate.annotation.vote import check_vote

        check_vote(adata, request.vote, key)
    source = _reference(adata, reference, request)
    if methods is None:
        results = {key: _annotate(adata, source, request).result}
    else:
        results = _annotate_by_several(adata, source, request, methods, coarser)
    if request.vote is not None:
        from sc_annotate.annotation.vote import add_votes

        add_votes(results, adata, request.vote, request.matrix, request.ask.rng)
    keep = request.ask.store_proba
    for result in results.values():
        if isinstance(result.proba, np.ndarray) and keep != "all":
            # A consensus is made from all of them.
            result.proba = largest(result.proba, TOP_K) if keep == "topk" else None
            result.uns["proba"] = keep or "none"
    with lock():
        # Another thread may have taken a name meanwhile.
        for name, result in results.items():
            storage.check_writable(target, name, list(result.obs))
        for name, result in results.items():
            storage.write(target, name, result)


def _reference(adata: AnnData, reference: Any, request: AnnotateRequest) -> Any:
    """A fitted model or a labelled AnnData, with the arguments that have no meaning beside it refused."""
    fit = request.fit
    if request.matrix.use_rep is not None:
        fit.of_representation(request.matrix)
    if isinstance(reference, AnnotationModel | str) or hasattr(reference, "__fspath__"):
        if isinstance(reference, str) and reference in adata.obs:
            raise InputError(
                f"reference={reference!r} is a column of adata.obs, not a model file. To annotate the unlabelled cells of "
                f"adata by the labelled ones, write labels_key={reference!r}; else pass the reference before it."
            )
        if fit.methods is not None:
            raise InputError("a fitted model has one method; pass the labelled reference to fit several.")
        from sc_annotate.annotation.load import load

        model = reference if isinstance(reference, AnnotationModel) else load(reference)
        fit.of_fitted_model(model.method)
        request.of_no_other_object("a fitted model was passed")
        if model.trust is None:
            request.ask.of_uncalibrated_model()
        return model
    if reference is None and fit.labels_key is None:
        raise InputError(
            "annotate needs something to learn from. Pass a labelled reference and its column, "
            "`annotate(adata, reference, 'cell_type')`; a fitted model or its path, `annotate(adata, model)`; or, where some "
            "cells of adata are labelled, `annotate(adata, labels_key='cell_type')`."
        )
    if fit.labels_key is None:
        check_adata(reference, what="reference")
        raise InputError(
            f"labels_key is missing: name the column of reference.obs with the types; there are: "
            f"{', '.join(map(repr, reference.obs)) or 'none'}."
        )
    for name in fit.methods or ():
        # All of them, before the first is fitted.
        usable_method(name)
        fit.of_alignment(name)
    if reference is None or reference is adata:
        request.of_no_other_object("adata is its own reference")
        fit.trust.refuse("min_overlap", why="adata is its own reference, with all of its genes. Leave it out.")
        return adata
    return reference


def _annotate(adata: AnnData, source: Any, request: AnnotateRequest) -> _One:
    """One method's result, ready to be stored, and its model."""
    fit = request.fit
    if isinstance(source, AnnotationModel):
        model = source
        query = query_of_model(adata, model, request.matrix)
    elif source is adata:
        model, query = fit_within(adata, fit, request.matrix)
    else:
        model, query = fit_across(adata, source, fit, request.matrix, request.reference_matrix)
    levels = model.levels if query.cells is None else query.cells.levels
    check_free(adata, request.key, () if levels is None else levels.names[:-1])
    result = label_cells(query, model, request)
    result.colors = colors(source, model, result.obs[request.key])
    return _One(result, model, levels)


def _annotate_by_several(
    adata: AnnData, source: Any, request: AnnotateRequest, methods: Sequence[str], coarser: Sequence[str]
) -> dict[str, storage.Annotation]:
    """A result for each method, and their consensus, weighted by how they do on held-out cells."""
    from dataclasses import replace

    from sc_annotate.annotation.consensus import combine, learn_weights, method_result
    from sc_annotate.annotation.held_out_consensus import score_consensus
    from sc_annotate.annotation.levels import add_levels_of_consensus, check_apart

    keys = {name: f"{request.key}_{name}" for name in methods}
    check_apart([request.key, *keys.values()], coarser)
    for key in keys.values():
        check_free(adata, key, coarser)
    ask = request.ask.but(store_proba="all")
    with each_once():
        found = {
            key: _annotate(adata, source, replace(request, fit=request.fit.but(method=name), ask=ask, key=key))
            for name, key in keys.items()
        }
    results = {key: one.result for key, one in found.items()}
    weights = learn_weights([one.model.trust for one in found.values()])
    compared = [method_result(key, result) for key, result in results.items()]
    results[request.key] = combine(compared, key=request.key, weights=weights)
    evaluation = score_consensus([one.model for one in found.values()], request.fit.rng)
    if evaluation is not None:
        results[request.key].uns["baseline"] = evaluation.to_uns()
    levels = next(iter(found.values())).levels
    if levels is not None:
        add_levels_of_consensus(results[request.key], request.key, levels)
    return results


def check_free(adata: AnnData, key: str, coarser: Sequence[str]) -> None:
    """Refuse to overwrite what is not ours, in the usual columns and those of coarser levels."""
    columns = []
    if coarser:
        from sc_annotate.annotation.levels import level_columns

        columns = [column for name in coarser for column in level_columns(key, name)]
    storage.check_writable(adata, key, columns)
