"""Percentile bootstrap over conditions: all methods, metrics and differences from the same draws, in one product."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.evaluation._bootstrap import _BLOCK

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.95


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
