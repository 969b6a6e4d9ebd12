"""The mean of the matching single profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.predictors._base import Predictor
from sc_annotate.predictors.additive import single_effects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.predictors._screen import Screen


@dataclass
class MatchingMean(Predictor):
    """The mean of the single profiles of a condition's targets; the mean profile replaces targets not seen alone.

    For an unseen single it is therefore the mean of the training conditions. It depends on the perturbation
    only as far as its parts were seen, and so shows how much of a score needs no more than that.

    References
    ----------
    Viñas Torné et al. 2025 (Systema), `doi:10.1038/s41587-025-02777-8 <https://doi.org/10.1038/s41587-025-02777-8>`_.

    Examples
    --------
    >>> from sc_annotate.predictors import Screen
    >>> from sc_annotate.predictors.matching_mean import MatchingMean
    >>> screen = Screen(["A", "B"], [1.0, 1.0], [[0.0, 1.0], [2.0, 3.0]], [("A",), ("B",)])
    >>> MatchingMean().fit(screen).predict([("A", "B"), ("A", "C"), ("C",)]).tolist()
    [[1.0, 2.0], [0.5, 1.5], [1.0, 2.0]]
    """

    def learn(self, screen: Screen, rng: int) -> None:
        """Keep the change of every single."""
        self.effects_: dict[str, NDArray[np.float64]] = single_effects(screen)
        self.mean_: NDArray[np.float64] = screen.delta.mean(axis=0)

    def reason(self, targets: tuple[str, ...]) -> str:
        """Never: what was not measured counts as the mean change."""
        return ""

    def predict_profiles(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]:
        """The control plus the mean of the matching changes."""
        # Of changes: with matched controls the profiles of two conditions need not stand on the same level.
        parts = [np.mean([self.effects_.get(name, self.mean_) for name in t], axis=0) for t in targets]
        return self.control_ + np.stack(parts)
