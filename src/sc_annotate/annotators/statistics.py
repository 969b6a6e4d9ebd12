"""What one pass over blocks of cells leaves: counts, sums, squares, and products of genes; and what follows from it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse

from sc_annotate._core.cells import as_matrix
from sc_annotate._core.settings import n_threads
from sc_annotate.annotators._moments import membership
from sc_annotate.annotators.checks import row_blocks
from sc_annotate.errors import GeneError, InputError, LabelError, MatrixError

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.annotators._base import Matrix

_VALUES = 4_000_000  # looked at together: 32 MB as float64
_LANES = 2  # products that are added up side by side


@dataclass(eq=False)
class Statistics:
    """Sums over cells, exact to rounding in float64 whatever the blocks and their order.

    Start with `empty`, then `update` with each block. Threads each update their own, to be merged: an update is not
    guarded. ``all_cells - fold`` are the statistics of the cells outside the fold.

    Parameters
    ----------
    n
        Cells of each class, shape (classes,), int64.
    sums
        Of each gene over the cells of each class, classes x genes, float64.
    nonzero
        Cells of each class in which a gene is not 0, classes x genes, int64. It keeps differences clean: a sum over no
        values is exactly 0.
    squares
        Sum of the square of each gene over all cells, shape (genes,), float64.
    negative
        Cells in which a gene is below 0, shape (genes,), int64.
    gram_genes
        Columns whose products are in `gram`, shape (s,); None where there is none.
    gram
        Sum over cells of the product of each two of these genes, s x s, float64.
    """

    n: NDArray[np.int64]
    sums: NDArray[np.float64]
    nonzero: NDArray[np.int64]
    squares: NDArray[np.float64]
    negative: NDArray[np.int64]
    gram_genes: NDArray[np.intp] | None = None
    gram: NDArray[np.float64] | None = None

    @classmethod
    def empty(cls, n_classes: int, n_genes: int, *, gram: bool | ArrayLike = False) -> Self:
        """Of no cells; `gram` are the columns that get a Gram matrix, or True for all."""
        shape = (n_classes, n_genes)
        columns: NDArray[np.intp] | None = None
        if gram is not False:
            columns = np.arange(n_genes) if gram is True else np.asarray(gram, dtype=np.intp)
            if columns.ndim != 1 or (columns.size and not 0 <= columns.min() <= columns.max() < n_genes):
                raise GeneError(f"gram must list columns between 0 and {n_genes - 1}, each a whole number.")
        return cls(
            n=np.zeros(n_classes, np.int64),
            sums=np.zeros(shape),
            nonzero=np.zeros(shape, np.int64),
            squares=np.zeros(n_genes),
            negative=np.zeros(n_genes, np.int64),
            gram_genes=columns,
            gram=None if columns is None else np.zeros((columns.size, columns.size)),
        )

    @classmethod
    def of(cls, X: Matrix, codes: ArrayLike, n_classes: int, *, gram: bool | ArrayLike = False) -> Self:
        """Of a matrix in memory."""
        return cls.empty(n_classes, X.shape[1], gram=gram).update(X, codes)

    def update(self, X: Matrix, codes: ArrayLike) -> Self:
        """Add a block of cells.

        Parameters
        ----------
        X
            Cells x genes, CSR or dense, read as float32; not modified. Beside it, and beside four more Gram matrices,
            this takes less than 200 MB.
        codes
            Class of each cell, shape (cells,), whole numbers from 0.
        """
        matrix: Any = as_matrix(X)
        classes = self._checked(matrix, codes)
        n_cells = len(classes)
        stored = matrix.nnz if issparse(matrix) else matrix.size
        for rows in row_blocks(n_cells, max(1, _VALUES * n_cells // max(1, stored))):
            self._add(matrix[rows], classes[rows])
        self.n += np.bincount(classes, minlength=len(self.n))
        if self.gram is not None and self.gram_genes is not None and self.gram_genes.size:
            complete = np.array_equal(self.gram_genes, np.arange(matrix.shape[1]))
            self.gram += _products(matrix if complete else matrix[:, self.gram_genes])
        return self

    def merge(self, other: Statistics) -> Self:
        """Add the statistics of other cells to these."""
        self._check_alike(other)
        for name in self._arrays():
            getattr(self, name).__iadd__(getattr(other, name))
        return self

    def __add__(self, other: Statistics) -> Self:
        return replace(self, **{name: getattr(self, name).copy() for name in self._arrays()}).merge(other)

    def __sub__(self, other: Statistics) -> Self:
        self._check_alike(other)
        rest = {name: getattr(self, name) - getattr(other, name) for name in self._arrays()}
        if any((rest[name] < 0).any() for name in ("n", "nonzero", "negative")):
            raise InputError("statistics can only be subtracted from those of cells that include theirs.")
        # What differences leave of nothing is rounding; some methods ask whether a gene is expressed at all.
        rest["sums"][rest["nonzero"] == 0] = 0.0
        silent = rest["nonzero"].sum(axis=0) == 0
        rest["squares"][silent] = 0.0
        if self.gram_genes is not None:
            rest["gram"][silent[self.gram_genes]] = 0.0
            rest["gram"][:, silent[self.gram_genes]] = 0.0
        return replace(self, **rest)

    def select(self, genes: ArrayLike) -> Self:
        """Of the columns `genes` alone; the Gram matrix stays where it has all of them, and is for all of them."""
        columns = np.asarray(genes, dtype=np.intp)
        parts = {name: getattr(self, name)[..., columns] for name in ("sums", "nonzero", "squares", "negative")}
        place, gram = None, None
        if self.gram is not None and self.gram_genes is not None and np.isin(columns, self.gram_genes).all():
            where = np.full(len(self.squares), -1)
            where[self.gram_genes] = np.arange(len(self.gram))
            place, gram = np.arange(len(columns)), self.gram[np.ix_(where[columns], where[columns])]
        return replace(self, **parts, n=self.n.copy(), gram_genes=place, gram=gram)

    def _arrays(self) -> list[str]:
        names = (field.name for field in fields(self))
        return [name for name in names if name != "gram_genes" and getattr(self, name) is not None]

    def _add(self, block: Any, codes: NDArray[np.intp]) -> None:
        n_classes, n_genes = self.sums.shape
        if not issparse(block):
            member = membership(codes, n_classes)
            self.sums += member @ block
            self.nonzero += np.rint(member @ (block != 0)).astype(np.int64)
            self.squares += np.square(block, dtype=np.float64).sum(axis=0)
            self.negative += (block < 0).sum(axis=0)
            return
        # Faster than a product with the membership, and it goes through the cells in order: columns that are alike
        # have sums that are alike to the last bit.
        cell_class = np.repeat(codes * n_genes, np.diff(block.indptr))
        place = cell_class + block.indices
        values = block.data.astype(np.float64)
        self.sums += np.bincount(place, values, n_classes * n_genes).reshape(self.sums.shape)
        self.nonzero += np.bincount(place[values != 0], minlength=n_classes * n_genes).reshape(self.sums.shape)
        self.squares += np.bincount(block.indices, np.square(values), n_genes)
        self.negative += np.bincount(block.indices[values < 0], minlength=n_genes)

    def _checked(self, matrix: Any, codes: ArrayLike) -> NDArray[np.intp]:
        n_classes, n_genes = self.sums.shape
        classes = np.asarray(codes)
        if matrix.shape[1] != n_genes:
            raise GeneError(f"the block has {matrix.shape[1]} columns and the statistics are of {n_genes} genes.")
        if classes.shape != matrix.shape[:1]:
            raise LabelError(f"codes has shape {classes.shape} and the block has {matrix.shape[0]} cells.")
        if classes.size == 0:
            return classes.astype(np.intp)
        if classes.dtype.kind not in "iu" or classes.min() < 0 or classes.max() >= n_classes:
            raise LabelError(f"codes must be whole numbers from 0 to {n_classes - 1}, one a cell.")
        return classes.astype(np.intp)

    def _check_alike(self, other: Statistics) -> None:
        if self.sums.shape != other.sums.shape:
            raise InputError(f"statistics of {self.sums.shape} and {other.sums.shape} classes x genes do not combine.")
        mine, others = self.gram_genes, other.gram_genes
        if not (mine is others if mine is None or others is None else np.array_equal(mine, others)):
            raise InputError("statistics with Gram matrices of different genes do not combine.")


def _products(matrix: Any) -> NDArray[np.float64]:
    """Products of all pairs of columns, summed over rows; two threads at most, with the same result as one."""
    size = matrix.shape[1]
    blocks = list(row_blocks(matrix.shape[0], max(1, _VALUES // size)))

    def lane(first: int) -> NDArray[np.float64]:
        total, product = np.zeros((size, size)), np.empty((size, size))
        for rows in blocks[first::_LANES]:
            # A product of float32 would take half the time and be good to seven digits of the largest terms only,
            # too few once the means have been taken off.
            block = matrix[rows].astype(np.float64)
            dense = block.toarray() if issparse(block) else block
            np.matmul(dense.T, dense, out=product)
            total += product
        return total

    with ThreadPoolExecutor(min(_LANES, n_threads())) as pool:
        # Which blocks are added up together does not depend on the number of threads.
        lanes = list(pool.map(lane, range(max(1, min(_LANES, len(blocks))))))
    for other in lanes[1:]:
        lanes[0] += other
    return lanes[0]


def ready(statistics: Statistics, classes: ArrayLike) -> tuple[Statistics, NDArray[np.str_]]:
    """The statistics and names of the classes that have cells; raises what `fit` raises where one cannot learn."""
    names = np.asarray(classes).astype(str)
    if names.shape != statistics.n.shape:
        raise LabelError(f"classes has shape {names.shape} and the statistics are of {len(statistics.n)} classes.")
    if len(statistics.squares) == 0:
        raise GeneError("the statistics are of no genes. Select at least one.")
    if not np.isfinite(statistics.squares).all():
        raise MatrixError("X has NaN or infinite values. Remove those cells or genes, or put numbers in their place.")
    seen = statistics.n > 0
    if seen.sum() < 2:
        found = f"only {str(names[seen][0])!r}" if seen.any() else "none"
        raise LabelError(f"y needs at least 2 different labels and has {found}.")
    if not seen.all():
        parts = {name: getattr(statistics, name)[seen] for name in ("n", "sums", "nonzero")}
        statistics, names = replace(statistics, **parts), names[seen]
    return statistics, names


def class_means(statistics: Statistics) -> NDArray[np.float64]:
    """Mean of each gene over the cells of each class, classes x genes; 0 for a class without cells."""
    return statistics.sums / np.maximum(statistics.n, 1)[:, None]


def mean_and_sd(statistics: Statistics) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and population standard deviation of each gene."""
    n = statistics.n.sum()
    mean = statistics.sums.sum(axis=0) / n
    return mean, _root(statistics.squares / n - mean**2, statistics.squares / n)


def typical_sd(statistics: Statistics) -> NDArray[np.float64]:
    """Spread of each gene within its class, at least a tenth of its overall spread (see `_moments.typical_sd`)."""
    n = statistics.n.sum()
    within = statistics.squares - statistics.n @ class_means(statistics) ** 2
    return np.maximum(_root(within / n, statistics.squares / n), 0.1 * mean_and_sd(statistics)[1])


def _root(variance: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    # What is left of a constant gene is rounding, and must not become a huge weight.
    return np.sqrt(np.where(variance < 1e-6 * second, 0.0, np.maximum(variance, 0.0)))
