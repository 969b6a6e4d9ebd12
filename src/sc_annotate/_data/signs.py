"""What the values of a matrix may be, and the signs of it that each cell shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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


@dataclass(frozen=True)
class Signs:
    """What each of some cells shows of its scale.

    Number of values and the largest of them, whether all are whole; for each scale the total with a logarithm undone, and
    the share of values that are then multiples of the smallest one (NaN: too few to say).
    """

    n: NDArray[np.intp]
    largest: NDArray[np.float64]
    whole: NDArray[np.bool_]
    totals: dict[Scale, NDArray[np.float64]]
    steps: dict[Scale, NDArray[np.float64]]
