"""Whether labels given with a confidence of 80 % are right 80 % of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.metrics.encoding import encode
from sc_annotate.metrics.probabilities import _of_truth, wilson

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
    order, so that there may be fewer bins than requested.
    """
    if isinstance(n_bins, bool) or not isinstance(n_bins, int | np.integer) or n_bins < 1:
        raise InputError(f"n_bins must be a whole number of 1 or more, not {n_bins!r}.")
    n = confidence.size
    starts = np.unique(np.sort(confidence)[np.arange(1, n_bins) * n // n_bins])
    bins = np.searchsorted(starts, confidence, side="right")
    # The first start may be the lowest value of all: then nothing is below it.
    return np.unique(bins, return_inverse=True)[1].astype(np.intp)


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_], n_bins: int = 15) -> float:
    """As :func:`expected_calibration_error`, of labels that need not be the most probable ones."""
    # Surplus of confidence over correct labels, summed over each bin.
    surplus = np.bincount(equal_mass(confidence, n_bins), weights=confidence - right)
    return float(np.abs(surplus).sum() / confidence.size)


__all__ = ["expected_calibration_error", "expected_calibration_error_if_calibrated", "reliability"]


@public
def expected_calibration_error(y: ArrayLike, proba: ArrayLike, classes: ArrayLike, *, n_bins: int = 15) -> float:
    """How far confidence and accuracy are apart, on average over cells.

    Cells are put into bins of about equal size by the probability of their most probable type; the distances between
    mean confidence and accuracy of the bins are averaged, weighted by their cells. All cells count; only the
    probability of the label does. A call is wrong where the true type is not in `classes`. Cells of equal confidence
    share a bin.

    It is never 0 for finitely many cells, even if every probability is true: see
    :func:`expected_calibration_error_if_calibrated`.

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    proba
        Probabilities, shape (n, k), rows summing to 1.
    classes
        Types of the columns, shape (k,).
    n_bins
        Number of bins.

    Returns
    -------
    Between 0 (best) and 1.

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, shapes that do not fit, rows of `proba` that are not probabilities, or `n_bins` below 1.

    References
    ----------
    Guo et al. 2017, arXiv 1706.04599; bins of equal size: Nixon et al. 2019, arXiv 1904.01685.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> proba = [[0.9, 0.1]] * 4
    >>> round(sca.metrics.expected_calibration_error(["B", "B", "B", "T"], proba, ["B", "T"]), 4)
    0.15
    """
    confidence, right = top_label(y, _of_truth(y, proba, classes)[0], classes)
    return calibration_error(confidence, right, n_bins)


@public
def expected_calibration_error_if_calibrated(
    confidence: ArrayLike, *, n_bins: int = 15, n_simulations: int = 200, rng: int = 0
) -> float:
    """Expected calibration error that these probabilities would show on average if all of them were true.

    For each cell it is drawn whether the label is right, with its own confidence as the probability. An error near this
    value cannot be distinguished from perfect calibration with this number of cells and bins.

    Parameters
    ----------
    confidence
        Probability of the most probable type of each cell, shape (n,): ``proba.max(axis=1)``.
    n_bins
        As in :func:`expected_calibration_error`.
    n_simulations
        How many times the outcomes are drawn.
    rng
        Seed, an integer or a :class:`numpy.random.Generator`.

    Returns
    -------
    Between 0 and 1; falls with the square root of the number of cells.

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, a confidence outside 0 to 1, or numbers below 1.

    Examples
    --------
    >>> import numpy as np
    >>> import sc_annotate as sca
    >>> few, many = np.full(50, 0.5), np.full(5000, 0.5)
    >>> round(sca.metrics.expected_calibration_error_if_calibrated(few), 2)
    0.06
    >>> round(sca.metrics.expected_calibration_error_if_calibrated(many), 3)
    0.006
    """
    if n_simulations < 1:
        raise InputError(f"n_simulations must be 1 or more, not {n_simulations}.")
    c = np.asarray(confidence, dtype=np.float64)
    # Written so that NaN fails too; float32 may be a rounding error above 1.
    if c.ndim != 1 or c.size == 0 or not ((c >= 0) & (c <= 1 + 1e-3)).all():
        raise InputError("confidence must be one number from 0 to 1 for each of at least one cell.")
    bins = equal_mass(c, n_bins)
    generator = np.random.default_rng(rng)
    total = 0.0
    for _ in range(n_simulations):
        right = generator.random(c.size) < c
        total += np.abs(np.bincount(bins, weights=c - right)).sum()
    return float(total / (n_simulations * c.size))


@public
def reliability(
    y: ArrayLike, proba: ArrayLike, classes: ArrayLike, *, n_bins: int = 15, level: float = 0.95
) -> dict[str, NDArray[Any]]:
    """Confidence against accuracy, in bins: the points of a reliability diagram.

    All cells count, in the bins of :func:`expected_calibration_error`.

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    proba
        Probabilities, shape (n, k), rows summing to 1.
    classes
        Types of the columns, shape (k,).
    n_bins
        Number of bins; fewer where many cells have equal confidence.
    level
        Level of the intervals.

    Returns
    -------
    Arrays of one length, in the order of confidence: ``from`` and ``to`` (lowest and highest confidence of the bin),
    ``confidence`` (mean), ``accuracy``, ``low`` and ``high`` (Wilson interval of the accuracy), ``n`` (cells).

    Raises
    ------
    sc_annotate.errors.InputError
        As in :func:`expected_calibration_error`, or a `level` that is not between 0 and 1.

    References
    ----------
    Wilson 1927, Journal of the American Statistical Association 22:209.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> proba = [[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]
    >>> table = sca.metrics.reliability(["B", "B", "B", "T"], proba, ["B", "T"], n_bins=2)
    >>> table["confidence"].round(2).tolist(), table["accuracy"].tolist(), table["n"].tolist()
    ([0.6, 0.9], [0.5, 1.0], [2, 2])
    """
    confidence, right = top_label(y, _of_truth(y, proba, classes)[0], classes)
    bins = equal_mass(confidence, n_bins)
    n, n_right = np.bincount(bins), np.bincount(bins, weights=right)
    low, high = wilson(n_right, n, level)
    ordered = np.sort(confidence)
    last = np.cumsum(n) - 1
    return {
        "from": ordered[last - n + 1],
        "to": ordered[last],
        "confidence": np.bincount(bins, weights=confidence) / n,
        "accuracy": n_right / n,
        "low": low,
        "high": high,
        "n": n.astype(np.int64),
    }
