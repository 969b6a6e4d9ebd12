"""How surely each gene of a condition differs from all other perturbed cells, from means and standard errors alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def t_against_rest(
    mean: NDArray[np.float64], se: NDArray[np.float64], n_cells: NDArray[np.int64]
) -> NDArray[np.float64]:
    """t-statistic of each condition against the cells of all other conditions, conditions x genes.

    Welch's, with the rest counted as no more cells than the condition has ("overestimated variance", as scanpy's
    ``t-test_overestim_var`` and Mejia et al. 2025 have it). `se` is the standard error of the mean over cells. NaN for a
    condition of one cell, and for a gene without variance.
    """
    n = n_cells.astype(np.float64)[:, None]
    variance = np.square(se) * n
    # Sums of squares over the cells of each condition; one cell has no deviation from its mean.
    squares = np.where(n > 1, (n - 1) * np.nan_to_num(variance), 0.0) + n * np.square(mean)
    rest = n.sum() - n
    few = rest < 2
    rest = np.where(few, np.nan, rest)
    middle = ((n * mean).sum(axis=0) - n * mean) / rest
    other = np.maximum(squares.sum(axis=0) - squares - rest * np.square(middle), 0) / (rest - 1)
    scale = np.sqrt((variance + other) / n)
    known = np.isfinite(scale) & (scale > 0)
    return np.divide(mean - middle, scale, out=np.full(mean.shape, np.nan), where=known)
