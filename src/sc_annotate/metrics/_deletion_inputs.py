"""Which genes are deleted from which cells, checked and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, issparse

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

_CELLS = 1024
"""Cells whose genes are numbered at a time, cells x genes."""


def as_cells(X: Any) -> csr_matrix:
    """A copy as CSR without zeros."""
    if not issparse(X):
        X = np.asarray(X)
    if X.ndim != 2:
        raise InputError(f"X must have two dimensions, cells x genes, not {X.ndim}.")
    matrix = csr_matrix(X, copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def check_steps(steps: Sequence[int]) -> NDArray[np.int64]:
    """Ascending numbers of genes."""
    at = np.asarray(steps)
    if at.ndim != 1 or at.size == 0 or at.dtype.kind not in "iu" or at[0] < 1 or (np.diff(at) <= 0).any():
        raise InputError(f"steps must be ascending numbers of genes from 1 on, not {steps!r}.")
    return at.astype(np.int64)


def check_ranking(ranked: ArrayLike, n: int, p: int, most: int) -> NDArray[np.intp]:
    """Column numbers, cells x ranks."""
    order = np.asarray(ranked)
    if order.dtype.kind not in "iu" or order.ndim not in (1, 2) or (order.ndim == 2 and len(order) != n):
        raise InputError(
            f"ranked must hold column numbers of genes, of shape (m,) or ({n}, m), not {order.dtype} of shape {order.shape}."
        )
    if order.size and not (order.min() >= -1 and order.max() < p):
        raise InputError(
            f"ranked holds column numbers from {order.min()} to {order.max()}, and X has {p} genes; -1 is none."
        )
    if most > order.shape[-1]:
        raise InputError(f"ranked has {order.shape[-1]} genes a cell, and steps go up to {most}. Give smaller steps.")
    return np.broadcast_to(order.astype(np.intp), (n, order.shape[-1]))


def places(matrix: csr_matrix, order: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each value of `matrix`, the place of its gene in the ranking of its cell; beyond the last where it has none."""
    n, p = matrix.shape
    m = order.shape[1]
    out = np.full(matrix.nnz, m, dtype=np.intp)
    for start in range(0, n, _CELLS):
        rows = np.arange(start, min(start + _CELLS, n))
        rank = np.full((len(rows), p + 1), m, dtype=np.intp)
        # Backwards, so that of a gene that is named twice the first place counts; -1 is the last column.
        for j in reversed(range(m)):
            rank[np.arange(len(rows)), order[rows, j]] = j
        low, high = matrix.indptr[start], matrix.indptr[rows[-1] + 1]
        row = np.repeat(np.arange(len(rows)), np.diff(matrix.indptr[start : rows[-1] + 2]))
        out[low:high] = rank[row, matrix.indices[low:high]]
    return out
