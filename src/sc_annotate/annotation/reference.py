"""The model to ask: handed in, read from a file, or fitted on a labelled reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sc_annotate._core import registry
from sc_annotate._data import gene_match as genes
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.read import Input, check_representations, open_input, total_counts
from sc_annotate._data.request import MatrixRequest
from sc_annotate.annotation.learn import learn
from sc_annotate.annotation.levels import level_names
from sc_annotate.annotation.load import load
from sc_annotate.annotation.model import AnnotationModel
from sc_annotate.annotation.predict import same_cells
from sc_annotate.annotation.training import (
    MAX_CELLS,
    LabelledCells,
    is_panel,
    labelled_cells,
    read_training,
    sample_size,
)
from sc_annotate.errors import InputError, LabelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from sc_annotate._core.records import Method
    from sc_annotate._data.transform import Stated, Wanted
    from sc_annotate.annotation.learn_trust import TrustOptions


@dataclass(frozen=True)
class Options:
    """How a model is fitted, where one has to be."""

    method: str
    method_kwargs: Mapping[str, Any] | None
    batch_key: str | None
    n_top_genes: int | None
    min_cells: int | None
    max_cells: int | None
    cv: int
    reference_layer: str | None
    gene_symbols: str | None
    total_counts_key: str | None
    values: Stated | None
    min_overlap: float
    rng: int
    trust: TrustOptions


Place = dict[str, Any]


def model_and_query(
    adata: AnnData, reference: Any, labels_key: str | Sequence[str] | None, options: Options, place: Place
) -> tuple[AnnotationModel, Input, LabelledCells | None, list[str]]:
    """The model to ask, fitted where it has to be, and the query as it was found."""
    if isinstance(reference, AnnotationModel | str) or hasattr(reference, "__fspath__"):
        if isinstance(reference, str) and reference in adata.obs:
            raise InputError(
                f"reference={reference!r} is a column of adata.obs, not a model file. To name the unlabelled cells of adata "
                f"by the labelled ones, write labels_key={reference!r}; else pass the reference before it."
            )
        model = reference if isinstance(reference, AnnotationModel) else load(reference)
        _refuse_fitting(model, labels_key, options)
        problems = list(model.about.get("problems", []))
        return model, open_input(adata, MatrixRequest(gene_symbols=options.gene_symbols, **place)), None, problems
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


def _refuse_fitting(model: AnnotationModel, labels_key: str | Sequence[str] | None, options: Options) -> None:
    """A fitted model learns nothing more; arguments that would tell it how are a misunderstanding."""
    told = {
        "labels_key": labels_key is not None,
        "method": options.method not in ("logreg", model.method),
        "method_kwargs": bool(options.method_kwargs),
        "batch_key": options.batch_key is not None,
        "min_cells": options.min_cells is not None,
        "max_cells": options.max_cells not in (None, MAX_CELLS),
        "reference_layer": options.reference_layer is not None,
    }
    if any(told.values()):
        raise InputError(
            f"{', '.join(name for name, given in told.items() if given)} says how a model is fitted, but the model passed "
            f"({model.method}) is fitted already. Leave it out, or pass the labelled reference instead of the model."
        )


def _cells(adata: AnnData, found: Input, labels_key: str | Sequence[str], options: Options, what: str) -> LabelledCells:
    n, stream = sample_size(adata, found, options.method, options.max_cells)
    return labelled_cells(
        adata,
        labels_key,
        batch_key=options.batch_key,
        min_cells=options.min_cells,
        max_cells=n,
        stream=stream,
        rng=options.rng,
        what=what,
    )


def _within(
    adata: AnnData, labels_key: str | Sequence[str], options: Options, place: Place, record: Method
) -> tuple[AnnotationModel, Input, LabelledCells, list[str]]:
    """Labelled cells of an object name its unlabelled ones."""
    query = open_input(adata, MatrixRequest(gene_symbols=options.gene_symbols, **place))
    cells = _cells(adata, query, labels_key, options, "adata")
    if cells.given.all():
        raise LabelError(
            f"every cell of adata has a label in obs[{cells.labels_key!r}], so there is none to name. Set the labels of the cells "
            "in question to NaN, or pass the labelled object as reference."
        )
    training = read_training(
        adata,
        query,
        cells,
        labels_key=cells.labels_key,
        wanted=cast("Wanted", record.inputs),
        stated=options.values,
        total_counts_key=options.total_counts_key,
        what="adata",
    )
    return _learn(training, options), query, cells, []


def _across(
    adata: AnnData,
    reference: Any,
    labels_key: str | Sequence[str],
    options: Options,
    place: Place,
    record: Method,
) -> tuple[AnnotationModel, Input, None, list[str]]:
    """A labelled object names another, by the genes that both have."""
    check_adata(reference, what="reference")
    column = options.gene_symbols
    in_either = [o for o in (adata, reference) if column is not None and column in o.var]
    if column is not None and not in_either:
        raise InputError(f"neither adata.var nor reference.var has a column {column!r} (gene_symbols).")
    columns = level_names(labels_key)
    if swapped := [name for name in columns if name not in reference.obs and name in adata.obs]:
        raise InputError(
            f"reference.obs has no column {swapped[0]!r}, but adata.obs has: are adata and reference swapped? "
            "The order is annotate(cells to be named, labelled reference, labels_key)."
        )
    query = open_input(adata, MatrixRequest(gene_symbols=column if column in adata.var else None, **place))
    found = open_input(
        reference,
        MatrixRequest(
            layer=options.reference_layer,
            use_rep=place["use_rep"],
            gene_symbols=column if column in reference.var else None,
        ),
        what="reference",
        layer_argument="reference_layer",
    )
    cells = _cells(reference, found, labels_key, options, "reference")
    if query.source.is_embedding:
        check_representations(query.source, found.source.names, what="adata")
    match = genes.match(query.names, found.names, min_fraction=options.min_overlap)
    key = options.total_counts_key
    total_counts(adata, key, what="adata")
    ref_key = key if key is not None and key in reference.obs else None
    known = [key is not None, ref_key is not None]
    sides = [is_panel(side, np.empty(0) if has else None) for side, has in zip((query, found), known, strict=True)]
    panel = match.reference if any(sides) and not any(known) and record.inputs == "log" else None
    training = read_training(
        reference,
        found,
        cells,
        labels_key=cells.labels_key,
        wanted=cast("Wanted", record.inputs),
        columns=match.reference,
        panel=panel,
        total_counts_key=ref_key,
    )
    problems = []
    if n := same_cells(adata, query, reference, found):
        problems.append(f"{n:,} cells of adata are also in the reference; their calls are no independent evidence")
    return _learn(training, options), query, None, problems


def _learn(training: Any, options: Options) -> AnnotationModel:
    return learn(
        training,
        options.method,
        options.method_kwargs,
        options.n_top_genes,
        batch_key=options.batch_key,
        cv=options.cv,
        max_cells=options.max_cells,
        options=options.trust,
        rng=options.rng,
    )
