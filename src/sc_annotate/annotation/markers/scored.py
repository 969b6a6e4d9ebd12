"""Score lists of marker genes on the cells, or the groups of cells, of an AnnData."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._data import read
from sc_annotate._data.group_sums import group_sums
from sc_annotate._data.request import MatrixRequest
from sc_annotate._data.stream import each_block
from sc_annotate.annotation.markers.matched import Matched, matched
from sc_annotate.annotators.marker_scores import Score, load_decoupler, marker_scores, standardise
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.read import Input
    from sc_annotate._data.transform import Stated, Transform
    from sc_annotate._vocabulary.marker_lists.lists import MarkerLists

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
class _Ask:
    """Scores of a block of cells, and which have no value in any marker gene."""

    transform: Transform
    keep: NDArray[np.intp]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    weights: NDArray[np.float64]
    score: Score | None

    def __call__(self, where: slice, block: Any) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_]]:
        cells = self.transform(block, where)[:, self.keep]
        marks = np.flatnonzero(self.weights.any(axis=1))
        silent = np.asarray(abs(cells[:, marks]).sum(axis=1)).ravel() == 0
        if self.score is None:
            return None, silent
        return marker_scores(standardise(cells, self.mean, self.sd), self.weights, self.score), silent


def score_cells(
    adata: AnnData,
    lists: MarkerLists,
    *,
    group: NDArray[np.int32] | None,
    n_groups: int,
    score: Score,
    min_genes: int,
    layer: str | None,
    use_raw: bool | None,
    gene_symbols: str | None,
    total_counts_key: str | None,
    values: Stated | None,
) -> Scored:
    """Scores of each cell or, where a `group` of each is given, of the mean of each group.

    A gene counts by how far it lies from its mean over all cells, so that what every cell expresses says nothing.
    """
    load_decoupler()
    matrix = MatrixRequest(
        layer=layer, use_raw=use_raw, gene_symbols=gene_symbols, total_counts_key=total_counts_key, values=values
    )
    found, plan = read.open_on_common_scale(adata, matrix)
    genes = matched(lists, found, min_genes=min_genes)
    X, n = found.source.X, found.source.n_cells
    one = np.zeros(n, dtype=np.int32) if group is None else group
    sums = group_sums(X, plan, one, n_groups if group is not None else 1, progress="means of the genes")
    mean, square = sums.sums.sum(axis=0) / n, sums.squares.sum(axis=0) / n
    variance = square - mean**2
    # What rounding (squares of sparse values have seven digits) leaves of a gene with one value in all cells is none.
    sd = np.sqrt(np.where(variance > 1e-6 * square, variance, 0))
    # A gene without any value is no background either.
    keep = np.flatnonzero((sd > 0) | genes.weights.any(axis=1)).astype(np.intp)
    if not (sd > 0).any():
        raise InputError(
            "every cell of adata has the same values, and markers are compared between cells: nothing can be named. "
            "Pass all cells of the data set."
        )
    weights = genes.weights[keep]
    ask = _Ask(plan, keep, mean[keep], sd[keep], weights, score if group is None else None)
    silent = np.zeros(n, dtype=bool)
    scores = np.empty((n, weights.shape[1]))
    size = int(np.clip(_ENTRIES // max(1, len(keep)), 64, 4096))
    # decoupler's compiled code brings its own threads.
    for where, (part, none) in each_block(ask, [X], progress="scoring markers", size=size, parallel=False):
        silent[where] = none
        if part is not None:
            scores[where] = part
    if group is not None:
        means = sums.sums[:, keep] / np.maximum(sums.n, 1)[:, None]
        scores = marker_scores(standardise(means, mean[keep], sd[keep]), weights, score)
    else:
        scores[silent] = 0
    return Scored(scores, genes, found, plan, silent)
