"""Predictions of a method that was fitted without one condition, for each condition in turn."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.predictors._screen import as_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from sc_annotate.predictors._screen import Screen

    Fold = tuple[NDArray[np.float64], NDArray[np.float64]]


def need_two(screen: Screen) -> None:
    """Raise where leaving one out leaves nothing."""
    if len(screen.targets) < 2:
        raise InputError("leaving one condition out needs a screen of at least two conditions.")


@public
def leave_one_out(
    predictor: Any, screen: Screen, targets: Sequence[tuple[str, ...]] = (), *, rng: int = 0
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Predictions of a method fitted without one condition, for each condition of a screen in turn.

    The errors of the left-out conditions, and what each of these fits predicts for new ones, are what jackknife+ intervals
    (Barber et al. 2021) are made of. The built-in methods come by them without fitting again, where that is exact.

    Parameters
    ----------
    predictor
        Any predictor; whether it is fitted does not matter, and it stays as it is.
    screen
        n conditions, at least two; p genes.
    targets
        m new conditions to predict from each of the fits.
    rng
        Seed of each fit.

    Yields
    ------
    For condition i, in their order: its profile predicted without it, float64, shape (p,), and the profiles of
    `targets` predicted without it, float64, shape (m, p); NaN where they cannot be predicted. Both stand beside
    ``screen.control``: where controls are matched, compare changes (prediction minus ``screen.control`` with
    ``screen.delta``).

    Raises
    ------
    sc_annotate.errors.InputError
        A screen of one condition.

    References
    ----------
    Barber, Candès, Ramdas & Tibshirani 2021, Annals of Statistics 49:486.

    Examples
    --------
    >>> from sc_annotate.predictors import Screen, leave_one_out
    >>> from sc_annotate.predictors.mean import Mean
    >>> screen = Screen(["A", "B"], [1.0, 1.0], [[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]], [("A",), ("B",), ("C",)])
    >>> [own.tolist() for own, _ in leave_one_out(Mean(), screen)]
    [[3.0, 1.0], [2.0, 1.0], [1.0, 1.0]]
    """
    need_two(screen)
    own = getattr(predictor, "leave_one_out", None)
    if own is not None:
        folds: Iterator[Fold] = own(screen, targets, rng=rng)
        return folds
    return refits(lambda: deepcopy(predictor), screen, targets, rng)


@public
def refits(
    fresh: Callable[[], Any], screen: Screen, targets: Sequence[tuple[str, ...]], rng: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Leave out each training condition in turn, by fitting as often as there are conditions.

    Parameters
    ----------
    fresh
        Makes an unfitted predictor.
    screen
        The training conditions; at least two.
    targets
        Further conditions to predict from each fit.
    rng
        Seed of every fit.

    Yields
    ------
    For each condition of the screen its profile predicted without it, shape (p,), and those of `targets`, shape (m, p).

    Examples
    --------
    >>> from sc_annotate.predictors import Screen, refits
    >>> from sc_annotate.predictors.mean import Mean
    >>> screen = Screen(["A"], [1.0], [[2.0], [4.0]], [("A",), ("B",)])
    >>> [own.tolist() for own, _ in refits(Mean, screen, [], 0)]
    [[4.0], [2.0]]
    """
    need_two(screen)
    new = as_targets(targets)
    return _refits(fresh, screen, new, rng)


def _refits(fresh: Callable[[], Any], screen: Screen, new: list[tuple[str, ...]], rng: int) -> Iterator[Fold]:
    everyone = np.arange(len(screen.targets))
    for i, left_out in enumerate(screen.targets):
        model = fresh()
        fitted = model.fit(screen.select(np.delete(everyone, i)), rng=rng)
        out = np.asarray((model if fitted is None else fitted).predict([left_out, *new]), dtype=np.float64)
        yield out[0], out[1:]
