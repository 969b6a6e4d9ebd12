"""How deep cells were sequenced: counts and genes on a log scale, and what is usual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.trust._mixing import as_counts

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array

# 1.4826 times the median absolute deviation is the standard deviation of a normal distribution. A spread below this
# (10 %) would make ordinary cells of very even data stand out.
_TO_SD, _LEAST_SD = 1.4826, 0.1


def log_depth(
    counts: csr_array, totals: ArrayLike | None, n_genes: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log of 1 + counts, and of 1 + detected genes, of each cell."""
    found = (
        np.asarray(counts.sum(axis=1)).ravel() if totals is None else np.asarray(totals, dtype=np.float64),
        np.bincount(counts.nonzero()[0], minlength=counts.shape[0])
        if n_genes is None
        else np.asarray(n_genes, dtype=np.float64),
    )
    for name, value in zip(("totals", "n_genes"), found, strict=True):
        if value.shape != (counts.shape[0],) or not np.isfinite(value).all() or (value < 0).any():
            raise InputError(f"{name} must have one number a cell of counts, finite and 0 or more.")
    return np.log1p(found[0]), np.log1p(found[1])


def depth(counts: Any, *, totals: ArrayLike | None = None, n_genes: ArrayLike | None = None) -> NDArray[np.float64]:
    """Median and spread (MAD times 1.4826, at least 0.1) of log counts, then of log genes: what `quality` compares with.

    For data that comes in blocks: made once of all cells' `totals` and `n_genes`, and given to each call.
    """
    out = []
    for values in log_depth(as_counts(counts), totals, n_genes):
        if values.size == 0:
            raise InputError("counts has no cells, so nothing is typical. Hand in some.")
        middle = np.median(values)
        out += [middle, max(_TO_SD * np.median(np.abs(values - middle)), _LEAST_SD)]
    return np.array(out, dtype=np.float64)
