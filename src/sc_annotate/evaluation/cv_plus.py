"""Prediction intervals from the errors of models that had not seen what they predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["cv_coverage", "cv_plus", "error_quantile"]


def _ranks(n: int, coverage: float) -> tuple[int, int]:
    """Which of n ascending values bound the interval, from 0; beyond the ends where n is too small."""
    alpha = 1 - coverage
    return int(np.floor(alpha * (n + 1) + 1e-9)) - 1, int(np.ceil(coverage * (n + 1) - 1e-9)) - 1


def cv_plus(
    residuals: ArrayLike, fold: ArrayLike, predictions: ArrayLike, coverage: float = 0.9
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval of each quantity of a new condition, by the jackknife+ or, with fewer models, CV+.

    If conditions are exchangeable, it holds the truth with a probability of at least 1 - 2 (1 - coverage) less a term
    that vanishes with the number of conditions, and of about `coverage` as a rule.

    Parameters
    ----------
    residuals
        Absolute errors of held-out conditions, conditions x genes; each by the model of the fold it was held out in.
    fold
        Which fold that was, shape (conditions,), from 0.
    predictions
        Predictions of the new condition by the model of each fold, folds x genes.
    coverage
        Between 0 and 1.

    Returns
    -------
    Lower and upper end, shape (genes,); infinite where there are too few conditions (nine are enough for 90 %).

    Raises
    ------
    sc_annotate.errors.InputError
        Shapes that do not fit, or a coverage outside (0, 1).

    References
    ----------
    Barber, Candès, Ramdas & Tibshirani 2021, Annals of Statistics 49:486, arXiv 1905.02928.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.evaluation import cv_plus
    >>> errors = np.linspace(0.1, 2, 20)[:, None]
    >>> low, high = cv_plus(errors, np.arange(20), np.zeros((20, 1)), coverage=0.9)
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([-1.9], [1.9])
    """
    R, at, P = np.asarray(residuals, np.float64), np.asarray(fold), np.asarray(predictions, np.float64)
    if not 0 < coverage < 1:
        raise InputError(f"coverage must be a share between 0 and 1, not {coverage!r}.")
    if R.ndim != 2 or P.ndim != 2 or at.shape != R.shape[:1] or R.shape[1] != P.shape[1]:
        raise InputError("residuals (conditions x genes), fold (conditions) and predictions (folds x genes) must fit.")
    if at.size and (at.min() < 0 or at.max() >= len(P)):
        raise InputError(f"fold must be whole numbers from 0 to {len(P) - 1}, as there are {len(P)} predictions.")
    n = len(R)
    low, high = _ranks(n, coverage)
    lower, upper = np.full(R.shape[1], -np.inf), np.full(R.shape[1], np.inf)
    if low >= 0 and high < n:
        lower = np.partition(P[at] - R, low, axis=0)[low]
        upper = np.partition(P[at] + R, high, axis=0)[high]
    return lower, upper


def error_quantile(errors: ArrayLike, coverage: float = 0.9) -> NDArray[np.float64]:
    """Half width of the interval around a prediction that is one model's: a quantile of absolute errors, gene by gene.

    Parameters
    ----------
    errors
        Absolute errors of held-out conditions, conditions x genes.
    coverage
        Between 0 and 1.

    Returns
    -------
    Shape (genes,); infinite where there are too few conditions.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.evaluation import error_quantile
    >>> error_quantile(np.arange(1.0, 20.0)[:, None], coverage=0.9).tolist()
    [18.0]
    """
    R = np.asarray(errors, np.float64)
    high = _ranks(len(R), coverage)[1]
    return np.partition(R, high, axis=0)[high] if high < len(R) else np.full(R.shape[1], np.inf)


def cv_coverage(errors: ArrayLike, fold: ArrayLike, coverage: float = 0.9) -> NDArray[np.float64]:
    """Share of the genes of each held-out condition inside an interval made without its fold.

    The interval of a condition is its prediction, more or less the quantile of the absolute errors of all other folds;
    errors of other folds come from models that may have seen the condition, so the check is not fully independent; and
    where each condition is held out alone, the mean over conditions is what was requested whatever the errors. Look at how it
    differs between conditions.

    Parameters
    ----------
    errors
        Absolute errors, conditions x genes.
    fold
        Fold of each condition, shape (conditions,).
    coverage
        Between 0 and 1.

    Returns
    -------
    Shape (conditions,); NaN where the other folds have too few conditions.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.evaluation import cv_coverage
    >>> errors = np.random.default_rng(0).exponential(size=(100, 50))
    >>> round(float(cv_coverage(errors, np.arange(100) % 5).mean()), 1)
    0.9
    """
    R, at = np.asarray(errors, np.float64), np.asarray(fold)
    out = np.full(len(R), np.nan)
    for k in np.unique(at):
        width = error_quantile(R[at != k], coverage)
        if np.isfinite(width).all():
            out[at == k] = (R[at == k] <= width).mean(axis=1)
    return out
