"""Confidence of the label, and cells in bins of about equal size along it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.metrics.encoding import encode

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def top_label(
    y: ArrayLike, proba: NDArray[np.floating], classes: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Probability of the most probable type of each cell (the first of equal ones), and whether it is the true one."""
    truth, true = encode(y, "y")
    names, position = encode(classes, "classes")
    call = proba.argmax(axis=1)
    confidence = np.take_along_axis(proba, call[:, None], axis=1)[:, 0].astype(np.float64)
    return confidence, truth[true] == names[position][call]


def equal_mass(confidence: NDArray[np.float64], n_bins: int) -> NDArray[np.intp]:
    """Bin of each cell, 0 to at most `n_bins` - 1, increasing with confidence.

    Bin j starts at the cell of rank ``j * n // n_bins``. Cells of equal confidence are in one bin, whatever their
    order, so that there may be fewer bins than asked for.
    """
    if isinstance(n_bins, bool) or not isinstance(n_bins, int | np.integer) or n_bins < 1:
        raise InputError(f"n_bins must be a whole number of 1 or more, not {n_bins!r}.")
    n = confidence.size
    starts = np.unique(np.sort(confidence)[np.arange(1, n_bins) * n // n_bins])
    bins = np.searchsorted(starts, confidence, side="right")
    # The first start may be the lowest value of all: then nothing is below it.
    return np.unique(bins, return_inverse=True)[1].astype(np.intp)
