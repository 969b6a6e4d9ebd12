"""Label cells by CellAssign: counts of the marker genes, and size factors, for a model of scvi-tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core.settings import counted, logger
from sc_annotate._data import read
from sc_annotate._data.stream import each_block
from sc_annotate.annotation.markers.markers_result import HALF, MarkerLabels
from sc_annotate.annotation.markers.matched import matched
from sc_annotate.annotation.markers.scored import Scored
from sc_annotate.annotators.cellassign import LARGEST, assign, need_scvi
from sc_annotate.errors import InputError, MatrixError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._vocabulary.marker_lists.lists import MarkerLists
    from sc_annotate.annotation.markers.markers_request import LabelsRequest

SLOW = 5_000
"""Genes times types from which on it is said that it takes long."""

NOTE = (
    "labels from markers are not calibrated, as there are no labelled cells. The confidence is the posterior probability of "
    "CellAssign: it assumes that every cell is of one of the types of the lists and that every marker is right, so it is mostly "
    "close to 1, right or wrong"
)
RULE = (
    "CellAssign (Zhang et al. 2019) of scvi-tools on the counts of the marker genes; the label is the type with the highest "
    f"posterior probability; ambiguous: of {HALF:g} or less"
)


@dataclass(frozen=True)
class _Marked:
    """Counts of the marker genes of a block of cells, and the sums over all genes."""

    marks: NDArray[np.intp]

    def __call__(self, where: slice, block: Any) -> tuple[Any, NDArray[np.float64]]:
        cells = block if sparse.issparse(block) else np.asarray(block)
        return sparse.csr_matrix(cells[:, self.marks]), np.asarray(cells.sum(axis=1, dtype=np.float64)).ravel()


def assign_cells(
    adata: AnnData, lists: MarkerLists, request: LabelsRequest, matrix: MatrixRequest
) -> tuple[Scored, MarkerLabels]:
    """Posterior probabilities of the types in each cell; cells without a marker have equal ones."""
    need_scvi()
    found, transform = read.open_on_common_scale(adata, matrix)
    counts = read.open_counts(adata, found)
    if counts is None:
        raise MatrixError(
            "by='cellassign' needs the counts of adata, in the matrix that is used or in layers['counts'] for the same genes. "
            f"{found.alternatives}"
        )
    genes = matched(lists, found, min_genes=request.min_genes, gene_symbols=matrix.gene_symbols)
    notes = []
    if against := int((genes.weights < 0).any(axis=1).sum()):
        notes.append(
            f"{counted(against, 'gene')} that speak against a type were left out: CellAssign knows markers for a type only"
        )
    if len(np.unique(genes.weights[genes.weights > 0])) > 1:
        notes.append(
            "CellAssign knows no weights of markers and no numbers of sources: all markers of a type count alike"
        )
    marks = np.flatnonzero((genes.weights > 0).any(axis=1))
    markers = genes.weights[marks] > 0
    size = markers.size
    if size > LARGEST:
        raise InputError(
            f"by='cellassign' takes lists of at most {LARGEST:,} genes times types, and these have {len(marks):,} x "
            f"{markers.shape[1]:,}. Pass the lists of the types that you expect, raise min_support, or use by='zscore'."
        )
    if size > SLOW:
        logger.info(
            "CellAssign has %s genes and %s types for %s cells: a pass over them takes about %s as long as with 100 genes and 10 "
            "types, and hundreds of passes are made",
            *(f"{len(marks):,}", f"{markers.shape[1]:,}", f"{found.source.n_cells:,}", f"{size / 1000:.0f} times"),
        )
    parts = [part for _, part in each_block(_Marked(marks), [counts.source.X], progress="counts of the markers")]
    values = sparse.csr_matrix(sparse.vstack([part for part, _ in parts]))
    totals = read.total_counts(adata, matrix.total_counts_key, what="adata")
    if totals is None:
        totals = np.concatenate([part for _, part in parts])
    seen = np.asarray(values.sum(axis=1)).ravel() > 0
    if wrong := int((seen & (totals <= 0)).sum()):
        raise InputError(
            f"adata.obs[{matrix.total_counts_key!r}] (total_counts_key) is 0 for {counted(wrong, 'cell')} that have counts. Correct it."
        )
    if seen.sum() < 2 or np.ptp(np.asarray(values[seen].mean(axis=0))) == 0:
        raise InputError(
            "by='cellassign' compares cells, and "
            + (
                "fewer than two cells have"
                if seen.sum() < 2
                else "all marker genes have the same mean in the cells that have"
            )
            + " counts of a marker gene. Pass all cells of the data set, and longer lists."
        )
    proba = np.full((len(seen), markers.shape[1]), 1 / markers.shape[1], dtype=np.float32)
    proba[seen] = assign(values[seen], markers, totals[seen] / totals[seen].mean(), rng=request.rng)
    labels = MarkerLabels(
        proba, np.zeros(len(seen), dtype=np.bool_), ~seen, None, rule=RULE, note=NOTE, log=NOTE, notes=tuple(notes)
    )
    return Scored(proba.astype(np.float64), genes, found, transform, ~seen), labels
