"""Measures of an embedding that need no labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@public
def effective_rank(Z: ArrayLike) -> float:
    """How many dimensions an embedding fills: the exponential of the entropy of its spectrum.

    1 where all cells lie on a line, d where the variance is the same in d directions; 0 where all cells are one point. The
    spectrum is that of the covariance, not of the singular values themselves.

    Parameters
    ----------
    Z
        Cells x coordinates.

    Raises
    ------
    sc_annotate.errors.InputError
        Other than two dimensions, fewer than two cells, or values that are not finite.

    References
    ----------
    Roy & Vetterli 2007, EUSIPCO.

    Examples
    --------
    >>> import numpy as np
    >>> effective_rank(np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]))
    1.0
    >>> effective_rank(np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]))
    2.0
    """
    values = np.asarray(Z, dtype=np.float64)
    if values.ndim != 2 or len(values) < 2 or not np.isfinite(values).all():
        raise InputError("Z must be finite numbers, cells x coordinates, of two cells or more.")
    variances = np.square(np.linalg.svd(values - values.mean(axis=0), compute_uv=False))
    total = variances.sum()
    if total <= 1e-12 * max(1.0, float(np.square(values).sum())):
        return 0.0
    shares = variances[variances > 1e-12 * total] / total
    # Rounded, as sums of logarithms leave the last digits to chance.
    return round(float(np.exp(-(shares * np.log(shares)).sum())), 9)
