"""Sorted calibration scores: those of all cells first, then those of each group of classes with its own threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.trust._probabilities import ragged, stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Pools = list[NDArray[np.float64]]


def quantiles(pools: Pools, coverage: float) -> NDArray[np.float64]:
    """The ``ceil((n + 1) * coverage)``-th lowest score of each pool; inf where it has too few for that."""
    if not 0 < coverage < 1:
        raise InputError(f"coverage must lie between 0 and 1, both excluded, not {coverage!r}.")
    # 20 * 0.55 must not become 12 by rounding.
    ranks = [max(1, int(np.ceil((pool.size + 1) * coverage - 1e-9))) for pool in pools]
    return np.array([pool[r - 1] if r <= pool.size else np.inf for pool, r in zip(pools, ranks, strict=True)])


def p_values(pools: Pools, group: NDArray[np.intp], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the pool of each class (column) that is at least as strange, the cell itself counted in."""
    out = np.empty_like(scores)
    for j, g in enumerate(group):
        pool = pools[g + 1]
        out[:, j] = (1 + pool.size - np.searchsorted(pool, scores[:, j], side="left")) / (pool.size + 1)
    return out


def pack(pools: Pools, group: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
    """Numeric arrays to store."""
    starts = np.cumsum([0, *(pool.size for pool in pools)]).astype(np.int64)
    return {"scores": np.concatenate(pools), "starts": starts, "cluster": group.astype(np.int64)}


def unpack(arrays: Mapping[str, Any]) -> tuple[Pools, NDArray[np.intp]]:
    """What :func:`pack` was given, or an InputError."""
    scores, group = stored(arrays, "scores", "f").astype(np.float64), stored(arrays, "cluster", "i")
    starts = ragged(arrays, "starts", scores.size)
    pools = [scores[a:b] for a, b in zip(starts[:-1], starts[1:], strict=True)]
    if any(pool.size == 0 or (np.diff(pool) < 0).any() for pool in pools):
        raise InputError("the stored calibration scores are not sorted. Fit again.")
    if group.size < 2 or group.min() < -1 or group.max() >= len(pools) - 1:
        raise InputError("the stored groups of classes do not fit the scores. Fit again.")
    return pools, group.astype(np.intp)
