"""Sums over groups of cells, block by block, wherever the matrix is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core.arrays import rows
from sc_annotate._data.stream import each_block

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.transform import Transform

# A group has a row in the sums of each block, so larger blocks have less to add up.
_CELLS = 16_384


@dataclass(frozen=True)
class GroupSums:
    """Cells, sums and sums of squares of each group, groups x genes."""

    n: NDArray[np.int64]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]


@dataclass(frozen=True)
class _Add:
    transform: Transform
    group: NDArray[np.int32]

    def __call__(
        self, where: slice, block: Any
    ) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]] | None:
        used = np.flatnonzero(self.group[where] >= 0)
        if not used.size:
            return None
        whole = used.size == where.stop - where.start
        cells = self.transform(block if whole else rows(block, used), where if whole else used + where.start)
        # Only the groups of this block: a cluster sends the sums over the network.
        present, code = np.unique(self.group[used + where.start], return_inverse=True)
        if not sparse.issparse(cells):
            groups = sparse.csr_matrix((np.ones(used.size), (code, np.arange(used.size))))
            return present, groups @ cells, groups @ np.square(cells, dtype=np.float64)
        from sc_annotate._data.group_kernels import add_rows

        sums, squares = np.zeros((2, present.size, cells.shape[1]))
        add_rows(cells.indptr, cells.indices, cells.data, code.astype(np.int64), sums, squares)
        return present, sums, squares


def group_sums(X: Any, transform: Transform, group: NDArray[np.int32], n_groups: int, *, progress: str) -> GroupSums:
    """Add up the cells of each group; those of group -1 are left out."""
    shape = (n_groups, int(X.shape[1]))
    sums, squares = np.zeros(shape), np.zeros(shape)
    work = _Add(transform, group)
    for _, part in each_block(work, [X], progress=progress, size=_CELLS):
        if part is None:
            continue
        present, total, square = part
        sums[present] += total
        squares[present] += square
    return GroupSums(np.bincount(group[group >= 0], minlength=n_groups).astype(np.int64), sums, squares)
