"""Cells with fewer molecules, made from cells with more: what a shallow query would show of the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["molecules", "thin"]

TARGET_SUM = 10_000.0
_WHOLE, _SHARE = 0.02, 0.98


@public
def thin(
    counts: Any, totals: ArrayLike, to: ArrayLike, *, rng: np.random.Generator | int = 0
) -> tuple[sparse.csr_matrix, NDArray[np.float64]]:
    """Binomial thinning: each molecule is kept with the probability ``to / totals`` of its cell.

    Parameters
    ----------
    counts
        Cells x genes, whole numbers, CSR or dense; some or all genes of the cells.
    totals
        Molecules of each cell over all its genes, shape (n,), no smaller than the sums of `counts`.
    to
        Expected molecules of each cell over all its genes after thinning; cells that have fewer stay as they are.
    rng
        Seed or generator.

    Returns
    -------
    The thinned counts (float32), and the thinned totals, those of the genes that are not in `counts` included.

    Raises
    ------
    sc_annotate.errors.InputError
        Counts that are not whole or below 0, or totals that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import thin
    >>> cells, totals = thin(np.full((2, 50), 40), [4000, 4000], 200)
    >>> cells.shape, bool((totals < 300).all())
    ((2, 50), True)
    """
    random = np.random.default_rng(rng)
    matrix = sparse.csr_matrix(counts)
    whole = np.rint(matrix.data).astype(np.int64)
    if whole.size and (np.abs(matrix.data - whole).max() > 1e-3 or whole.min() < 0):
        raise InputError("counts must be whole numbers of 0 or more. Hand in molecules, not normalised values.")
    all_of = np.asarray(totals, dtype=np.float64)
    shown = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    if all_of.shape != shown.shape or (all_of < shown - 0.5).any():
        raise InputError("totals must be one number for each cell, no smaller than the sum of its counts.")
    share = np.minimum(1.0, np.divide(to, all_of, out=np.ones_like(all_of), where=all_of > 0))
    kept = random.binomial(whole, np.repeat(share, np.diff(matrix.indptr))).astype(np.float32)
    out = sparse.csr_matrix((kept, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)
    out.eliminate_zeros()
    rest = random.binomial(np.rint(np.maximum(all_of - shown, 0)).astype(np.int64), share)
    return out, np.asarray(out.sum(axis=1), dtype=np.float64).ravel() + rest


def molecules(X: Any) -> tuple[sparse.csr_matrix, NDArray[np.float64]] | None:
    """Counts, and molecules of each cell over all its genes, from ``log1p`` of counts per 10,000; None where these were none.

    The smallest value of a cell is one molecule, as nearly every cell has genes with a single one; where that is so, all
    values are whole multiples of it.
    """
    matrix = sparse.csr_matrix(X, dtype=np.float64, copy=True)
    matrix.eliminate_zeros()
    if matrix.nnz == 0 or matrix.data.min() < 0:
        return None
    n = np.diff(matrix.indptr)
    matrix.data = np.expm1(matrix.data)
    one = np.ones(matrix.shape[0])
    filled = n > 0
    one[filled] = np.minimum.reduceat(matrix.data, matrix.indptr[:-1][filled])
    if not one.min() > 0:
        return None
    matrix.data /= np.repeat(one, n)
    whole = np.rint(matrix.data)
    if (np.abs(matrix.data - whole) <= _WHOLE * whole).mean() < _SHARE:
        return None
    # Rounded float32 logarithms give the smallest value a little less exactly than the mean of all.
    matrix.data = whole
    totals = np.where(filled, TARGET_SUM / one, 0.0)
    shown = np.asarray(matrix.sum(axis=1)).ravel()
    return matrix, np.maximum(np.rint(totals), shown)


def log_scale(counts: sparse.csr_matrix, totals: NDArray[np.float64]) -> sparse.csr_matrix:
    """``log1p`` of counts per 10,000, float32, the totals being those over all genes."""
    factor = np.divide(TARGET_SUM, totals, out=np.zeros_like(totals), where=totals > 0)
    out = counts.astype(np.float32)
    out.data = np.log1p(out.data * np.repeat(factor, np.diff(out.indptr)).astype(np.float32))
    return out


def detected(X: Any) -> NDArray[np.float64]:
    """Genes with a value other than 0 in each cell."""
    if sparse.issparse(X):
        if bool(X.data.all()):
            return np.asarray(np.diff(X.tocsr().indptr), dtype=np.float64)
        return np.asarray((X != 0).sum(axis=1), dtype=np.float64).ravel()
    return np.asarray(np.count_nonzero(X, axis=1), dtype=np.float64)
