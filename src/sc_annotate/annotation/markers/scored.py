"""Score lists of marker genes on the cells, or the groups of cells, of an AnnData."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._data import read
from sc_annotate._data.group_sums import group_sums
from sc_annotate._data.stream import each_block
from sc_annotate.annotation.markers.matched import Matched, matched
from sc_annotate.annotators.marker_scores import load_decoupler, marker_scores, standardise
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._data.read import Input
    from sc_annotate._data.transform import Transform
    from sc_annotate._vocabulary.marker_lists.lists import MarkerLists
    from sc_annotate.annotation.cell_groups import Groups
    from sc_annotate.annotation.markers.markers_request import MarkersRequest
    from sc_annotate.annotators.marker_scores import Score

_ENTRIES = 4_000_000
"""Numbers of a dense block: the scores need every gene of each cell."""


@dataclass(frozen=True)
class Scored:
    """Scores of each row (cell or group) on each list that has genes here."""

    scores: NDArray[np.float64]
    matched: Matched
    found: Input
    transform: Transform
    silent: NDArray[np.bool_]
    """Cells without a value in any marker gene."""


@dataclass(frozen=True)
class _ScoreBlock:
    """Scores of a block of cells, and which have no value in any marker gene."""

    transform: Transform
    keep: NDArray[np.intp]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    weights: NDArray[np.float64]
    by: Score | None
    """None: scores are not of cells, and only cells without a marker are looked for."""

    def __call__(self, where: slice, block: Any) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_]]:
        cells = self.transform(block, where)[:, self.keep]
        marks = np.flatnonzero(self.weights.any(axis=1))
        silent = np.asarray(abs(cells[:, marks]).sum(axis=1)).ravel() == 0
        if self.by is None:
            return None, silent
        return marker_scores(standardise(cells, self.mean, self.sd), self.weights, self.by), silent


@dataclass(frozen=True)
class _SilentBlock:
    """Which cells of a block have no value in any of these genes."""

    transform: Transform
    marks: NDArray[np.intp]

    def __call__(self, where: slice, block: Any) -> NDArray[np.bool_]:
        return np.asarray(abs(self.transform(block, where)[:, self.marks]).sum(axis=1)).ravel() == 0


def silent_cells(found: Input, transform: Transform, weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Cells without a value in any marker gene."""
    block = _SilentBlock(transform, np.flatnonzero(weights.any(axis=1)))
    return np.concatenate([part for _, part in each_block(block, [found.source.X], progress="looking at the cells")])


def score_cells(
    adata: AnnData,
    lists: MarkerLists,
    request: MarkersRequest,
    matrix: MatrixRequest,
    groups: Groups | None = None,
) -> Scored:
    """Scores of each cell or, with `groups`, of the mean of each group.

    A gene counts by its distance from its mean over all cells, so that genes which every cell expresses have no effect.
    """
    load_decoupler()
    found, plan = read.open_on_common_scale(adata, matrix)
    genes = matched(lists, found, min_genes=request.min_genes, gene_symbols=matrix.gene_symbols)
    X, n = found.source.X, found.source.n_cells
    code, n_groups = (np.zeros(n, dtype=np.int32), 1) if groups is None else (groups.code, len(groups.names))
    sums = group_sums(X, plan, code, n_groups, progress="means of the genes")
    mean, square = sums.sums.sum(axis=0) / n, sums.squares.sum(axis=0) / n
    variance = square - mean**2
    # What rounding (squares of sparse values have seven digits) leaves of a gene with one value in all cells is none.
    sd = np.sqrt(np.where(variance > 1e-6 * square, variance, 0))
    # A gene without any value is not part of the background either.
    keep = np.flatnonzero((sd > 0) | genes.weights.any(axis=1)).astype(np.intp)
    if not (sd > 0).any():
        raise InputError(
            "every cell of adata has the same values, and markers are compared between cells: no cell can be labelled. "
            "Pass all cells of the data set."
        )
    weights = genes.weights[keep]
    score = _ScoreBlock(plan, keep, mean[keep], sd[keep], weights, request.by if groups is None else None)
    silent = np.zeros(n, dtype=bool)
    scores = np.empty((n, weights.shape[1]))
    size = int(np.clip(_ENTRIES // max(1, len(keep)), 64, 4096))
    # decoupler's compiled code brings its own threads.
    for where, (part, none) in each_block(score, [X], progress="scoring markers", size=size, parallel=False):
        silent[where] = none
        if part is not None:
            scores[where] = part
    if groups is not None:
        means = sums.sums[:, keep] / np.maximum(sums.n, 1)[:, None]
        scores = marker_scores(standardise(means, mean[keep], sd[keep]), weights, request.by)
    else:
        scores[silent] = 0
    return Scored(scores, genes, found, plan, silent)
