"""Splits of cells into training and test: nothing that is tested on was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.evaluation.allocation import choose_groups, deal, hold_out_cells
from sc_annotate.metrics.encoding import encode, same_length

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Split:
    """One division of the cells; `train` and `test` are sorted row numbers and share none."""

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


def split_by(name: str, test: NDArray[np.bool_]) -> Split:
    """The split that tests the marked cells and trains on the others."""
    return Split(name, np.flatnonzero(~test), np.flatnonzero(test))


def check_fraction(fraction: float) -> None:
    """Raise unless a share is held out and a share is left."""
    if not 0 < fraction < 1:
        raise InputError(f"fraction is {fraction}, but must lie between 0 and 1, both excluded.")


def missing_types(y: ArrayLike, split: Split) -> NDArray[np.str_]:
    """Types that are tested on but have no training cell, sorted: no method can get these right.

    Parameters
    ----------
    y
        Type of each cell, shape (n,).
    split
        One split of these cells.

    Examples
    --------
    >>> from sc_annotate.evaluation import leave_one_type_out, missing_types
    >>> y = ["B"] * 5 + ["T"] * 5
    >>> [missing_types(y, split).tolist() for split in leave_one_type_out(y)]
    [['B'], ['T']]
    """
    types, codes = encode(y, "y")
    return types[np.setdiff1d(codes[split.test], codes[split.train])]


__all__ = ["Split", "grouped", "holdout", "leave_one_group_out", "leave_one_type_out", "missing_types", "stratified"]


def _check_folds(n_splits: int, n: int, what: str) -> None:
    if not 2 <= n_splits <= n:
        raise InputError(f"n_splits is {n_splits}, but must be between 2 and the number of {what}, {n}.")


def stratified(y: ArrayLike, n_splits: int = 5, *, rng: int = 0) -> list[Split]:
    """Shuffled folds with the types spread evenly; each cell is tested on once.

    A type with fewer cells than folds is spread over as many folds as it has cells; a type with one cell is absent
    from the training cells of the fold that tests it (see `missing_types`).

    Parameters
    ----------
    y
        Type of each cell, shape (n,).
    n_splits
        Number of folds, 2 or more.
    rng
        Seed.

    Returns
    -------
    One split a fold, named ``fold 1``, ``fold 2`` and so on.

    Raises
    ------
    sc_annotate.errors.InputError
        Fewer cells than folds, fewer than two folds, or labels missing.

    Examples
    --------
    >>> from sc_annotate.evaluation import stratified
    >>> y = ["B"] * 10 + ["T"] * 20 + ["NK"]
    >>> [len(split.test) for split in stratified(y, 5)]
    [6, 6, 7, 6, 6]
    """
    _, codes = encode(y, "y")
    _check_folds(n_splits, codes.size, "cells")
    fold = deal(codes, n_splits, np.random.default_rng(rng))
    return [split_by(f"fold {i + 1}", fold == i) for i in range(n_splits)]


def grouped(y: ArrayLike, groups: ArrayLike, n_splits: int = 5, *, rng: int = 0) -> list[Split]:
    """Folds that keep whole groups (donors, batches) together, with the types as even as that allows.

    scikit-learn's ``StratifiedGroupKFold`` does it. A type that only one fold has is not in the training cells of that
    fold (see `missing_types`).

    Parameters
    ----------
    y
        Type of each cell, shape (n,).
    groups
        Group of each cell, shape (n,).
    n_splits
        Number of folds, from 2 to the number of groups.
    rng
        Seed.

    Returns
    -------
    One split a fold, named ``fold 1``, ``fold 2`` and so on; each tests at least one group.

    Raises
    ------
    sc_annotate.errors.InputError
        Fewer groups than folds, fewer than two folds, lengths that differ, or labels or groups missing.

    Examples
    --------
    >>> from sc_annotate.evaluation import grouped
    >>> y = ["B", "T"] * 6
    >>> donors = ["d1"] * 4 + ["d2"] * 4 + ["d3"] * 4
    >>> [len(split.test) for split in grouped(y, donors, 3)]
    [4, 4, 4]
    """
    _, codes = encode(y, "y")
    names, group = encode(groups, "groups")
    same_length(codes.size, group.size, "groups")
    _check_folds(n_splits, names.size, "groups")
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    # scikit-learn warns of types with fewer cells than folds. They cannot be even anyway, so they pass as the largest.
    n = np.bincount(codes)
    strata = np.where(n[codes] < n_splits, n.argmax(), codes)
    folds = [
        test for _, test in StratifiedGroupKFold(n_splits, shuffle=True, random_state=rng).split(codes, strata, group)
    ]
    if min(map(len, folds)) == 0:
        # Its greedy rule can leave a fold empty where group sizes differ much; sizes alone never do.
        folds = [test for _, test in GroupKFold(n_splits).split(codes, groups=group)]
    everyone = np.arange(codes.size)
    return [split_by(f"fold {i + 1}", np.isin(everyone, test)) for i, test in enumerate(folds)]


__all__ = ["holdout", "leave_one_group_out", "leave_one_type_out"]


def leave_one_group_out(groups: ArrayLike) -> list[Split]:
    """Each group in turn is the test set; the split carries its name.

    Parameters
    ----------
    groups
        Group of each cell, shape (n,), at least two of them.

    Raises
    ------
    sc_annotate.errors.InputError
        One group only, or groups missing.

    Examples
    --------
    >>> from sc_annotate.evaluation import leave_one_group_out
    >>> [(split.name, split.test.tolist()) for split in leave_one_group_out(["d2", "d1", "d2"])]
    [('d1', [1]), ('d2', [0, 2])]
    """
    names, codes = encode(groups, "groups")
    if names.size < 2:
        raise InputError(f"groups has only one group, {names[0]!r}; leaving it out leaves nothing to train on.")
    return [split_by(str(name), codes == i) for i, name in enumerate(names)]


def leave_one_type_out(y: ArrayLike, *, fraction: float = 0.2, rng: int = 0) -> list[Split]:
    """Each type in turn is taken out of the training cells, to see whether its cells are detected as out of distribution.

    The test set is all cells of the type plus held-out cells of the other types. The same cells of the other types are
    held out in every split, so that the splits can be compared.

    Parameters
    ----------
    y
        Type of each cell, shape (n,), at least two types.
    fraction
        Share of the cells of each other type to hold out: at least one cell, and none of a type with one cell.
    rng
        Seed.

    Returns
    -------
    One split a type, with its name.

    Raises
    ------
    sc_annotate.errors.InputError
        One type only, a fraction outside (0, 1), or labels missing.

    Examples
    --------
    >>> from sc_annotate.evaluation import leave_one_type_out
    >>> y = ["B"] * 10 + ["T"] * 20
    >>> [(split.name, len(split.train), len(split.test)) for split in leave_one_type_out(y)]
    [('B', 16, 14), ('T', 8, 22)]
    """
    types, codes = encode(y, "y")
    check_fraction(fraction)
    if types.size < 2:
        raise InputError(f"y has only one type, {types[0]!r}; leaving it out leaves nothing to train on.")
    out = hold_out_cells(codes, fraction, np.random.default_rng(rng))
    return [split_by(str(name), out | (codes == i)) for i, name in enumerate(types)]


def holdout(y: ArrayLike, *, groups: ArrayLike | None = None, fraction: float = 0.2, rng: int = 0) -> Split:
    """One training and one test set: whole groups held out where there are two or more, else a stratified share.

    By groups, the held-out ones make up about `fraction` of the cells: among the choices that come about as close as
    can be (a deviation of half of `fraction` beyond the best is accepted), the one taken leaves the fewest tested types
    without training cells. Which are still missing is said in the name of the split, and by `missing_types`.

    Stratified, `fraction` of each type is held out: at least one cell, never all of them, and none of a type with a
    single cell, which therefore is not tested.

    Parameters
    ----------
    y
        Type of each cell, shape (n,).
    groups
        Group of each cell (donor, batch), shape (n,). With one group only, the split is stratified.
    fraction
        Share of the cells to hold out.
    rng
        Seed.

    Raises
    ------
    sc_annotate.errors.InputError
        A fraction outside (0, 1), lengths that differ, labels or groups missing, or no type with two cells.

    Examples
    --------
    >>> from sc_annotate.evaluation import holdout
    >>> y = ["B"] * 10 + ["T"] * 20
    >>> split = holdout(y)
    >>> split.name, len(split.test)
    ('20% of the cells of each type held out', 6)
    >>> holdout(y, groups=["d1", "d2", "d3"] * 10, fraction=0.3).name
    '1 of 3 groups held out (d3)'
    """
    types, codes = encode(y, "y")
    check_fraction(fraction)
    generator = np.random.default_rng(rng)
    if groups is not None:
        names, group = encode(groups, "groups")
        same_length(codes.size, group.size, "groups")
        if names.size > 1:
            table = np.bincount(group * types.size + codes, minlength=names.size * types.size)
            out = choose_groups(table.reshape(names.size, types.size), fraction, generator)
            split = split_by(f"{out.sum()} of {out.size} groups held out ({_listed(names[out])})", out[group])
            lost = missing_types(y, split)
            untaught = f"; without training cells: {_listed(lost)}" if lost.size else ""
            return Split(split.name + untaught, split.train, split.test)
    test = hold_out_cells(codes, fraction, generator)
    if not test.any():
        raise InputError("every type in y has a single cell, so none can be held out. Label more cells.")
    return split_by(f"{100 * fraction:g}% of the cells of each type held out", test)


def _listed(names: NDArray[np.str_]) -> str:
    more = f" and {names.size - 5} more" if names.size > 5 else ""
    return ", ".join(names[:5].tolist()) + more
