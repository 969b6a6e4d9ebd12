"""Bootstrap intervals of a score, and of the difference between two methods on the same cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sc_annotate.evaluation._bootstrap import Interval, bootstrap

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Interval", "interval", "paired_difference"]

Metric = Literal["macro_f1", "accuracy", "balanced_accuracy"]


def interval(
    y: ArrayLike,
    labels: ArrayLike,
    *,
    metric: Metric = "macro_f1",
    groups: ArrayLike | None = None,
    n_boot: int = 1000,
    level: float = 0.95,
    rng: int = 0,
) -> Interval:
    """Score of one method, with a bootstrap percentile interval.

    The interval covers the sampling of the test cells, or of whole groups. It does not cover training again on other
    cells, nor another study. With `groups` it is rough where groups are few: below about ten, it is too narrow more
    often than `level` says.

    Scores are those of `sc_annotate.metrics`: the types that count are those in `y`, and a cell without a label is
    wrong. A type of `y` that a replicate happens to lose is left out of the mean of that replicate.

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    labels
        Predicted type of each cell, shape (n,); None, NaN, NA or "" is no label.
    metric
        ``"macro_f1"``, ``"accuracy"`` or ``"balanced_accuracy"``.
    groups
        Group of each cell (donor, batch), shape (n,). Whole groups are then resampled, which is right where cells of a
        group resemble each other.
    n_boot
        Number of replicates.
    level
        Coverage aimed at.
    rng
        Seed.

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, lengths that differ, one group only, labels or groups missing, or an argument out of its range.

    References
    ----------
    Efron 1979, Annals of Statistics 7:1.

    Examples
    --------
    >>> from sc_annotate.evaluation import interval
    >>> y = ["B"] * 50 + ["T"] * 50
    >>> labels = ["B"] * 45 + ["T"] * 55
    >>> out = interval(y, labels, metric="accuracy")
    >>> round(out.estimate, 2), round(out.low, 2), round(out.high, 2)
    (0.95, 0.9, 0.99)
    """
    return bootstrap(y, [labels], metric, groups, n_boot, level, rng)


def paired_difference(
    y: ArrayLike,
    labels_a: ArrayLike,
    labels_b: ArrayLike,
    *,
    metric: Metric = "macro_f1",
    groups: ArrayLike | None = None,
    n_boot: int = 1000,
    level: float = 0.95,
    rng: int = 0,
) -> Interval:
    """Score of method a minus score of method b on the same cells, with a bootstrap percentile interval.

    Each replicate scores both methods on the same resampled cells, so that what is hard for both cancels out. What the
    interval covers and which types count is as in `interval`.

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    labels_a, labels_b
        Predicted type of each cell by the two methods, shape (n,); None, NaN, NA or "" is no label.
    metric
        ``"macro_f1"``, ``"accuracy"`` or ``"balanced_accuracy"``.
    groups
        Group of each cell (donor, batch), shape (n,): whole groups are then resampled.
    n_boot
        Number of replicates.
    level
        Coverage aimed at.
    rng
        Seed.

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, lengths that differ, one group only, labels or groups missing, or an argument out of its range.

    Examples
    --------
    >>> from sc_annotate.evaluation import paired_difference
    >>> y = ["B"] * 50 + ["T"] * 50
    >>> a = ["B"] * 45 + ["T"] * 55
    >>> b = ["B"] * 30 + ["T"] * 70
    >>> out = paired_difference(y, a, b, metric="accuracy")
    >>> round(out.estimate, 2), out.low > 0
    (0.15, True)
    """
    return bootstrap(y, [labels_a, labels_b], metric, groups, n_boot, level, rng)
