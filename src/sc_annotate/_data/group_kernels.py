"""A compiled loop; imported inside functions, as numba takes a while to load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import njit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def add_rows(
    indptr: NDArray[Any],
    indices: NDArray[Any],
    data: NDArray[Any],
    group: NDArray[np.int64],
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Add each row of a CSR matrix, and its squares, to the row of its group."""
    for i in range(len(group)):
        row = group[i]
        for at in range(indptr[i], indptr[i + 1]):
            value = float(data[at])
            sums[row, indices[at]] += value
            squares[row, indices[at]] += value * value
