"""Platt's sigmoid: from the margin of a class to its probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _sigmoid(margin: NDArray[np.float64], positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of ``sigmoid(slope * margin + offset)`` at the maximum likelihood of Platt's smoothed targets."""
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    spread = float(margin.std()) or 1.0
    z = margin / spread

    def loss(ab: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        score = ab[0] * z + ab[1]
        error = expit(score) - target
        value = np.logaddexp(0.0, score) - target * score
        return float(value.sum()), np.array([error @ z, error.sum()])

    start = np.array([1.0, np.log((n_positive + 1) / (n_negative + 1))])
    slope, offset = minimize(loss, start, jac=True, method="BFGS").x
    return float(slope) / spread, float(offset)


def platt(
    margins: NDArray[np.float64], codes: NDArray[np.intp], *, min_positive: int = 5
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope and offset of each class from margins on cells that the model has not seen.

    Parameters
    ----------
    margins
        Cells x classes; NaN where there is none.
    codes
        True class of each cell.
    min_positive
        A class with fewer own cells, or whose margin points the wrong way, takes the sigmoid of all classes pooled.
    """
    n_classes = margins.shape[1]
    known = np.isfinite(margins)
    own = codes[:, None] == np.arange(n_classes)
    slope, offset = np.ones(n_classes), np.zeros(n_classes)
    if not (known & own).any():
        return slope, offset
    shared = _sigmoid(margins[known], own[known])
    if shared[0] > 0:
        slope[:], offset[:] = shared
    for k in range(n_classes):
        rows = known[:, k]
        if (rows & own[:, k]).sum() >= min_positive:
            a, b = _sigmoid(margins[rows, k], own[rows, k])
            if a > 0:
                slope[k], offset[k] = a, b
    return slope, offset
