"""How much each method should count in an average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.trust._probabilities import check_fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["pool_weights"]

# As in `metrics.log_loss`: a method that excludes a true class is wrong, not infinitely so.
_CLIP = 1e-6


@public
def pool_weights(probas: Sequence[ArrayLike], codes: ArrayLike, *, max_iter: int = 500) -> NDArray[np.float64]:
    """Weights with which the average of several methods has the lowest log loss on cells that none was trained on.

    On these cells the weighted average is no worse than its best method; with equal weights a poor method can make it
    worse. The loss is convex in the weights; they are found by expectation maximisation from equal ones.

    Parameters
    ----------
    probas
        Calibrated probabilities of each method for the same cells and classes, shapes (n, k), rows summing to 1.
    codes
        Column of the true class of each cell, shape (n,).
    max_iter
        Steps at most.

    Returns
    -------
    float64, shape (methods,), 0 or more, summing to 1.

    Raises
    ------
    sc_annotate.errors.InputError
        No methods, different shapes, what are no probabilities or no codes of them, or no cells.

    References
    ----------
    Wolpert 1992, Neural Networks 5:241 (stacking).

    Examples
    --------
    >>> from sc_annotate.trust import pool_weights
    >>> good, bad = [[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.5, 0.5]]
    >>> pool_weights([good, bad], [0, 1]).round(2).tolist()
    [1.0, 0.0]
    """
    if not len(probas) or len({np.shape(p) for p in probas}) > 1:
        raise InputError("weights need at least one method, and all with the same cells and classes.")
    checked = [check_fit(p, codes) for p in probas]
    of_truth = np.stack([np.maximum(p[np.arange(c.size), c], _CLIP) for p, c in checked], axis=1)
    weights = np.full(len(checked), 1 / len(checked))
    for _ in range(max_iter):
        new = (of_truth * weights / (of_truth @ weights)[:, None]).mean(axis=0)
        done = np.abs(new - weights).max() < 1e-7
        weights = new
        if done:
            break
    return weights / weights.sum()
