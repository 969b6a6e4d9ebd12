"""Calibrators on cells that they were not fitted on: what they make of these, and which to keep, by the log loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.trust._probabilities import check_fit
from sc_annotate.trust.calibration import Temperature, make_calibrator

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.trust.calibration import Calibrator

__all__ = ["cross_fit"]

_CLIP = 1e-6  # as in `metrics.log_loss`


@dataclass(frozen=True)
class Choice:
    """A calibrator fitted on all cells, what it makes of each cell when fitted on the other folds, and both log losses."""

    name: str
    calibrator: Calibrator
    proba: NDArray[np.float32]
    uncalibrated: float
    calibrated: float
    """Log loss of the one that was tried, also where it was not kept."""


def unit_weights(unit: NDArray[np.str_] | None, n: int) -> NDArray[np.float64]:
    """How much each cell counts: every unit (batch) as much as any other, however many cells it has; summing to 1."""
    if unit is None or n == 0:
        return np.full(n, 1 / max(n, 1))
    codes, sizes = np.unique(unit, return_inverse=True, return_counts=True)[1:]
    return np.asarray(1 / (sizes[codes] * sizes.size), dtype=np.float64)


def weighted_log_loss(proba: NDArray[np.floating], codes: NDArray[np.intp], weight: NDArray[np.float64]) -> float:
    """Mean of minus the log of the probability of the true class, cells counting by their weights."""
    own = np.asarray(proba[np.arange(codes.size), codes], dtype=np.float64)
    return float(-np.log(np.clip(own, _CLIP, 1.0)) @ weight / weight.sum())


def fitted(name: str, proba: NDArray[np.floating], codes: NDArray[np.intp], weight: NDArray[np.float64]) -> Calibrator:
    """A calibrator by its name; of all of them temperature scaling knows weights."""
    model = make_calibrator(name)
    if isinstance(model, Temperature) and np.ptp(weight) > 0:
        return model.fit(proba, codes, weight)
    return model.fit(proba, codes)


def choose(
    name: str,
    proba: NDArray[np.floating],
    codes: NDArray[np.intp],
    fold: NDArray[np.intp],
    weight: NDArray[np.float64],
) -> Choice:
    """The calibrator called `name` (``"auto"``: temperature scaling), or none where that has the lower log loss.

    Cells of each fold are calibrated by what was learned on the others, as `cross_fit` does.
    """
    tried = "temperature" if name == "auto" else name
    after = np.empty(proba.shape, dtype=np.float32)
    for f in np.unique(fold):
        here = fold == f
        after[here] = fitted(tried, proba[~here], codes[~here], weight[~here]).transform(proba[here])
    before, loss = weighted_log_loss(proba, codes, weight), weighted_log_loss(after, codes, weight)
    if loss > before:
        kept = fitted("none", proba, codes, weight)
        return Choice("none", kept, kept.transform(proba), before, loss)
    return Choice(tried, fitted(tried, proba, codes, weight), after, before, loss)


@public
def cross_fit(
    make: Callable[[], Calibrator], proba: ArrayLike, codes: ArrayLike, fold: ArrayLike
) -> NDArray[np.float32]:
    """Calibrated probabilities of cells that their calibrator was not fitted on.

    Those of a fold are calibrated by what was learned on all other folds. Scores of the result are honest; those of a
    calibrator on the very cells that it was fitted on are too good.

    Parameters
    ----------
    make
        Called once a fold; returns an unfitted calibrator.
    proba
        Probabilities of cells that the model was not trained on, shape (n, k).
    codes
        Column of the true class of each cell, shape (n,).
    fold
        Fold (or batch) of each cell, shape (n,), at least two different ones.

    Returns
    -------
    float32, shape (n, k), rows summing to 1.

    Raises
    ------
    sc_annotate.errors.InputError
        What are no probabilities, codes or folds of the same cells, or fewer than two folds.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import Temperature, cross_fit
    >>> proba = np.array([[0.99, 0.01]] * 20)
    >>> codes = np.array([0, 0, 0, 0, 1] * 4)
    >>> after = cross_fit(Temperature, proba, codes, np.repeat([0, 1], 10))
    >>> bool((after.max(axis=1) < 0.9).all())
    True
    """
    p, c = check_fit(proba, codes)
    folds = np.asarray(fold)
    if folds.shape != c.shape:
        raise InputError(f"fold has the shape {folds.shape}, but must have one entry for each of the {c.size} cells.")
    names, member = np.unique(folds, return_inverse=True)
    if names.size < 2:
        raise InputError("fold names only one fold, so nothing is left to calibrate it on. Pass two or more.")
    out = np.empty(p.shape, dtype=np.float32)
    for i in range(names.size):
        here = member == i
        out[here] = make().fit(p[~here], c[~here]).transform(p[here])
    return out
