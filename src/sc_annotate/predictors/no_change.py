"""No change: every condition looks like the control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.predictors._base import Predictor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.predictors._screen import Screen


@dataclass
class NoChange(Predictor):
    """The control's profile for every condition: what a model must beat to have learnt anything.

    Its correlation of changes is undefined (a change of zero has no direction), never 0.

    Examples
    --------
    >>> from sc_annotate.predictors import Screen
    >>> from sc_annotate.predictors.no_change import NoChange
    >>> screen = Screen(["A", "B"], [1.0, 2.0], [[0.0, 2.0]], [("A",)])
    >>> NoChange().fit(screen).predict([("B",)]).tolist()
    [[1.0, 2.0]]
    """

    def learn(self, screen: Screen, rng: int) -> None:
        """There is nothing to learn."""

    def reason(self, targets: tuple[str, ...]) -> str:
        """Never: all conditions are predicted."""
        return ""

    def predict_profiles(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]:
        """The control, for each."""
        return np.tile(self.control_, (len(targets), 1))
