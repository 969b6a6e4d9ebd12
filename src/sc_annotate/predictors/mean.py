"""The mean effect of all training conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.predictors._base import Predictor
from sc_annotate.predictors._leave_one_out import need_two
from sc_annotate.predictors._screen import as_targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from sc_annotate.predictors._screen import Screen


@dataclass
class Mean(Predictor):
    """The mean effect of the training conditions, for every condition; each condition counts once, however many cells.

    It catches what all perturbed cells share (being handled, being selected), which flatters it wherever changes are
    correlated with the control's profile as reference. It is the same for every perturbation.

    Parameters
    ----------
    include_control
        Whether the control counts as one more condition, with an effect of zero. The paper leaves it open; the
        offset of its linear model counts it.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, `doi:10.1038/s41592-025-02772-6 <https://doi.org/10.1038/s41592-025-02772-6>`_.

    Examples
    --------
    >>> from sc_annotate.predictors import Screen
    >>> from sc_annotate.predictors.mean import Mean
    >>> screen = Screen(["A", "B"], [1.0, 1.0], [[0.0, 1.0], [2.0, 3.0]], [("A",), ("B",)])
    >>> Mean().fit(screen).predict([("C",)]).tolist()
    [[1.0, 2.0]]
    """

    include_control: bool = False

    def learn(self, screen: Screen, rng: int) -> None:
        """Average the changes of the training conditions."""
        delta = screen.delta
        self.effect_: NDArray[np.float64] = delta.sum(axis=0) / (len(delta) + bool(self.include_control))
        counted = "counts as one more condition" if self.include_control else "is not counted"
        self.notes_.append(f"the mean is over {len(delta)} training conditions; the control {counted}.")

    def reason(self, targets: tuple[str, ...]) -> str:
        """Never: all conditions are predicted."""
        return ""

    def predict_profiles(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]:
        """The control plus the mean change, for each."""
        return np.tile(self.control_ + self.effect_, (len(targets), 1))

    def leave_one_out(
        self, screen: Screen, targets: Sequence[tuple[str, ...]] = (), *, rng: int = 0
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """The sum less one condition; see :func:`sc_annotate.predictors.leave_one_out`."""
        need_two(screen)
        return self._folds(screen, as_targets(targets))

    def _folds(
        self, screen: Screen, new: list[tuple[str, ...]]
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        delta = screen.delta
        total, n = delta.sum(axis=0), len(delta) - 1 + bool(self.include_control)
        perturbed = np.array([bool(t) for t in new], dtype=np.bool_)[:, None]
        for effect in delta:
            profile = screen.control + (total - effect) / n
            yield profile, np.where(perturbed, profile, np.nan)
