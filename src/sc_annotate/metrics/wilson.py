"""The interval of a share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def wilson(hits: ArrayLike, n: ArrayLike, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's score interval of `hits` / `n` (Wilson 1927); 0 to 1 where `n` is 0."""
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, not {level}.")
    z2 = float(ndtri((1 + level) / 2)) ** 2
    m = np.asarray(n, dtype=np.float64)
    h = np.asarray(hits, dtype=np.float64)
    share = np.divide(h, m, out=np.full(m.shape, 0.5), where=m > 0)
    middle = (m * share + z2 / 2) / (m + z2)
    half = np.sqrt(z2 * (m * share * (1 - share) + z2 / 4)) / (m + z2)
    # With no hits, or only hits, the end is 0 or 1 up to rounding.
    low = np.where(h > 0, np.maximum(middle - half, 0), 0)
    high = np.where(h < m, np.minimum(middle + half, 1), 1)
    return low, high
