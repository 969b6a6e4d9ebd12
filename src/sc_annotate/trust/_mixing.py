"""Likelihood of a cell's counts under one type's profile, two types' mixed, and the mean of all cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, issparse

from sc_annotate._core.arrays import as_csr_array
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Molecules of the mean profile that each type's profile starts from, so that no gene has probability 0.
_PRIOR = 200.0
# Shares of the first type in a doublet: its two cells need not be of one size.
_SHARES = (0.3, 0.5, 0.7)
# Partners that are tried for each type: with many types, those that stand for the others.
_PARTNERS = 16
# Types whose partners are looked for at a time.
_TYPES = 256


def as_counts(counts: Any, n_genes: int | None = None) -> csr_array:
    """Counts as CSR float32, checked: two dimensions, finite, none below 0."""
    matrix: Any = as_csr_array(counts) if issparse(counts) else np.asarray(counts)
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiub":
        raise InputError(f"counts must be numbers, cells x genes, not {matrix.dtype} of shape {matrix.shape}.")
    if n_genes is not None and matrix.shape[1] != n_genes:
        raise InputError(
            f"counts has {matrix.shape[1]} genes, but the profiles were learned on {n_genes}. "
            "Hand in the same genes in the same order."
        )
    matrix = as_csr_array(matrix).astype(np.float32, copy=False)
    if not matrix.has_canonical_format:
        # What is stored in two pieces is one gene.
        matrix = matrix.copy()
        matrix.sum_duplicates()
    if not np.isfinite(matrix.data).all() or (matrix.size and matrix.data.min() < 0):
        raise InputError("counts has negative, NaN or infinite values. Hand in the counts, neither scaled nor centred.")
    return matrix


def profiles(counts: csr_array, codes: NDArray[np.intp], k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of the genes in the molecules of each of `k` types (types x genes), and in those of all cells (genes)."""
    n = codes.size
    sums = np.asarray((csr_array((np.ones(n), (codes, np.arange(n))), shape=(k, n)) @ counts).todense())
    total = sums.sum(axis=0) + 1 / sums.shape[1]
    mean = total / total.sum()
    return (sums + _PRIOR * mean) / (sums.sum(axis=1, keepdims=True) + _PRIOR), mean


def partners(types: NDArray[np.float64], codes: NDArray[np.intp], most: int = _PARTNERS) -> NDArray[np.intp]:
    """The other types of each of `codes`, a row each.

    Of many types, `most` that are far from it and from one another, so that each type has one near.
    """
    k = len(types)
    if k - 1 <= most:
        return np.array([np.delete(np.arange(k), code) for code in codes], dtype=np.intp).reshape(codes.size, k - 1)
    roots = np.sqrt(types)
    # The squared distance of two types is the sum of the squares of both, less twice their product.
    distances = roots @ roots.T
    squares = np.diagonal(distances).copy()
    distances *= -2
    distances += squares
    distances += squares[:, None]
    chosen = np.empty((codes.size, most), dtype=np.intp)
    for start in range(0, codes.size, _TYPES):
        here = slice(start, start + _TYPES)
        nearest = distances[codes[here]]
        for i in range(most):
            chosen[here, i] = nearest.argmax(axis=1)
            np.minimum(nearest, distances[chosen[here, i]], out=nearest)
    return chosen


def mixing(
    counts: csr_array, types: NDArray[np.float64], mean: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much better than the best single type two types explain each cell, and the mean of all cells does.

    The first is the gain in log-likelihood by the best partner and share, over the square root of the number of
    molecules: it grows with depth in singlets too, as no cell follows its type's profile exactly. The second, a
    molecule, is above 0 where the mean profile fits better than any type. A cell without molecules has 0 in both.
    """
    n = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    # All likelihoods are taken beside that of the mean profile: differences are small numbers, good for float32.
    single = counts @ _beside(types, mean)
    best = single.argmax(axis=1)
    top = single[np.arange(n.size), best].astype(np.float64)
    gain = np.zeros(n.size)
    found = np.unique(best) if len(types) > 1 else best[:0]
    by_type = np.argsort(best, kind="stable")
    starts = np.searchsorted(best[by_type], np.append(found, len(types)))
    for i, (code, tried) in enumerate(zip(found, partners(types, found), strict=True)):
        rows, others = by_type[starts[i] : starts[i + 1]], types[tried]
        pairs = np.concatenate([w * types[code] + (1 - w) * others for w in _SHARES])
        gain[rows] = (counts[rows] @ _beside(pairs, mean)).max(axis=1) - top[rows]
    some = np.maximum(n, 1)
    # A mixture with too much of the wrong type fits worse than none: that is no evidence, not evidence against.
    return np.maximum(gain, 0) / np.sqrt(some), -top / some


def _beside(profiles: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float32]:
    """Log-likelihood ratios a molecule, genes x profiles."""
    return np.ascontiguousarray(np.log(profiles / mean).T, dtype=np.float32)
