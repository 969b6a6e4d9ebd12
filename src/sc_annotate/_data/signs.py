"""Signs of the scale of a cell's values: its largest one, its total, and whether values are multiples of one step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse


Kind = Literal["counts", "log1p", "linear", "mixed", "scaled", "negative", "zero", "embedding"]
Base = Literal["e", "2", "10"]
Scale = Base | Literal["linear"]
# Whole numbers stay whole multiples when a logarithm of base 2 is undone that was never taken, so linear is first.
SCALES: tuple[Scale, ...] = ("linear", "e", "2", "10")
Detected = tuple[Kind, Base | None, str, float | None]

# ln(1 + 1e6) is 13.8: a natural logarithm above this would mean more than a million per million.
MAX_NATURAL = 14.0
# log2(1 + 1e6) is 20: nothing above this is a logarithm of an expression value.
MAX_LOG = 24.0
# A gene with a ten thousandth of the molecules has log1p(1), 0.7, so where nothing is above this nothing was logged.
LEAST_MAXIMUM = 0.5
# Standard deviations of fewer cells are too uncertain to recognise.
FEW_CELLS = 20
BASES: dict[Base, float] = {"e": math.e, "2": 2.0, "10": 10.0}


def largest_of_cells(sample: sparse.csr_matrix) -> NDArray[np.float64]:
    """The largest value of each cell; 0 for one without any."""
    out = np.zeros(sample.shape[0])
    filled = np.flatnonzero(np.diff(sample.indptr))
    if filled.size:
        out[filled] = np.maximum.reduceat(sample.data, sample.indptr[filled])
    return out


def _unlog(values: NDArray[np.float64], base: Scale) -> NDArray[np.float64]:
    if base == "linear":
        return values
    return np.expm1(np.minimum(values, 60.0) * np.log(BASES[base]))


def totals_of_cells(sample: sparse.csr_matrix, base: Scale) -> NDArray[np.float64]:
    """Sum of each cell, the logarithm undone."""
    row = np.repeat(np.arange(sample.shape[0]), np.diff(sample.indptr))
    return np.bincount(row, _unlog(sample.data, base), minlength=sample.shape[0]).astype(np.float64, copy=False)


def ladder_of_cells(sample: sparse.csr_matrix, base: Scale) -> NDArray[np.float64]:
    """For each cell the share of its values that are whole multiples of its smallest one, the logarithm undone.

    One molecule gives a cell its smallest value, so that unlogged values over it are molecule numbers. This
    shows the base even where only some genes are there and totals are not informative. Of cells with too few values
    nothing is learned: NaN.
    """
    n = np.diff(sample.indptr)
    out = np.full(n.size, np.nan)
    used = np.flatnonzero(n >= 10)
    if not used.size:
        return out
    unlogged = _unlog(sample.data[np.repeat(n >= 10, n)], base)
    n = n[used]
    cell = np.repeat(np.arange(n.size), n)
    steps = unlogged / np.minimum.reduceat(unlogged, np.cumsum(n) - n)[cell]
    within = (steps > 1.5) & (steps < 20)
    whole = within & (np.abs(steps - np.rint(steps)) < 0.01)
    of, hits = np.bincount(cell[within], minlength=n.size), np.bincount(cell[whole], minlength=n.size)
    out[used[of >= 5]] = hits[of >= 5] / of[of >= 5]
    return out
