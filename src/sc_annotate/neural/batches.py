"""Minibatches: cells as blocks of rows, of which no more than one minibatch is dense at a time."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.sparse import issparse, vstack

from sc_annotate._core.settings import n_threads, on_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Self

    from numpy.typing import NDArray

BUFFER = 8192
"""Cells that are shuffled together..."""
FEWEST_BLOCKS = 4
"""... from so many blocks at least."""


class Blocks(Protocol):
    """Cells to learn from, in blocks of rows, in another order in each epoch."""

    @property
    def n_cells(self) -> int:
        """Cells in all blocks together."""
        ...

    def epoch(self, seed: tuple[int, ...]) -> Iterator[tuple[Any, NDArray[np.intp]]]:
        """Blocks with all cells once, in an order drawn from `seed`: cells x genes (CSR or dense), and one type a cell."""
        ...


class Cells(Blocks, Protocol):
    """Cells with their types, of which a method may choose some before it learns from them."""

    @property
    def codes(self) -> NDArray[np.intp]:
        """Type of each cell, shape (n,)."""
        ...

    @property
    def n_genes(self) -> int:
        """Columns of each block."""
        ...

    def part(self, cells: NDArray[np.intp]) -> Cells:
        """Some of the cells; their numbers ascend."""
        ...

    def in_order(self) -> Iterator[tuple[Any, NDArray[np.intp]]]:
        """Blocks with all cells once, in their own order."""
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

    @property
    def n_genes(self) -> int:
        """Columns of the matrix."""
        return int(self.X.shape[1])

    def part(self, cells: NDArray[np.intp]) -> Self:
        """Some of the cells."""
        return replace(self, X=self.X[cells], codes=self.codes[cells])

    def in_order(self) -> Iterator[tuple[Any, NDArray[np.intp]]]:
        """The matrix."""
        yield self.X, self.codes

    def epoch(self, seed: tuple[int, ...]) -> Iterator[tuple[Any, NDArray[np.intp]]]:
        """All cells once, drawn from the whole matrix."""
        order = np.random.default_rng(seed).permutation(self.n_cells)
        for part in np.array_split(order, max(1, -(-self.n_cells // self.size))):
            yield self.X[part], self.codes[part]


@dataclass(frozen=True)
class StreamedBlocks:
    """Cells that are read block by block in each epoch: no more than a buffer of them is in memory.

    Blocks come in random order. As many as make up the buffer are shuffled together, so that cells which lie side by side in
    a file are spread over many minibatches.

    Parameters
    ----------
    read
        Cells of the block with a number, cells x genes, CSR or dense; called on several threads.
    starts
        Number of the first cell of each block, and of the cell after the last one.
    codes
        Type of each cell that is used, shape (n,).
    n_genes
        Columns of each block.
    used
        Numbers of these cells, ascending; None: all.
    buffer
        Cells that are shuffled together; more where these are fewer than four blocks.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(6, dtype=np.float32)[:, None]
    >>> cells = StreamedBlocks(lambda i: X[2 * i : 2 * i + 2], np.array([0, 2, 4, 6]), np.zeros(6, np.intp), 1)
    >>> [block.ravel().tolist() for block, _ in cells.part(np.array([0, 5])).in_order()]
    [[0.0], [5.0]]
    """

    read: Callable[[int], Any]
    starts: NDArray[np.intp]
    codes: NDArray[np.intp]
    n_genes: int
    used: NDArray[np.intp] | None = None
    buffer: int = BUFFER

    @property
    def n_cells(self) -> int:
        """Cells that are used."""
        return len(self.codes)

    def part(self, cells: NDArray[np.intp]) -> Self:
        """Some of the cells; blocks without any are not read."""
        return replace(self, used=cells if self.used is None else self.used[cells], codes=self.codes[cells])

    def in_order(self) -> Iterator[tuple[Any, NDArray[np.intp]]]:
        """Block after block."""
        return self._blocks(np.arange(len(self.starts) - 1))

    def epoch(self, seed: tuple[int, ...]) -> Iterator[tuple[Any, NDArray[np.intp]]]:
        """All cells once, a buffer at a time."""
        random = np.random.default_rng(seed)
        parts: list[tuple[Any, NDArray[np.intp]]] = []
        with closing(self._blocks(random.permutation(len(self.starts) - 1))) as blocks:
            for block in blocks:
                parts.append(block)
                if len(parts) >= FEWEST_BLOCKS and sum(len(codes) for _, codes in parts) >= self.buffer:
                    yield _shuffled(parts, random)
                    parts = []
        if parts:
            yield _shuffled(parts, random)

    def _blocks(self, order: NDArray[np.intp]) -> Generator[tuple[Any, NDArray[np.intp]], None, None]:
        # Read ahead, while the network learns.
        tasks = (partial(self._block, *found) for found in map(self._wanted, order) if len(found[1]))
        yield from on_threads(tasks, max(2, n_threads()))

    def _wanted(self, number: np.intp) -> tuple[int, NDArray[np.intp], slice]:
        """A block, which of its cells are used, and where these are among all that are used."""
        start, stop = int(self.starts[number]), int(self.starts[number + 1])
        if self.used is None:
            return int(number), np.arange(stop - start), slice(start, stop)
        low, high = np.searchsorted(self.used, [start, stop])
        return int(number), self.used[low:high] - start, slice(int(low), int(high))

    def _block(self, number: int, inside: NDArray[np.intp], where: slice) -> tuple[Any, NDArray[np.intp]]:
        X = self.read(number)
        return X if len(inside) == X.shape[0] else X[inside], self.codes[where]


def _shuffled(parts: list[tuple[Any, NDArray[np.intp]]], random: np.random.Generator) -> tuple[Any, NDArray[np.intp]]:
    blocks = [X for X, _ in parts]
    X = vstack(blocks, format="csr") if issparse(blocks[0]) else np.concatenate(blocks)
    order = random.permutation(X.shape[0])
    return X[order], np.concatenate([codes for _, codes in parts])[order]


def n_minibatches(n_cells: int, size: int) -> int:
    """Minibatches an epoch."""
    return max(1, -(-n_cells // size))


def minibatches(
    blocks: Blocks, size: int, seed: tuple[int, ...], *, share: int = 0, shares: int = 1
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.intp]]]:
    """Dense minibatches of one epoch, all of about the same size, `size` at most.

    There are :func:`n_minibatches` of them, whatever the sizes of the blocks. None has a single cell where there are
    more, since a batch of one has no variance. With several `shares` each minibatch is divided among as many processes, of
    which this is number `share`.
    """
    n = blocks.n_cells
    # Where each share of each minibatch ends, in cells.
    ends = np.linspace(0, n, n_minibatches(n, size) * shares + 1).astype(int)[1:]
    at, waiting = 0, []
    held = 0
    for X, codes in blocks.epoch(seed):
        start = 0
        while start < len(codes):
            first = ends[at] - (ends[at - 1] if at else 0) - held
            stop = min(len(codes), start + int(first))
            if at % shares == share:
                waiting.append((as_dense(X[start:stop]), codes[start:stop]))
            held += stop - start
            start = stop
            if held == ends[at] - (ends[at - 1] if at else 0):
                if waiting:
                    yield _joined(waiting)
                at, waiting, held = at + 1, [], 0


def _joined(parts: list[tuple[NDArray[np.float32], NDArray[np.intp]]]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([X for X, _ in parts]), np.concatenate([codes for _, codes in parts])


def as_dense(X: Any) -> NDArray[np.float32]:
    """`X` as a float32 array of its own."""
    return np.ascontiguousarray(X.toarray() if issparse(X) else X, dtype=np.float32)
