"""How far each gene tells types apart within batches: an F statistic, from sums that blocks of cells add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, issparse

from sc_annotate._core.cells import as_matrix
from sc_annotate.annotators._moments import membership
from sc_annotate.annotators.checks import MANY_TYPES, row_blocks
from sc_annotate.annotators.variable_genes import SMALLEST_BATCH
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

MOST_GROUPS = 2_000
"""Types times batches: with more, whose sums would take much memory, batches are left aside."""
_VALUES = 4_000_000  # looked at together: 32 MB as float64
_ROUNDING = 1e-6  # of a gene's sum of squares: what varies less does not, as in `_moments.mean_and_sd`


@dataclass(eq=False)
class TypeStatistics:
    """What `type_scores` needs of labelled cells, added up over blocks.

    Start with `empty`, then `update` with each block. Threads each update their own, to be merged.

    Parameters
    ----------
    n
        Cells of each type in each batch, types x batches, int64. One batch for all where there are too many groups.
    sums
        Of the values over the cells of each type in each batch, (types * batches) x genes, float64, sparse.
    squares
        Sum of the square of each gene over all cells, shape (genes,), float64.
    """

    n: NDArray[np.int64]
    sums: csr_array
    squares: NDArray[np.float64]

    @classmethod
    def empty(cls, n_types: int, n_batches: int, n_genes: int) -> Self:
        """Of no cells."""
        shape = (n_types, n_batches if n_types * n_batches <= MOST_GROUPS else 1)
        return cls(np.zeros(shape, np.int64), csr_array((shape[0] * shape[1], n_genes)), np.zeros(n_genes))

    @classmethod
    def of(cls, X: Any, y: ArrayLike, batch: ArrayLike | None = None) -> Self | None:
        """Of a matrix in memory, with a label and, if known, a batch for each cell; None of too many types (`too_many`)."""
        types, codes = np.unique(np.asarray(y), return_inverse=True)
        if too_many(len(types)):
            return None
        batches, batch_codes = np.unique(np.zeros(len(codes)) if batch is None else batch, return_inverse=True)
        return cls.empty(len(types), len(batches), X.shape[1]).update(X, codes, batch_codes)

    def update(self, X: Any, codes: NDArray[np.intp], batch_codes: NDArray[np.intp]) -> Self:
        """Add a block of cells.

        Parameters
        ----------
        X
            Cells x genes, log values, sparse or dense; not modified.
        codes, batch_codes
            Type and batch of each cell, numbered from 0.
        """
        if X.shape != (len(codes), len(self.squares)) or len(batch_codes) != len(codes):
            raise InputError(f"a block of {X.shape}, {len(codes)} types and {len(batch_codes)} batches do not fit.")
        matrix: Any = as_matrix(X)
        n_batches = self.n.shape[1]
        groups = codes * n_batches + (batch_codes if n_batches > 1 else 0)
        self.n += np.bincount(groups, minlength=self.n.size).reshape(self.n.shape)
        stored = matrix.nnz if issparse(matrix) else matrix.size
        for rows in row_blocks(len(codes), max(1, _VALUES * len(codes) // max(1, stored))):
            block = matrix[rows]
            if issparse(block):
                self.squares += np.bincount(block.indices, np.square(block.data, dtype=np.float64), len(self.squares))
            else:
                self.squares += np.square(block, dtype=np.float64).sum(axis=0)
            self.sums = self.sums + csr_array(membership(groups[rows], self.n.size) @ block)
        return self

    def merge(self, other: TypeStatistics) -> Self:
        """Add the statistics of other cells to these."""
        if self.n.shape != other.n.shape or self.squares.shape != other.squares.shape:
            raise InputError(f"statistics of {self.sums.shape} and {other.sums.shape} groups x genes do not combine.")
        self.n += other.n
        self.sums = self.sums + other.sums
        self.squares += other.squares
        return self


def too_many(n_types: int) -> bool:
    """Whether there are so many types that genes are not chosen by them."""
    return n_types > MANY_TYPES


def type_scores(statistics: TypeStatistics) -> NDArray[np.float32] | None:
    """The F statistic of the types within batches, for each gene; 0 for a constant gene.

    The squares between and within the types of each batch are added up over batches, so that what differs between batches
    counts for nothing. Batches are left aside where one has fewer than 10 cells, or where a type shares no batch with another
    one, as of sorted cells. Genes that do not vary within types come first, the clearest ones before the others. None where
    nothing can be said: of one type, or of types of one cell each. With one batch this is what
    ``sklearn.feature_selection.f_classif`` computes.

    In float32, so that genes which are equally good, such as those of a single cell, stay equal whatever the order in which
    their values were added up.
    """
    n, sums = statistics.n.astype(np.float64), statistics.sums
    n_types, n_batches = n.shape
    cells = n.sum(axis=0)
    smallest = np.where(cells > 0, cells, np.inf).min()
    several = (n > 0).sum(axis=0) > 1
    linked = (n[n.sum(axis=1) > 0][:, several] > 0).any(axis=1).all()
    if n_batches > 1 and not (linked and smallest >= SMALLEST_BATCH):
        sums = membership(np.repeat(np.arange(n_types), n_batches), n_types) @ sums
        n = n.sum(axis=1, keepdims=True)
    n_batches = n.shape[1]
    of_batches = membership(np.tile(np.arange(n_batches), n_types), n_batches) @ sums
    degrees = int((n > 0).sum() - (n.sum(axis=0) > 0).sum())
    rest = int(n.sum() - (n > 0).sum())
    if degrees < 1 or rest < 1:
        return None
    with np.errstate(
        invalid="ignore", over="ignore"
    ):  # of values that are not finite, which the method refuses by name
        groups = _squares(sums, n.ravel())
        between = np.maximum(groups - _squares(of_batches, n.sum(axis=0)), 0.0)
        within = np.maximum(statistics.squares - groups, 0.0)
        # What is left of a constant gene, or of one that does not vary within types, is rounding.
        least = _ROUNDING * statistics.squares
        ratio = np.zeros_like(between)
        np.divide(between / degrees, np.maximum(within, least) / rest, out=ratio, where=between + within > least)
        return ratio.astype(np.float32)


def _squares(sums: csr_array, n: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each gene, the squared sums of groups, each over its number of cells, added up."""
    share = np.divide(1.0, n, out=np.zeros_like(n), where=n > 0)
    return np.asarray(csr_array(sums).power(2).T @ share)
