"""Shrinkage of a covariance towards a multiple of the identity, as Ledoit and Wolf estimate it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ledoit_wolf(*, squared_norm: float, n_dimensions: int, n: int, second: float, fourth: float) -> float:
    """Weight of the identity, from sums that can be gathered without forming a matrix.

    Parameters
    ----------
    squared_norm
        Sum of the squared entries of the covariance, which is divided by `n`.
    n_dimensions
        Its size.
    n
        Number of observations.
    second, fourth
        Means over the observations of the squared distance from the mean, and of the square of that.

    References
    ----------
    Ledoit & Wolf 2004, A well-conditioned estimator for large-dimensional covariance matrices,
    `doi:10.1016/S0047-259X(03)00096-4 <https://doi.org/10.1016/S0047-259X(03)00096-4>`_.
    """
    away = squared_norm - second**2 / n_dimensions
    error = (fourth - squared_norm) / n
    return 1.0 if away <= 0 else float(np.clip(error / away, 0.0, 1.0))


def shrunken_covariance(R: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shrunken covariance of centred rows, divided by their number.

    Examples
    --------
    >>> import numpy as np
    >>> shrunken_covariance(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])).round(3).tolist()
    [[0.95, 0.0], [0.0, 1.55]]
    """
    n, k = R.shape
    S = R.T @ R / n
    squared = np.square(R).sum(axis=1)
    weight = ledoit_wolf(
        squared_norm=float(np.square(S).sum()),
        n_dimensions=k,
        n=n,
        second=float(np.trace(S)),
        fourth=float(np.square(squared).mean()),
    )
    return (1 - weight) * S + weight * np.trace(S) / k * np.eye(k)
