"""How far out in the tail of a reference a value lies, also where no reference value lies any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KNOTS = 65
# Cells beyond the last knot, from whose mean excess the tail goes on.
_BEYOND, _SHARE = 10, 0.05


def fit_tail(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Knots (values, then minus log of the share of reference values at or above), and how fast it goes on after them.

    Within the reference these are quantiles. Beyond, the tail is taken as exponential, with the mean excess over the
    last knot: otherwise all cells that are farther than any reference cell would be alike.
    """
    n = values.size
    last = -np.log(min(0.5, max(_SHARE, _BEYOND / n)))
    unlikely = np.linspace(0, last, _KNOTS)
    knots = np.quantile(values, 1 - np.exp(-unlikely))
    excess = values[values > knots[-1]] - knots[-1]
    slope = 1 / excess.mean() if excess.size and excess.mean() > 1e-12 * (1 + abs(knots[-1])) else 0.0
    return np.concatenate([knots, unlikely, [slope]])


def tail(values: NDArray[np.float64], fitted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus the natural log of the share of reference values at or above: 0 for the most typical, 3 for 1 in 20."""
    knots, unlikely, slope = fitted[:_KNOTS], fitted[_KNOTS : 2 * _KNOTS], fitted[-1]
    # Of equal knots only the first may count, so that a value that many reference cells have is a usual one.
    first = np.append(True, np.diff(knots) > 0)
    inside = np.interp(values, knots[first], unlikely[first])
    return inside + slope * np.maximum(values - knots[-1], 0)


TAIL_SIZE = 2 * _KNOTS + 1
