"""Compiled loops; imported inside functions, as numba takes a while to load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Reordering sums would let the compiler gather values in vectors, which takes twice as long on common processors.
@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def mean_products(
    indptr: NDArray[Any],
    indices: NDArray[Any],
    data: NDArray[np.float32],
    others: NDArray[np.float32],
    near: NDArray[np.uint32],
) -> NDArray[np.float32]:  # pragma: no cover - compiled
    """Mean product of each row of a CSR matrix with the columns `near[i]` of `others` (genes x cells).

    Four genes at a time, so that the processor need not wait for one sum before it goes on with the next.
    """
    n, k = near.shape
    out = np.empty(n, dtype=np.float32)
    for i in range(n):
        total = np.float32(0)
        at, stop = indptr[i], indptr[i + 1]
        while at + 4 <= stop:
            row_0, row_1 = others[indices[at]], others[indices[at + 1]]
            row_2, row_3 = others[indices[at + 2]], others[indices[at + 3]]
            part_0 = part_1 = part_2 = part_3 = np.float32(0)
            for t in range(k):
                cell = near[i, t]
                part_0 += row_0[cell]
                part_1 += row_1[cell]
                part_2 += row_2[cell]
                part_3 += row_3[cell]
            total += part_0 * data[at] + part_1 * data[at + 1] + part_2 * data[at + 2] + part_3 * data[at + 3]
            at += 4
        while at < stop:
            part_0 = np.float32(0)
            for t in range(k):
                part_0 += others[indices[at], near[i, t]]
            total += part_0 * data[at]
            at += 1
        out[i] = total / np.float32(k)
    return out


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def smallest(distances: NDArray[np.float32], k: int) -> NDArray[np.uint32]:  # pragma: no cover - compiled
    """Columns of the `k` smallest values of each row, of equal ones the first; at least `k` must be finite.

    The largest of the least values of `k` groups is a bound that few others are below; among those, the `k`-th is found
    by halving the range of values.
    """
    n, m = distances.shape
    out = np.zeros((n, k), dtype=np.uint32)
    least = np.empty(k, dtype=np.float32)
    values = np.empty(m, dtype=np.float32)
    columns = np.empty(m, dtype=np.uint32)
    for i in range(n):
        row = distances[i]
        for t in range(k):
            least[t] = row[t]
        for start in range(k, m // k * k, k):
            for t in range(k):
                least[t] = row[start + t] if row[start + t] < least[t] else least[t]
        low = high = least[0]
        for t in range(1, k):
            low, high = min(low, least[t]), max(high, least[t])
        found = 0
        for j in range(m):
            # Written down in any case, and written over by the next unless it counts.
            columns[found], values[found] = j, row[j]
            found += row[j] <= high
        if high == np.inf:
            high = low
            for j in range(found):
                if values[j] < np.inf:
                    high = max(high, values[j])
        for _ in range(64):
            middle = low / np.float32(2) + high / np.float32(2)
            below = 0
            for j in range(found):
                below += values[j] <= middle
            if below >= k:
                high = middle
            else:
                low = middle
            if below == k:
                break
        kept = 0
        # Equal values are not separated by halving: first those that are surely smaller, then as many as are left.
        for j in range(found):
            if kept < k and values[j] <= low:
                out[i, kept] = columns[j]
                kept += 1
        for j in range(found):
            if kept < k and low < values[j] <= high:
                out[i, kept] = columns[j]
                kept += 1
    return out
