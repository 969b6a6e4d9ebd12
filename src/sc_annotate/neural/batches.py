"""Minibatches: cells as blocks of rows, of which no more than one minibatch is dense at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.sparse import issparse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


class Blocks(Protocol):
    """Cells to learn from, in blocks of rows, in another order in each epoch."""

    @property
    def n_cells(self) -> int:
        """Cells in all blocks together."""
        ...

    def epoch(self, seed: tuple[int, ...]) -> Iterator[tuple[Any, NDArray[np.intp]]]:
        """Blocks with all cells once, in an order drawn from `seed`: cells x genes (CSR or dense), and one type a cell."""
        ...


@dataclass(frozen=True)
class ArrayBlocks:
    """Cells of a matrix in memory.

    Parameters
    ----------
    X
        Cells x genes, CSR or dense.
    codes
        Type of each cell, shape (n,).
    size
        Cells of a block.
    """

    X: Any
    codes: NDArray[np.intp]
    size: int = 8192

    @property
    def n_cells(self) -> int:
        """Rows of the matrix."""
        return len(self.codes)

    def epoch(self, seed: tuple[int, ...]) -> Iterator[tuple[Any, NDArray[np.intp]]]:
        """All cells once, drawn from the whole matrix."""
        order = np.random.default_rng(seed).permutation(self.n_cells)
        for part in np.array_split(order, max(1, -(-self.n_cells // self.size))):
            yield self.X[part], self.codes[part]


def n_minibatches(n_cells: int, size: int) -> int:
    """Minibatches an epoch."""
    return max(1, -(-n_cells // size))


def minibatches(
    blocks: Blocks, size: int, seed: tuple[int, ...]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.intp]]]:
    """Dense minibatches of one epoch, all of about the same size, `size` at most.

    There are :func:`n_minibatches` of them, whatever the sizes of the blocks. None has a single cell where there are
    more, since a batch of one has no variance.
    """
    n = blocks.n_cells
    # Where each minibatch ends, in cells.
    ends = np.linspace(0, n, n_minibatches(n, size) + 1).astype(int)[1:]
    at, waiting = 0, []
    held = 0
    for X, codes in blocks.epoch(seed):
        start = 0
        while start < len(codes):
            first = ends[at] - (ends[at - 1] if at else 0) - held
            stop = min(len(codes), start + int(first))
            waiting.append((as_dense(X[start:stop]), codes[start:stop]))
            held += stop - start
            start = stop
            if held == ends[at] - (ends[at - 1] if at else 0):
                yield _joined(waiting)
                at, waiting, held = at + 1, [], 0


def _joined(parts: list[tuple[NDArray[np.float32], NDArray[np.intp]]]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([X for X, _ in parts]), np.concatenate([codes for _, codes in parts])


def as_dense(X: Any) -> NDArray[np.float32]:
    """`X` as a float32 array of its own."""
    return np.ascontiguousarray(X.toarray() if issparse(X) else X, dtype=np.float32)
