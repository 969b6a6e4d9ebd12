"""Bootstrap of scores that depend on the cells only through a few counts a type.

Resampling n cells with replacement is the same as one multinomial draw over the combinations of (truth, predictions) that
occur, and resampling groups as one over the groups; so a replicate costs as much for a million cells as for a thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from sc_annotate.errors import InputError
from sc_annotate.metrics import counts as _kernels
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
            raise InputError("groups has only one group, which tells nothing about other groups. Pass groups=None.")
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
