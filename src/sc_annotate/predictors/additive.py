"""The sum of single effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.predictors._base import Predictor
from sc_annotate.predictors._screen import some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.predictors._screen import Screen


def single_effects(screen: Screen) -> dict[str, NDArray[np.float64]]:
    """Change of each target that was perturbed alone, by name."""
    delta = screen.delta
    return {t[0]: delta[i] for i, t in enumerate(screen.targets) if len(t) == 1}


@dataclass
class Additive(Predictor):
    """The control plus the single effects of all targets: what a combination does if its parts do not interact.

    A combination needs each of its targets as a single among the training conditions. A single is predicted only if
    it is one of them, as itself. Training combinations are not used.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, `doi:10.1038/s41592-025-02772-6 <https://doi.org/10.1038/s41592-025-02772-6>`_.

    Examples
    --------
    >>> from sc_annotate.predictors import Screen
    >>> from sc_annotate.predictors.additive import Additive
    >>> screen = Screen(["A", "B"], [1.0, 1.0], [[0.0, 1.5], [1.0, 0.5]], [("A",), ("B",)])
    >>> model = Additive().fit(screen)
    >>> model.predict([("A", "B")]).tolist()
    [[0.0, 1.0]]
    >>> str(model.why_not([("A", "C")])[0])
    'C alone is not among the training conditions, so its effect cannot be added'
    """

    def learn(self, screen: Screen, rng: int) -> None:
        """Keep the change of every single."""
        self.effects_: dict[str, NDArray[np.float64]] = single_effects(screen)

    def reason(self, targets: tuple[str, ...]) -> str:
        """Which singles are missing."""
        missing = [name for name in targets if name not in self.effects_]
        if not missing:
            return ""
        if len(targets) == 1:
            return f"{missing[0]} is not among the training conditions, and no sum of other effects gives it"
        its = "its effect" if len(missing) == 1 else "their effects"
        are = "is" if len(missing) == 1 else "are"
        return f"{some(missing)} alone {are} not among the training conditions, so {its} cannot be added"

    def predict_profiles(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]:
        """The control plus the changes of the singles."""
        return np.stack([self.control_ + sum(self.effects_[name] for name in t) for t in targets])
