"""Tables of means, paired differences and intervals, methods x metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.evaluation import _leaderboard_intervals as intervals
from sc_annotate.evaluation._leaderboard_scores import SD_RATIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def summary(
    metrics: Sequence[str],
    values: dict[str, NDArray[np.float64]],
    predicted: NDArray[np.bool_],
    scored: NDArray[np.bool_],
    drawn: NDArray[np.float32],
) -> dict[str, NDArray[Any]]:
    """Mean and interval of every method and metric over the scored conditions, with numbers and a status."""
    stacked = _stack(metrics, values, scored)
    mean, low, high = _means(stacked, drawn)
    there = predicted[:, scored]
    n_there = there.sum(axis=1)[:, None]
    n_scored = np.isfinite(stacked).sum(axis=2)
    n_undefined = np.broadcast_to(n_there, n_scored.shape) - n_scored
    # Of all conditions: a method that leaves some out keeps all others from being scored on them, too.
    n_missing = np.broadcast_to((~predicted).sum(axis=1)[:, None], n_scored.shape)
    out = {
        "mean": mean,
        "low": low,
        "high": high,
        "n_scored": n_scored.astype(np.int64),
        "n_undefined": n_undefined.astype(np.int64),
        "n_missing": n_missing.astype(np.int64),
    }
    out["status"] = _status(out["n_scored"], out["n_undefined"], out["n_missing"])
    return out


def add_sd_ratio(
    table: dict[str, NDArray[Any]],
    i: int,
    j: int,
    ratios: NDArray[np.float64],
    interval: tuple[float, float],
    n: int,
) -> None:
    """Put the SD ratio of method `i`, the median over genes, into column `j`."""
    known = ratios[np.isfinite(ratios)]
    table["mean"][i, j] = np.median(known) if known.size else np.nan
    table["low"][i, j], table["high"][i, j] = interval
    table["n_scored"][i, j] = n if known.size else 0
    table["n_undefined"][i, j] = 0 if known.size else n
    row = (slice(i, i + 1), slice(j, j + 1))
    table["status"][row] = _status(*(table[part][row] for part in ("n_scored", "n_undefined", "n_missing")))


def difference(
    methods: Sequence[str],
    b: int,
    metrics: Sequence[str],
    values: dict[str, NDArray[np.float64]],
    scored: NDArray[np.bool_],
    drawn: NDArray[np.float32],
) -> dict[str, NDArray[Any]]:
    """Paired differences of all methods to method `b`, over the scored conditions where both are defined."""
    stacked = _stack(metrics, values, scored)
    paired = stacked - stacked[b]
    mean, low, high = _means(paired, drawn)
    n = np.isfinite(paired).sum(axis=2)
    reason = np.full(n.shape, "", dtype="<U200")
    for i, name in enumerate(methods):
        for j, metric in enumerate(metrics):
            if metric == SD_RATIO:
                reason[i, j] = "one number a method, not one a condition"
            elif n[i, j] < paired.shape[2]:
                who = [methods[m] for m in dict.fromkeys((i, b)) if not np.isfinite(stacked[m, j]).all()]
                reason[i, j] = f"{metric} undefined or not predicted by {', '.join(who)}"
            elif i == b:
                reason[i, j] = f"{name} is the baseline itself"
    return {
        "mean": mean,
        "low": low,
        "high": high,
        "n_scored": n.astype(np.int64),
        "n_dropped": (paired.shape[2] - n).astype(np.int64),
        "reason": reason.astype(np.str_),
    }


def _stack(
    metrics: Sequence[str], values: dict[str, NDArray[np.float64]], scored: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Methods x metrics x scored conditions; NaN for what is no number a condition."""
    shape = next(iter(values.values())).shape
    return np.stack([values.get(m, np.full(shape, np.nan))[:, scored] for m in metrics], axis=1)


def _means(
    stacked: NDArray[np.float64], drawn: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    m, k, n = stacked.shape
    mean, low, high = intervals.of_means(stacked.reshape(m * k, n), drawn)
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
