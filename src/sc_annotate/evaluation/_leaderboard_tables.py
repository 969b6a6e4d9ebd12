"""Means, paired differences and their bootstrap intervals: methods x metrics, all from the same draws of conditions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.evaluation._leaderboard_task import SD_RATIO
from sc_annotate.evaluation.compare import _BLOCK

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores by metric, (methods, conditions); which were predicted, which conditions count, and draws of those."""

    methods: list[str]
    metrics: list[str]
    values: dict[str, NDArray[np.float64]]
    predicted: NDArray[np.bool_]
    scored: NDArray[np.bool_]
    drawn: NDArray[np.float32]

    @cached_property
    def stacked(self) -> NDArray[np.float64]:
        """Methods x metrics x scored conditions; NaN for what is no number a condition."""
        shape = next(iter(self.values.values())).shape
        empty = np.full(shape, np.nan)
        return np.stack([self.values.get(m, empty)[:, self.scored] for m in self.metrics], axis=1)


@dataclass(frozen=True, eq=False)
class Summary:
    """Mean and interval of every method and metric over the scored conditions, (methods, metrics), with numbers and a status."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_scored: NDArray[np.int64]
    n_undefined: NDArray[np.int64]
    n_missing: NDArray[np.int64]
    status: NDArray[np.str_]

    @classmethod
    def of(cls, scores: Scores) -> Summary:
        mean, low, high = _means(scores.stacked, scores.drawn)
        n_there = scores.predicted[:, scores.scored].sum(axis=1)[:, None]
        n_scored = np.isfinite(scores.stacked).sum(axis=2)
        n_undefined = np.broadcast_to(n_there, n_scored.shape) - n_scored
        # Of all conditions: a method that leaves some out keeps all others from being scored on them, too.
        n_missing = np.broadcast_to((~scores.predicted).sum(axis=1)[:, None], n_scored.shape)
        counts = n_scored.astype(np.int64), n_undefined.astype(np.int64), n_missing.astype(np.int64)
        return cls(mean, low, high, *counts, _status(*counts))

    def set_sd_ratio(self, i: int, j: int, ratios: NDArray[np.float64], interval: tuple[float, float], n: int) -> None:
        """Put the SD ratio of method `i`, the median over genes, into column `j`."""
        known = ratios[np.isfinite(ratios)]
        self.mean[i, j] = np.median(known) if known.size else np.nan
        self.low[i, j], self.high[i, j] = interval
        self.n_scored[i, j] = n if known.size else 0
        self.n_undefined[i, j] = 0 if known.size else n
        row = (slice(i, i + 1), slice(j, j + 1))
        self.status[row] = _status(self.n_scored[row], self.n_undefined[row], self.n_missing[row])


@dataclass(frozen=True, eq=False)
class Difference:
    """Paired differences of all methods to a baseline, (methods, metrics), over the conditions where both are defined."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_scored: NDArray[np.int64]
    n_dropped: NDArray[np.int64]
    reason: NDArray[np.str_]
    """Why some were dropped."""
    better: NDArray[np.bool_]
    """(methods,): whether the method is better, by the rule of :func:`sc_annotate.evaluation.leaderboard`."""

    @classmethod
    def of(cls, scores: Scores, b: int) -> Difference:
        """To method `b`; no method is better yet."""
        stacked, methods = scores.stacked, scores.methods
        paired = stacked - stacked[b]
        mean, low, high = _means(paired, scores.drawn)
        n = np.isfinite(paired).sum(axis=2)
        reason = np.full(n.shape, "", dtype="<U200")
        for i, name in enumerate(methods):
            for j, metric in enumerate(scores.metrics):
                if metric == SD_RATIO:
                    reason[i, j] = "one number a method, not one a condition"
                elif n[i, j] < paired.shape[2]:
                    who = [methods[m] for m in dict.fromkeys((i, b)) if not np.isfinite(stacked[m, j]).all()]
                    reason[i, j] = f"{metric} undefined or not predicted by {', '.join(who)}"
                elif i == b:
                    reason[i, j] = f"{name} is the baseline itself"
        dropped = (paired.shape[2] - n).astype(np.int64)
        better = np.zeros(len(methods), dtype=bool)
        return cls(mean, low, high, n.astype(np.int64), dropped, reason.astype(np.str_), better)


def _means(
    stacked: NDArray[np.float64], drawn: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    m, k, n = stacked.shape
    mean, low, high = of_means(stacked.reshape(m * k, n), drawn)
    return mean.reshape(m, k), low.reshape(m, k), high.reshape(m, k)


def _status(n_scored: NDArray[Any], n_undefined: NDArray[Any], n_missing: NDArray[Any]) -> NDArray[np.str_]:
    nothing = n_scored == 0
    cases = [
        nothing & (n_undefined > 0),
        nothing,
        n_undefined > 0,
        n_missing > 0,
    ]
    return np.select(cases, ["undefined", "missing", "partly undefined", "partly missing"], default="scored")


def draws(n: int, n_boot: int, rng: int) -> NDArray[np.float32]:
    """How often each of n conditions is in each replicate, (n_boot, n)."""
    generator = np.random.default_rng(rng)
    size = max(1, _BLOCK // max(1, n))
    blocks = [
        generator.multinomial(n, np.full(n, 1 / n), size=min(size, n_boot - done)).astype(np.float32)
        for done in range(0, n_boot, size)
    ]
    return np.concatenate(blocks)


def quantiles(values: NDArray[np.float64], q: tuple[float, ...]) -> NDArray[np.float64]:
    """Quantiles along the first axis of what is not NaN, as numpy's, (len(q), ...); NaN where nothing is there."""
    ordered = np.sort(values, axis=0)  # NaN last
    n = (~np.isnan(ordered)).sum(axis=0)
    out = np.full((len(q), *ordered.shape[1:]), np.nan)
    for i, share in enumerate(q):
        place = share * np.maximum(n - 1, 0)
        low = np.floor(place).astype(np.intp)
        high = np.minimum(low + 1, np.maximum(n - 1, 0))
        below = np.take_along_axis(ordered, low[None], axis=0)[0]
        above = np.take_along_axis(ordered, high[None], axis=0)[0]
        out[i] = below + (place - low) * (above - below)
    return out


def of_means(
    values: NDArray[np.float64], weights: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean over conditions of every row of `values` (k, n), and its interval; NaN is left out, row by row.

    A row with fewer than two values has no interval.
    """
    there = np.isfinite(values)
    n = there.sum(axis=1)
    filled = np.where(there, values, 0.0)
    mean = np.divide(filled.sum(axis=1), n, out=np.full(len(values), np.nan), where=n > 0)
    low, high = np.full(len(values), np.nan), np.full(len(values), np.nan)
    some = n > 1
    if some.any():
        # Deviations from the mean, so that single precision in the weights costs nothing.
        off = np.where(there, values - mean[:, None], 0.0)[some]
        drawn = weights.astype(np.float64)
        count = drawn @ there[some].T
        replicates = np.divide(drawn @ off.T, count, out=np.full(count.shape, np.nan), where=count > 0)
        low[some], high[some] = quantiles(replicates, ((1 - LEVEL) / 2, (1 + LEVEL) / 2)) + mean[some]
    return mean, low, high


def of_sd_ratio(
    truth: NDArray[np.float32], predicted: NDArray[np.float64], weights: NDArray[np.float32], estimate: float
) -> tuple[float, float]:
    """Interval around the `estimate` of the median over genes of SD predicted / SD true.

    `truth` is :func:`sds` of the true profiles with the same `weights`, which all methods share; `predicted` are
    profiles, conditions x genes, without NaN.
    """
    varies = (truth > 0).any(axis=0)
    if len(predicted) < 2 or not varies.any():
        return float("nan"), float("nan")
    below, above = truth[:, varies], sds(predicted[:, varies], weights)
    ratio = np.divide(above, below, out=np.full(below.shape, np.nan, dtype=np.float32), where=below > 0)
    gone = np.isnan(ratio).any(axis=1)
    median = np.full(len(ratio), np.nan)
    median[~gone] = np.median(ratio[~gone], axis=1)
    if gone.any():
        # In a replicate of one condition only, nothing varies.
        median[gone] = quantiles(ratio[gone].T.astype(np.float64), (0.5,))[0]
    low, middle, high = quantiles(median, ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2))
    if not middle > 0:
        return float(low), float(high)
    # A gene that few conditions change varies less in most replicates than in truth, so that the replicates lie too high:
    # what they are beside their own middle is laid around the estimate.
    return float(estimate * low / middle), float(estimate * high / middle)


def affordable(n_boot: int, n_genes: int) -> int:
    """Replicates for the SD ratio: all of them for a thousand genes, fewer where each would have to sort many more."""
    return min(n_boot, max(200, 2_000_000 // n_genes))


def sds(values: NDArray[np.float64], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """SD between the drawn conditions, replicates x genes; single precision is enough for an interval."""
    off = (values - values.mean(axis=0)).astype(np.float32)
    total = weights.sum(axis=1, keepdims=True)
    total = np.where(total > 0, total, np.nan).astype(np.float32)
    mean = (weights @ off) / total
    return np.sqrt(np.maximum((weights @ np.square(off)) / total - np.square(mean), 0))
