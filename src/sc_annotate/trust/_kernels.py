"""A compiled loop; imported inside functions, as numba takes a while to load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator,unused-ignore]
def mean_products(
    indptr: NDArray[Any],
    indices: NDArray[Any],
    data: NDArray[np.float32],
    others: NDArray[np.float32],
    near: NDArray[Any],
) -> NDArray[np.float32]:  # pragma: no cover - compiled
    """Mean product of each row of a CSR matrix with the columns `near[i]` of `others` (genes x cells)."""
    n, k = near.shape
    out = np.empty(n, dtype=np.float32)
    for i in range(n):
        total = np.float32(0)
        for at in range(indptr[i], indptr[i + 1]):
            gene = indices[at]
            part = np.float32(0)
            for t in range(k):
                part += others[gene, near[i, t]]
            total += part * data[at]
        out[i] = total / k
    return out
