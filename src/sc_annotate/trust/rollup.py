"""If the fine label is weak, the broad one: the most specific term that holds enough of the probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["common_term", "roll_up"]

_ROWS = 65_536
"""Cells that are worked on at once: cells x terms must not fill the memory."""


@public
def roll_up(
    p: ArrayLike, membership: ArrayLike, *, coverage: float = 0.9, depth: ArrayLike | None = None
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Find the most specific term whose probability reaches a level, for each cell.

    The mass of a term is the summed probability of the types at or under it. Of the terms whose mass reaches `coverage`,
    the one with the fewest types wins; then the one with the larger mass, then the deeper one. If the probabilities are
    calibrated, the mass is the chance that the cell is what the term says. With a coverage above one half no two terms
    without a type in common can both reach it.

    Parameters
    ----------
    p
        Probabilities of the types, cells x types, shape (n, k). A row of NaN is a cell without a label.
    membership
        Which types lie at or under each term, bool, shape (terms, k). One term must hold all types.
    coverage
        The mass to reach, above 0 and up to 1.
    depth
        How deep each term lies, shape (terms,); by default all are alike.

    Returns
    -------
    Position of the term of each cell, -1 without a label; and its mass, NaN without a label. Both of shape (n,). Where
    rounding, or probabilities that were not kept, leave even the top below `coverage`, the top it is.

    Raises
    ------
    sc_annotate.errors.InputError
        Arrays that do not fit, a term without types, no term that holds all, or a coverage out of range.

    Examples
    --------
    >>> from sc_annotate.trust import roll_up
    >>> p = [[0.95, 0.03, 0.02], [0.6, 0.35, 0.05], [0.4, 0.2, 0.4]]
    >>> terms = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1]]
    >>> term, mass = roll_up(p, terms)
    >>> term.tolist(), mass.round(2).tolist()
    ([0, 3, 4], [0.95, 0.95, 1.0])
    """
    if not isinstance(coverage, int | float | np.number) or isinstance(coverage, bool) or not 0 < coverage <= 1:
        raise InputError(f"coverage must be a share above 0 and up to 1, not {coverage!r}.")
    values = np.asarray(p)
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise InputError("p holds infinite values: probabilities are needed.")
    under, order, top = _terms(membership, depth, values)
    sizes = under.sum(axis=1)
    term = np.full(len(values), -1, dtype=np.intp)
    mass = np.full(len(values), np.nan)
    for start in range(0, len(values), _ROWS):
        block = values[start : start + _ROWS].astype(np.float64)
        masses = block @ under[order].T.astype(np.float64)
        chosen = np.full(len(block), -1, dtype=np.intp)
        named = ~np.isnan(block).any(axis=1)
        for size in np.unique(sizes[order]):
            columns = np.flatnonzero(sizes[order] == size)
            best = columns[np.argmax(masses[:, columns], axis=1)]
            enough = masses[np.arange(len(block)), best] >= coverage
            chosen = np.where((chosen < 0) & enough & named, best, chosen)
        chosen = np.where((chosen < 0) & named, np.flatnonzero(order == top)[0], chosen)
        rows = slice(start, start + len(block))
        term[rows] = np.where(named, order[chosen], -1)
        mass[rows] = np.where(named, np.minimum(masses[np.arange(len(block)), chosen], 1.0), np.nan)
    return term, mass


@public
def common_term(sets: ArrayLike, membership: ArrayLike, *, depth: ArrayLike | None = None) -> NDArray[np.intp]:
    """Find the most specific term above all types of a prediction set, for each cell.

    Of the terms that hold all types of the set, the one with the fewest types wins, then the deepest. If the set holds
    the true type as often as requested, so does the term.

    Parameters
    ----------
    sets
        Which types are in the set of each cell, bool, shape (n, k).
    membership, depth
        As in :func:`roll_up`.

    Returns
    -------
    Position of the term of each cell, -1 for an empty set, shape (n,).

    Raises
    ------
    sc_annotate.errors.InputError
        Arrays that do not fit, a term without types, or no term that holds all.

    Examples
    --------
    >>> from sc_annotate.trust import common_term
    >>> terms = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1]]
    >>> common_term([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]], terms).tolist()
    [0, 3, 4, -1]
    """
    chosen = np.asarray(sets)
    if chosen.dtype.kind not in "bui" or not np.isin(chosen, (0, 1)).all():
        raise InputError("sets must say yes or no for each cell and type (bool).")
    under, order, _ = _terms(membership, depth, chosen)
    term = np.full(len(chosen), -1, dtype=np.intp)
    outside = ~under[order].T
    for start in range(0, len(chosen), _ROWS):
        block = chosen[start : start + _ROWS].astype(np.float64)
        # Types of the set that the term lacks; the first term, of those in order, that lacks none.
        holds = block @ outside.astype(np.float64) == 0
        term[start : start + len(block)] = np.where(block.any(axis=1), order[holds.argmax(axis=1)], -1)
    return term


def _terms(
    membership: ArrayLike, depth: ArrayLike | None, cells: NDArray[np.generic]
) -> tuple[NDArray[np.bool_], NDArray[np.intp], int]:
    """Terms x types; the distinct terms from the most specific on; the one that holds all types."""
    under = np.asarray(membership)
    if under.ndim != 2 or not under.size or under.dtype.kind not in "bui" or not np.isin(under, (0, 1)).all():
        raise InputError("membership must say yes or no for each term and type (bool), shape (terms, types).")
    under = under.astype(bool)
    if cells.ndim != 2 or cells.shape[1] != under.shape[1] or cells.dtype.kind not in "bfui":
        raise InputError(
            f"membership is about {under.shape[1]} types; numbers of cells x {under.shape[1]} types are needed, not an array "
            f"of shape {cells.shape} and type {cells.dtype}."
        )
    if not under.any(axis=1).all():
        raise InputError(f"the term at position {int(np.argmin(under.any(axis=1)))} of membership holds no type.")
    deep = np.zeros(len(under)) if depth is None else np.asarray(depth)
    if deep.shape != (len(under),) or deep.dtype.kind not in "biuf":
        raise InputError(f"depth must be {len(under)} numbers, one a term, not {deep.dtype} of shape {deep.shape}.")
    order = np.lexsort((np.arange(len(under)), -deep, under.sum(axis=1)))
    # Of terms with the same types only the deepest is left: their masses are one number, but for rounding.
    _, first = np.unique(under[order], axis=0, return_index=True)
    order = order[np.sort(first)]
    if not under[order[-1]].all():
        raise InputError("no term of membership holds all types: put a root above them.")
    return under, order, int(order[-1])
