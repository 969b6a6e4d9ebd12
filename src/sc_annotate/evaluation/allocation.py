"""Which cells are drawn, and which are held out together: the arithmetic behind splits and samples, on integer codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Up to this many groups, all subsets are looked at; above, this many random ones.
_ENUMERATE = 12
_DRAWS = 4096


def deal(codes: NDArray[np.intp], n_folds: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Fold of each cell: within each type as even as can be, and over all cells too.

    Cells are sorted by type, shuffled within it, and dealt like cards. A type with fewer cells than folds ends up in
    as many folds as it has cells.
    """
    type_order = rng.permutation(int(codes.max()) + 1)
    order = np.lexsort((rng.random(codes.size), type_order[codes]))
    fold = np.empty(codes.size, dtype=np.intp)
    fold[order] = rng.permutation(n_folds)[np.arange(codes.size) % n_folds]
    return fold


def hold_out_cells(codes: NDArray[np.intp], fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mark the share `fraction` of each type, at least one cell and never all; none of a type with one cell."""
    n = np.bincount(codes)
    n_out = np.clip(np.rint(fraction * n), 1, np.maximum(n - 1, 1)).astype(np.intp)
    n_out[n < 2] = 0
    order = np.lexsort((rng.random(codes.size), codes))
    rank = np.empty(codes.size, dtype=np.intp)
    rank[order] = np.arange(codes.size) - np.repeat(np.cumsum(n) - n, n)
    out: NDArray[np.bool_] = rank < n_out[codes]
    return out


def choose_groups(table: NDArray[np.intp], fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which groups to hold out, given the cells of each (group, type).

    Among the subsets whose size is about as close to `fraction` as can be (half of `fraction` is given away for it),
    take the one that leaves the fewest of its types without training cells; then the closest one.
    """
    n_groups = table.shape[0]
    if n_groups <= _ENUMERATE:
        subsets = (np.arange(1, 2**n_groups - 1)[:, None] >> np.arange(n_groups)) & 1
        subsets = rng.permutation(subsets)
    else:
        subsets = _random_subsets(table.sum(axis=1), fraction, rng)
    test = subsets @ table
    train = table.sum(axis=0) - test
    off = np.abs(test.sum(axis=1) / table.sum() - fraction)
    missing = ((test > 0) & (train == 0)).sum(axis=1)
    close = off <= off.min() + fraction / 2
    best = np.lexsort((off, missing, ~close))[0]
    chosen: NDArray[np.bool_] = subsets[best].astype(bool)
    return chosen


def _random_subsets(sizes: NDArray[np.intp], fraction: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """Groups in random orders, each cut where its size comes closest to `fraction`."""
    order = rng.permuted(np.tile(np.arange(sizes.size), (_DRAWS, 1)), axis=1)
    off = np.abs(np.cumsum(sizes[order], axis=1)[:, :-1] / sizes.sum() - fraction)
    taken = np.arange(sizes.size) <= off.argmin(axis=1)[:, None]
    subsets = np.zeros(order.shape, dtype=np.intp)
    np.put_along_axis(subsets, order, taken.astype(np.intp), axis=1)
    return subsets


# So many cells of a rare type are learned from even where the cap leaves fewer.
_RARE = 50


def sample(
    codes: NDArray[np.intp], n: int, random: np.random.Generator, *, least: int = _RARE
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Cells to learn from, ascending, and which of them are a plain random sample of all.

    `n` cells, and more of the types that would have fewer than `least` of them, as far as there are.

    The others are more cells of rare types: they help to place those, but would distort the reference scores.
    """
    if codes.size <= n:
        return np.arange(codes.size), np.ones(codes.size, dtype=bool)
    order = random.permutation(codes.size)
    chosen = np.zeros(codes.size, dtype=bool)
    chosen[order[:n]] = True
    more = chosen.copy()
    rest = order[n:]
    short = least - np.bincount(codes[chosen], minlength=codes.max() + 1)
    more[rest[by_rank(codes[rest]) < short[codes[rest]]]] = True
    kept = np.flatnonzero(more)
    return kept, chosen[kept]


def by_rank(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which of its type each cell is, from 0."""
    n, by_type = np.bincount(codes), np.argsort(codes, kind="stable")
    rank = np.empty(codes.size, dtype=np.intp)
    rank[by_type] = np.arange(codes.size) - np.repeat(np.cumsum(n) - n, n)
    return rank


def folds(codes: NDArray[np.intp], batch: NDArray[Any] | None, n: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Fold of each cell, whole batches together where there are any."""
    if batch is None:
        return deal(codes, min(n, codes.size), random)
    names, group = np.unique(batch.astype(str), return_inverse=True)
    if names.size < 2:
        return deal(codes, min(n, codes.size), random)
    # The largest batches first, each to the fold that has the fewest cells.
    sizes = np.bincount(group)
    fold_of, filled = np.zeros(names.size, dtype=np.intp), np.zeros(min(n, names.size))
    for i in np.argsort(-sizes, kind="stable"):
        fold_of[i] = filled.argmin()
        filled[fold_of[i]] += sizes[i]
    return fold_of[group]
