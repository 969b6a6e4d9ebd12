"""What was learned on held-out cells, applied to the cells of one query: by what each of them shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.trust import Calibrator, Conformal
    from sc_annotate.trust.ladder import Ladder


@dataclass(frozen=True)
class Applied:
    """What was learned, for the cells of one query: by how many genes each shows, and which of the model's are there."""

    calibration: Calibrator
    whole: Conformal
    depth: Ladder | None
    factor: float = 1.0
    """Detected genes that a cell would show if all of the model's were there, over those that it shows."""
    share: float = 0.0
    """Logarithm of the share of what the model's genes show that the query has."""
    genes: Ladder | None = None

    def probabilities(self, proba: NDArray[np.float32], seen: NDArray[np.float64]) -> NDArray[np.float32]:
        """Calibrated probabilities of cells with so many detected genes, from the method's own."""
        after = self.calibration.transform(proba)
        if self.depth is not None:
            after = self.depth.adjust(after, self._at(seen))
        if self.genes is not None:
            after = self.genes.adjust(after, np.full(len(after), self.share))
        return after

    def sets(self, proba: NDArray[np.float32], seen: NDArray[np.float64], coverage: float) -> NDArray[np.bool_]:
        """Prediction sets of these cells, from calibrated probabilities."""
        if self.depth is None and self.genes is None:
            return self.whole.sets(proba, coverage)
        start = self.whole.common_threshold(coverage)
        more = np.zeros(len(proba))
        if self.depth is not None:
            more += self.depth.more(self._at(seen), coverage, start)
        if self.genes is not None:
            more += self.genes.more(np.full(1, self.share), coverage, start)
        return self.whole.sets(proba, coverage, more)

    def known(self, seen: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Cells for whose depth and genes the calibration is known; all of a model that says nothing of either."""
        out = np.ones(len(seen), dtype=bool)
        if self.depth is not None:
            out &= self.depth.known(self._at(seen))
        if self.genes is not None:
            out &= self.genes.known(np.full(1, self.share))
        return out

    def shallow(self, seen: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Cells that show less than nearly all of the reference."""
        if self.depth is None:
            return np.zeros(len(seen), dtype=bool)
        return np.asarray(self._at(seen) < self.depth.knots_[-1])

    def _at(self, seen: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log1p(seen * self.factor)
