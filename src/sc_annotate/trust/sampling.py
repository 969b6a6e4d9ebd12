"""Which cells of a reference to learn distances from, and which of them to hold out together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.evaluation.allocation import deal

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    for code in np.flatnonzero(np.bincount(codes, minlength=codes.max() + 1)):
        short = least - int(chosen[codes == code].sum())
        if short > 0:
            more[order[n:][codes[order[n:]] == code][:short]] = True
    kept = np.flatnonzero(more)
    return kept, chosen[kept]


def folds(codes: NDArray[np.intp], batch: NDArray[Any] | None, n: int, random: np.random.Generator) -> NDArray[np.intp]:
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
