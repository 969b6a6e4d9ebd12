"""Which calibrator to keep: the one with the lowest log loss on cells that it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.trust.calibration import Temperature, make_calibrator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.trust.calibration import Calibrator

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
