"""Errors that count the genes a perturbation changes most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.metrics._perturbation_inputs import ROUNDING, beside, matrix, pair, size

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@public
def de_weights(t: ArrayLike) -> NDArray[np.float64]:
    """Weight of each gene from its t-statistic: ``((|t| - min) / (max - min)) ** 2``, summing to 1 in each condition.

    The paper tests each perturbation against the rest of the perturbed cells, not against the control, so that what
    all perturbations share has no weight. Trap: weights come from the measured cells; where a condition has few cells,
    many large values of t are chance, so compare with :func:`replicate_ceiling`.

    Parameters
    ----------
    t
        t-statistics, shape (conditions, genes). NaN (a gene that no cell expresses) has the weight 0.

    Returns
    -------
    Float64, 0 to 1, shape (conditions, genes); NaN throughout a condition without two different values of ``|t|``
    (there scPertEval weighs all genes alike).

    Raises
    ------
    sc_annotate.errors.InputError
        `t` that is not a matrix, or infinite.

    References
    ----------
    Mejia et al. 2025, arXiv:2506.22641.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.metrics.de_weights([[1.0, -2.0, 3.0]])
    array([[0. , 0.2, 0.8]])
    """
    strength = np.abs(matrix(t, "t"))
    if np.isinf(strength).any():
        raise InputError("t has infinite entries, from genes without variance. Make them NaN, for a weight of 0.")
    known = ~np.isnan(strength)
    low = np.where(known, strength, np.inf).min(axis=1, keepdims=True)
    high = np.where(known, strength, -np.inf).max(axis=1, keepdims=True)
    span = np.where(high > low, high, np.nan) - np.where(high > low, low, np.nan)
    weights = np.where(known, np.square((np.where(known, strength, 0.0) - low) / span), 0.0)
    return weights / np.where(np.isnan(span), np.nan, weights.sum(axis=1, keepdims=True))


def _weights(values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Weights that sum to 1 in each condition, or are NaN throughout it."""
    weights = matrix(values, "weights")
    if weights.shape != shape:
        raise InputError(f"weights must be conditions x genes {shape}, but the shape is {weights.shape}.")
    undefined = np.isnan(weights).all(axis=1)
    total = weights.sum(axis=1)
    wrong = np.flatnonzero(~undefined & ~((np.abs(total - 1.0) <= ROUNDING) & (weights >= 0.0).all(axis=1)))
    if wrong.size:
        raise InputError(
            f"weights must be 0 or more and sum to 1 in each condition; row {wrong[0]} does not. Pass what "
            "metrics.de_weights returns."
        )
    return weights


@public
def weighted_mse(truth: ArrayLike, predicted: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """Weighted mean over genes of the squared error of each condition; 0 is best.

    Parameters
    ----------
    truth
        Measured profiles, shape (conditions, genes).
    predicted
        Predicted profiles, rows and columns as in `truth`; NaN throughout a row that was not predicted.
    weights
        As from :func:`de_weights`, shape (conditions, genes), summing to 1 in each condition.

    Returns
    -------
    Float64, 0 or more, shape (conditions,); NaN where nothing was predicted or the weights are NaN.

    Raises
    ------
    sc_annotate.errors.InputError
        Arrays of different shapes, `truth` that is not finite, a row of `predicted` that is NaN in part, or weights
        that are negative or do not sum to 1.

    References
    ----------
    Mejia et al. 2025, arXiv:2506.22641.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.metrics.weighted_mse([[1.0, 2.0, 3.0]], [[0.0, 2.0, 1.0]], [[0.0, 0.5, 0.5]])
    array([2.])
    """
    true, guess, _ = pair(truth, predicted)
    return (_weights(weights, true.shape) * np.square(true - guess)).sum(axis=1)


@public
def weighted_r2(truth: ArrayLike, predicted: ArrayLike, control: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """Weighted share of the variance over genes of the measured change that the predicted change explains; 1 is best.

    ``1 - sum(w (d - e)^2) / sum(w (d - mean_w(d))^2)`` with d the measured and e the predicted change, and mean_w the
    weighted mean over genes. There is no lower bound; 0 is what one number for all genes could reach, and no change
    comes out below it.

    Parameters
    ----------
    truth
        Measured profiles, shape (conditions, genes).
    predicted
        Predicted profiles, rows and columns as in `truth`; NaN throughout a row that was not predicted.
    control
        What the change is measured from: the control, shape (genes,), or the matched one of each condition, shape
        (conditions, genes). The mean of the perturbed profiles may take its place.
    weights
        As from :func:`de_weights`, shape (conditions, genes), summing to 1 in each condition.

    Returns
    -------
    Float64, at most 1, shape (conditions,); NaN where nothing was predicted, the weights are NaN, or the measured
    change does not vary over the weighted genes.

    Raises
    ------
    sc_annotate.errors.InputError
        As in :func:`weighted_mse`, or a control of another shape.

    References
    ----------
    Mejia et al. 2025, arXiv:2506.22641.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> truth, control, weights = [[1.0, 2.0, 4.0]], [1.0, 1.0, 1.0], [[0.0, 0.5, 0.5]]
    >>> sca.metrics.weighted_r2(truth, [[5.0, 2.0, 3.0]], control, weights)
    array([0.5])
    """
    true, guess, _ = pair(truth, predicted)
    w = _weights(weights, true.shape)
    origin = beside(control, "control", *true.shape)
    change = true - origin
    error = (w * np.square(true - guess)).sum(axis=1)
    spread = (w * np.square(change - (w * change).sum(axis=1, keepdims=True))).sum(axis=1)
    flat = spread <= np.square(ROUNDING * size(true, origin))
    return 1.0 - error / np.where(flat, np.nan, spread)
