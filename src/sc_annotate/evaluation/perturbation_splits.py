"""Splits of the conditions of a perturbation screen: what is tested was not trained on, by target gene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.evaluation.splits import Split, check_fraction, leave_one_group_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["condition_folds", "double_split", "leave_one_covariate_out", "single_split"]


def _conditions(targets: Sequence[Iterable[str]]) -> list[tuple[str, ...]]:
    """Targets of each condition, sorted; the control and bare names are refused."""
    out = []
    for entry in targets:
        if isinstance(entry, str):
            raise InputError(f"a condition is a tuple of target genes: write ({entry!r},) instead of {entry!r}.")
        names = tuple(sorted({str(name) for name in entry}))
        if not names:
            raise InputError("targets has a condition without targets: leave the control out, it is always trained on.")
        out.append(names)
    if not out:
        raise InputError("targets is empty. Pass at least two conditions.")
    return out


def _shuffled(names: Iterable[object], rng: int) -> list[object]:
    """In an order that depends on the names and the seed, not on the order they came in."""
    unique = sorted(set(names), key=str)
    return [unique[i] for i in np.random.default_rng(rng).permutation(len(unique))]


def double_split(targets: Sequence[tuple[str, ...]], rng: int = 0, *, fraction: float = 0.5) -> Split:
    """Hold out a random half of the combinations; all singles are trained on.

    The paper's split for double perturbations (its validation and test halves are scored together there). A
    combination is any condition of two or more targets.

    Parameters
    ----------
    targets
        Perturbed genes of each condition, without the control; n tuples.
    rng
        Seed. The same conditions in another order are split alike.
    fraction
        Share of the combinations to hold out, at least one.

    Raises
    ------
    sc_annotate.errors.InputError
        Fewer than two combinations, the control among the conditions, or a fraction outside (0, 1).

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, `doi:10.1038/s41592-025-02772-6 <https://doi.org/10.1038/s41592-025-02772-6>`_.

    Examples
    --------
    >>> from sc_annotate.evaluation import double_split
    >>> split = double_split([("A",), ("B",), ("C",), ("A", "B"), ("A", "C")])
    >>> split.name, len(split.train), len(split.test)
    ('1 of 2 combinations held out', 4, 1)
    """
    conditions = _conditions(targets)
    check_fraction(fraction)
    combinations = {t for t in conditions if len(t) > 1}
    if len(combinations) < 2:
        raise InputError(f"targets has {len(combinations)} combinations, but a split of them takes two or more.")
    n = min(max(round(fraction * len(combinations)), 1), len(combinations) - 1)
    held_out = set(_shuffled(combinations, rng)[:n])
    test = np.array([t in held_out for t in conditions])
    name = f"{n} of {len(combinations)} combinations held out"
    return Split(name, np.flatnonzero(~test), np.flatnonzero(test))


def single_split(targets: Sequence[tuple[str, ...]], fraction: float = 0.25, rng: int = 0) -> Split:
    """Hold out target genes: every condition with one of them is tested, and none of it is trained on.

    Parameters
    ----------
    targets
        Perturbed genes of each condition, without the control; n tuples.
    fraction
        Share of the target genes to hold out, at least one.
    rng
        Seed. The same conditions in another order are split alike.

    Raises
    ------
    sc_annotate.errors.InputError
        Fewer than two targets, no condition left to train on, the control among the conditions, or a fraction outside
        (0, 1).

    Examples
    --------
    >>> from sc_annotate.evaluation import single_split
    >>> split = single_split([("A",), ("B",), ("C",), ("D",)])
    >>> split.name, len(split.train), len(split.test)
    ('1 of 4 targets held out', 3, 1)
    """
    conditions = _conditions(targets)
    check_fraction(fraction)
    genes = {name for t in conditions for name in t}
    if len(genes) < 2:
        raise InputError(f"targets has only one target, {next(iter(genes))!r}; holding it out leaves nothing.")
    n = min(max(round(fraction * len(genes)), 1), len(genes) - 1)
    held_out = set(_shuffled(genes, rng)[:n])
    test = np.array([not held_out.isdisjoint(t) for t in conditions])
    if test.all():
        raise InputError(f"every condition has one of the {n} held-out targets. Choose a smaller fraction.")
    return Split(f"{n} of {len(genes)} targets held out", np.flatnonzero(~test), np.flatnonzero(test))


def condition_folds(
    targets: Sequence[tuple[str, ...]],
    k: int = 5,
    rng: int = 0,
    *,
    kind: Literal["singles", "combinations"] | None = None,
) -> list[Split]:
    """Folds over conditions, each tested once: unseen singles, or unseen combinations.

    Parameters
    ----------
    targets
        Perturbed genes of each condition, without the control; n tuples.
    k
        Number of folds; fewer where there are fewer targets (singles) or combinations to deal out.
    rng
        Seed. The same conditions in another order are split alike.
    kind
        ``"singles"``: folds by target gene. Conditions of one target alone are tested; none that has this target is
        trained on, so combinations with it are in neither part of that fold.
        ``"combinations"``: folds over combinations; singles are always trained on.
        None: combinations where there are two or more of them, else singles.

    Returns
    -------
    One split a fold, named ``fold 1``, ``fold 2`` and so on.

    Raises
    ------
    sc_annotate.errors.InputError
        Fewer than two folds, fewer than two targets or combinations, a fold without training conditions, or
        the control among the conditions.

    Examples
    --------
    >>> from sc_annotate.evaluation import condition_folds
    >>> targets = [("A",), ("B",), ("C",), ("A", "B"), ("B", "C")]
    >>> [(len(split.train), len(split.test)) for split in condition_folds(targets, 2)]
    [(4, 1), (4, 1)]
    >>> [len(split.test) for split in condition_folds(targets, 3, kind="singles")]
    [1, 1, 1]
    """
    conditions = _conditions(targets)
    if kind not in (None, "singles", "combinations"):
        raise InputError(f"kind must be 'singles', 'combinations' or None, not {kind!r}.")
    if isinstance(k, bool) or k < 2:
        raise InputError(f"k is {k}, but there must be two folds or more.")
    if kind is None:
        kind = "combinations" if len({t for t in conditions if len(t) > 1}) >= 2 else "singles"
    single = kind == "singles"
    tested = np.array([(len(t) == 1) == single for t in conditions])
    units = _shuffled((t for t, yes in zip(conditions, tested, strict=True) if yes), rng)
    if len(units) < 2:
        raise InputError(f"targets has {len(units)} different {kind}, but folds over them take two or more.")
    place = {unit: i % k for i, unit in enumerate(units)}
    fold = np.array([place[t] if yes else -1 for t, yes in zip(conditions, tested, strict=True)])
    splits = []
    for i in range(min(k, len(units))):
        held_out = {name for t, f in zip(conditions, fold, strict=True) if f == i for name in t}
        train = _train(conditions, fold == i, held_out if single else set())
        if not train.size:
            raise InputError(f"fold {i + 1} has no conditions left to train on. Take more folds.")
        splits.append(Split(f"fold {i + 1}", train, np.flatnonzero(fold == i)))
    return splits


def _train(conditions: list[tuple[str, ...]], test: NDArray[np.bool_], banned: set[str]) -> NDArray[np.intp]:
    """Conditions that are not tested and have no banned target."""
    return np.flatnonzero(~test & np.array([banned.isdisjoint(t) for t in conditions]))


def leave_one_covariate_out(covariate: ArrayLike) -> list[Split]:
    """Each covariate (cell line, donor) in turn is the test set; the split carries its name.

    Parameters
    ----------
    covariate
        Of each condition, shape (n,), at least two of them.

    Raises
    ------
    sc_annotate.errors.InputError
        One covariate only, or entries missing.

    Examples
    --------
    >>> from sc_annotate.evaluation import leave_one_covariate_out
    >>> [(split.name, split.test.tolist()) for split in leave_one_covariate_out(["RPE1", "K562", "RPE1"])]
    [('K562', [1]), ('RPE1', [0, 2])]
    """
    return leave_one_group_out(covariate)
