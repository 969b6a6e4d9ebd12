"""Bootstrap intervals of a score, and of the difference between two methods on the same cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.sparse import csr_array

from sc_annotate.errors import InputError
from sc_annotate.metrics import classification as _kernels
from sc_annotate.metrics.encoding import encode, same_length

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


# Entries of the drawn weights that are held at a time (int64).
_BLOCK = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A score, or a difference of two, with its bootstrap percentile interval."""

    estimate: float
    low: float
    high: float


def _score(
    metric: str, n_true: NDArray[np.float64], n_predicted: NDArray[np.float64], n_right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The metric for each row of counts (replicates x types)."""
    if metric == "accuracy":
        return _kernels.ratio(n_right.sum(axis=-1), n_true.sum(axis=-1), np.nan)
    if metric == "macro_f1":
        return _kernels.mean_over_present(_kernels.f1(n_true, n_predicted, n_right), n_true)
    return _kernels.mean_over_present(_kernels.ratio(n_right, n_true, 0.0), n_true)


def _units(
    true: NDArray[np.intp], predicted: list[NDArray[np.intp]], k: int, group: NDArray[np.intp] | None
) -> tuple[csr_array, NDArray[np.intp]]:
    """What is resampled: the counts that each unit brings (units x counts), and how many there are of each unit.

    Counts are n_true, then n_predicted and n_right of each method, k types each. Units are combinations of truth and
    predictions, or whole groups.
    """
    if group is None:
        code = true.copy()
        for one in predicted:
            code = code * (k + 1) + one + 1
        _, first, row, times = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
        true, predicted, row = true[first], [one[first] for one in predicted], np.arange(first.size)
    else:
        row, times = group, np.ones(int(group.max()) + 1, dtype=np.intp)
    rows, columns = [row], [true]
    for i, one in enumerate(predicted):
        labelled, right = one >= 0, one == true
        rows += [row[labelled], row[right]]
        columns += [one[labelled] + (2 * i + 1) * k, true[right] + (2 * i + 2) * k]
    r, c = np.concatenate(rows), np.concatenate(columns)
    shape = (times.size, (2 * len(predicted) + 1) * k)
    return csr_array((np.ones(r.size), (r, c)), shape=shape), times


def bootstrap(
    y: ArrayLike,
    labels: list[ArrayLike],
    metric: str,
    groups: ArrayLike | None,
    n_boot: int,
    level: float,
    rng: int,
) -> Interval:
    """The score of one method, or the first minus the second of two; see `compare` for the arguments."""
    if metric not in ("macro_f1", "accuracy", "balanced_accuracy"):
        raise InputError(f"metric must be 'macro_f1', 'accuracy' or 'balanced_accuracy', not {metric!r}.")
    if n_boot < 1 or not 0 < level < 1:
        raise InputError(f"n_boot must be 1 or more and level between 0 and 1, not {n_boot} and {level}.")
    types, true = encode(y, "y")
    k = types.size
    predicted = []
    for one in labels:
        names, codes = encode(one, "labels", missing=True)
        same_length(true.size, codes.size, "labels")
        # Types that y lacks are wrong labels, whatever their name: -1, like no label at all.
        position = np.searchsorted(types, names)
        known = np.append(types, "")[position] == names
        predicted.append(np.append(np.where(known, position, -1), -1)[codes])
    group = None
    if groups is not None:
        names, group = encode(groups, "groups")
        same_length(true.size, group.size, "groups")
        if names.size < 2:
            raise InputError("groups has only one group, which says nothing about other groups. Pass groups=None.")
    counts, times = _units(true, predicted, k, group)

    def value(drawn: NDArray[np.intp]) -> NDArray[np.float64]:
        n_true, *rest = np.split((counts.T @ drawn.T).T, 2 * len(predicted) + 1, axis=-1)
        scores = [_score(metric, n_true, rest[2 * i], rest[2 * i + 1]) for i in range(len(predicted))]
        return scores[0] if len(scores) == 1 else scores[0] - scores[1]

    generator = np.random.default_rng(rng)
    n, at_once = int(times.sum()), max(1, _BLOCK // times.size)
    sizes = [min(at_once, n_boot - done) for done in range(0, n_boot, at_once)]
    replicates = np.concatenate([value(generator.multinomial(n, times / n, size=size)) for size in sizes])
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value(times[None])[0]), float(low), float(high))


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
