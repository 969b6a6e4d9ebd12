"""Blocks of rows of a matrix of any kind, to be read in any order and as often as wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arrays import check_layout, row_ordered, rows
from sc_annotate._core.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

N_ROWS = 256
"""Rows of a block, unless ``settings.block_size`` is smaller or a Dask array has chunks of its own."""


@dataclass(frozen=True)
class RowBlocks:
    """Blocks of successive rows.

    Attributes
    ----------
    starts
        First row of each, and the number of rows.
    read
        The rows of a block, in memory, CSR or dense. Several threads may call it at once.
    """

    starts: NDArray[np.intp]
    read: Callable[[int], Any]


def row_blocks(X: Any) -> RowBlocks:
    """Blocks of a matrix in memory or in a file, or the chunks of a Dask array."""
    if hasattr(X, "dask"):
        from sc_annotate._core.lazy import checked, computed

        lazy = checked(X, check_layout).rechunk({1: -1})
        chunks = lazy.to_delayed()[:, 0]
        return RowBlocks(
            np.concatenate([[0], np.cumsum(lazy.chunks[0])]).astype(np.intp),
            lambda i: rows(computed(chunks[i]), slice(None)),
        )
    matrix, size = row_ordered(X), min(N_ROWS, settings.block_size)
    starts = np.append(np.arange(0, X.shape[0], size), X.shape[0])
    return RowBlocks(starts, lambda i: rows(matrix, slice(int(starts[i]), int(starts[i + 1]))))
