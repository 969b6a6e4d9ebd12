"""Splits of cells into training and test: nothing that is tested on was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.evaluation._split import Split, missing_types, split_by
from sc_annotate.evaluation.allocation import deal
from sc_annotate.evaluation.leave_out import holdout, leave_one_group_out, leave_one_type_out
from sc_annotate.metrics.encoding import encode, same_length

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

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
