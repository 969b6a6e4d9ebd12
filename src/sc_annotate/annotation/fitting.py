"""The query, opened, and the model for it: fitted on a reference, or on the labelled cells of the same object."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy import sparse

from sc_annotate._core import arrays, registry
from sc_annotate._core.settings import logger
from sc_annotate._data import gene_match
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.obs import with_tables
from sc_annotate._data.read import check_representations, open_input, total_counts
from sc_annotate.annotation.fitted import Query
from sc_annotate.annotation.learn import learn
from sc_annotate.annotation.requests import usable_method
from sc_annotate.annotation.training import Columns, is_panel, labelled_cells, read_training
from sc_annotate.errors import GeneError, InputError, LabelError, MethodError
from sc_annotate.trust.options import PREDICTED

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._data.read import Input
    from sc_annotate._data.transform import Wanted
    from sc_annotate.annotation.joint import Cells
    from sc_annotate.annotation.model import AnnotationModel
    from sc_annotate.annotation.requests import FitRequest
    from sc_annotate.annotation.training import Training


def same_cells(adata: AnnData, query: Input, reference: AnnData, ref: Input) -> int:
    """How many query cells are also in the reference: same name and the same values.

    Names alone prove nothing, since droplet barcodes repeat between samples; so up to 50 of them are compared.
    """
    if adata is reference or query.source.is_embedding:
        return 0
    names, others = adata.obs_names, reference.obs_names
    both = np.flatnonzero(names.isin(others))
    if len(both) == 0:
        return 0
    picked = both[:: max(1, len(both) // 50)][:50]
    partners = np.array([int(np.argmax(np.asarray(others == names[i]))) for i in picked], dtype=np.intp)
    try:
        match = gene_match.match(query.names, ref.names)
    except GeneError:
        return 0
    same = (_expressed(query, picked, match.query) == _expressed(ref, partners, match.reference)).all(axis=1)
    return len(both) if float(same.mean()) > 0.5 else 0


def _expressed(found: Input, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which genes some cells express: the same for one cell on any scale."""
    order = np.argsort(rows, kind="stable")
    block: Any = arrays.rows(found.source.X, rows[order])[:, columns]
    dense = block.toarray() if sparse.issparse(block) else np.asarray(block)
    out = np.empty(dense.shape, dtype=bool)
    out[order] = dense > 0
    return out


def fit_annotator(reference: AnnData, fit: FitRequest, matrix: MatrixRequest) -> AnnotationModel:
    """A model of all genes of a labelled reference, for any query."""
    if isinstance(fit.method, str) and _transductive(fit):
        raise MethodError(
            f"{fit.method!r} is transductive: it has to see the cells to be annotated when it is fitted, so there is no model to "
            "fit in advance. Pass them and the reference to `sca.tl.annotate` together."
        )
    wanted = _input_of(fit)
    fit.trust.refuse(
        *PREDICTED,
        why="said when cells are annotated, not when a model is fitted. Pass it to `annotate(adata, model)`.",
    )
    check_adata(reference, what="reference")
    reference = with_tables(reference)
    if matrix.use_rep is not None:
        fit.of_representation(matrix)
    found = open_input(reference, matrix, what="reference")
    if matrix.use_rep is None and matrix.gene_symbols is None:
        from sc_annotate._data.other_names import reference_columns

        found = replace(found, names=reference_columns(found.names, found.source.var))
    cells = labelled_cells(reference, fit, found, what="reference")
    model = learn(read_training(reference, found, cells, matrix, wanted=wanted), fit)
    if model.evaluation is not None:
        # A consensus is scored by what it was fitted with; a model that is kept or sent needs no predictions of its cells.
        model.evaluation.found.clear()
    return model


def fit_within(adata: AnnData, fit: FitRequest, matrix: MatrixRequest) -> tuple[AnnotationModel, Query]:
    """A model of the labelled cells of an object, for its unlabelled ones."""
    wanted = _input_of(fit)
    found = open_input(adata, matrix)
    cells = labelled_cells(adata, fit, found, what="adata")
    if cells.labelled.all():
        raise LabelError(
            f"every cell of adata has a label in obs[{cells.labels_key!r}], so there is none to annotate. Set the labels of "
            "the cells in question to NaN, or pass the labelled object as reference."
        )
    training = read_training(adata, found, cells, matrix, wanted=wanted, what="adata")
    query = Query(adata, matrix, found, cells)
    if _transductive(fit):
        from sc_annotate.annotation.joint import Cells

        every = np.arange(found.source.n_columns)
        panel = every if training.panel is not None else None
        sides = (Cells(adata, found, matrix, rows, every, panel, "adata") for rows in (cells.rows, query.rows))
        training = _with_query(training, fit, *sides)
    return _learned(training, fit, query)


def fit_across(
    adata: AnnData, reference: AnnData, fit: FitRequest, matrix: MatrixRequest, of_reference: MatrixRequest
) -> tuple[AnnotationModel, Query]:
    """A model of the genes that a labelled reference shares with the cells to be annotated."""
    wanted = _input_of(fit)
    check_adata(reference, what="reference")
    _check_columns(adata, reference, fit, matrix)
    symbols, totals = matrix.gene_symbols, matrix.total_counts_key
    own = matrix.but(gene_symbols=symbols if symbols in adata.var else None)
    theirs = of_reference.but(
        gene_symbols=symbols if symbols in reference.var else None,
        total_counts_key=totals if totals is not None and totals in reference.obs else None,
    )
    query = open_input(adata, own)
    found = open_input(reference, theirs, what="reference", layer_argument="reference_layer")
    cells = labelled_cells(reference, fit, found, what="reference")
    if query.source.is_embedding:
        check_representations(query.source, found.source.names, what="adata")
    tables = (
        query.source.var if own.gene_symbols is None else None,
        found.source.var if theirs.gene_symbols is None else None,
    )
    shared = gene_match.match(query.names, found.names, min_fraction=fit.trust.min_overlap, tables=tables)
    # By these names the model then finds its genes in the query.
    query, found = replace(query, names=shared.names[0]), replace(found, names=shared.names[1])
    for note in shared.notes:
        logger.info(note)
    total_counts(adata, totals, what="adata")
    known = [totals is not None, theirs.total_counts_key is not None]
    sides = [is_panel(side, np.empty(0) if has else None) for side, has in zip((query, found), known, strict=True)]
    panel = shared.reference if any(sides) and not any(known) and wanted == "log" else None
    columns = Columns(shared.reference, panel)
    training = read_training(reference, found, cells, theirs, wanted=wanted, columns=columns)
    problems = list(shared.problems)
    if n := same_cells(adata, query, reference, found):
        are = "cell of adata is" if n == 1 else "cells of adata are"
        problems.append(
            f"{n:,} {are} also in the reference; {'its label is' if n == 1 else 'their labels are'} no independent evidence"
        )
    opened = Query(
        adata,
        own,
        replace(query, notes=[*query.notes, *shared.notes]),
        problems=problems,
        matched_by=shared.how,
    )
    if _transductive(fit):
        from sc_annotate.annotation.joint import Cells

        panels = (None, None) if panel is None else (shared.reference, shared.query)
        training = _with_query(
            training,
            fit,
            Cells(reference, found, theirs, cells.rows, shared.reference, panels[0], "reference"),
            Cells(adata, query, own, opened.rows, shared.query, panels[1], "adata"),
        )
    return _learned(training, fit, opened)


def _with_query(training: Training, fit: FitRequest, labelled: Cells, query: Cells) -> Training:
    """The labelled cells with what a transductive method is fitted on."""
    from sc_annotate.annotation.joint import read_joint

    joint, notes = read_joint(fit, labelled, query, training.batch)
    return replace(training, joint=joint, notes=[*training.notes, *notes])


def _learned(training: Training, fit: FitRequest, query: Query) -> tuple[AnnotationModel, Query]:
    """The model, and the query with the probabilities that a transductive method has for it."""
    model = learn(training, fit)
    if training.joint is None:
        return model, query
    return model, replace(query, proba=np.asarray(model.annotator.predict_query(), dtype=np.float32))


def _transductive(fit: FitRequest) -> bool:
    """Whether the method sees the cells to be annotated when it is fitted."""
    return registry.get("annotation", str(fit.method)).transductive


def _input_of(fit: FitRequest) -> Wanted:
    """What the method takes; what cannot be fitted is refused before any work is done."""
    if not isinstance(fit.method, str):
        raise MethodError(f"method must be a name such as 'logreg', not {fit.method!r}.")
    fit.of_batches()
    method = usable_method(fit.method)
    fit.of_alignment(fit.method)
    # Of a transductive method the common scale serves all but its own fit: the choice of genes, baselines, familiarity.
    return "log" if method.transductive else cast("Wanted", method.inputs)


def _check_columns(adata: AnnData, reference: AnnData, fit: FitRequest, matrix: MatrixRequest) -> None:
    """Refuse columns that are in neither object, or in the wrong one."""
    symbols = matrix.gene_symbols
    if symbols is not None and symbols not in adata.var and symbols not in reference.var:
        raise InputError(f"neither adata.var nor reference.var has a column {symbols!r} (gene_symbols).")
    if swapped := [name for name in fit.levels if name not in reference.obs and name in adata.obs]:
        raise InputError(
            f"reference.obs has no column {swapped[0]!r}, but adata.obs has: are adata and reference swapped? "
            "The order is annotate(cells to be annotated, labelled reference, labels_key)."
        )
