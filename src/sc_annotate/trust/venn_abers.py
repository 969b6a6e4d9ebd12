"""Isotonic regression that allows for the cell being of the class, and for its not being."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.optimize import isotonic_regression

from sc_annotate.trust._one_vs_rest import OneVsRest, at_distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.trust._one_vs_rest import Table

__all__ = ["VennAbers"]

MAX_POINTS = 1000


@dataclass
class VennAbers(OneVsRest):
    """Inductive Venn-Abers prediction of each class against the others, then rows divided by their sums.

    For a new cell, isotonic regression is fitted twice: with the cell added as one of the class (giving p1) and as one
    of the others (p0). The probability is ``p1 / (1 - p0 + p1)``, which is never 0 or 1: the fewer calibration cells
    there are near the score, the further apart p0 and p1 are, and the more careful it is. The calibration guarantee of
    the pair holds for each class on its own, not after the division by the sums.

    The answers for all scores are prepared when fitting. Above 1,000 distinct scores, neighbours are merged into 1,000
    groups of about equal size. A class without a calibration cell keeps its probability.

    References
    ----------
    Vovk, Petej & Fedorova 2015, NeurIPS, arXiv 1511.00213.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import VennAbers
    >>> proba = np.array([[0.9, 0.1]] * 10 + [[0.2, 0.8]] * 10)
    >>> codes = np.array([0] * 10 + [1] * 10)  # all right, and yet not certain
    >>> VennAbers().fit(proba, codes).transform(proba[:1]).round(3).tolist()
    [[0.9169999957084656, 0.08299999684095383]]
    """

    columns: ClassVar[tuple[str, ...]] = ("score", "p0", "p1")

    def _table(self, score: NDArray[np.float64], own: NDArray[np.float64]) -> Table:
        distinct = np.unique(score)
        if distinct.size > MAX_POINTS:
            ordered = np.sort(score)
            points = np.unique(ordered[np.arange(MAX_POINTS) * score.size // MAX_POINTS])
            score = points[np.searchsorted(points, score, side="right") - 1]
        points, n, n_own = at_distinct(score, own)
        return points, _with_one_more(n, n_own, 0.0), _with_one_more(n, n_own, 1.0)

    def _look_up(self, table: Table, score: NDArray[np.float64]) -> NDArray[np.float64]:
        points, low, high = table
        # Between two points, one more cell of the class pools with the upper, one more of the others with the lower.
        # Below all points p0 is 0; above all, p1 is 1.
        p0 = np.append(0.0, low)[np.searchsorted(points, score, side="right")]
        p1 = np.append(high, 1.0)[np.searchsorted(points, score, side="left")]
        return p1 / (1 - p0 + p1)


def _with_one_more(n: NDArray[np.float64], n_own: NDArray[np.float64], label: float) -> NDArray[np.float64]:
    """At each point the isotonic regression there, with one more cell of `label` (0 or 1) at this point."""
    out = np.empty(n.size)
    weights, mean = n.copy(), n_own / n
    for i in range(n.size):
        weights[i], before = n[i] + 1, mean[i]
        mean[i] = (n_own[i] + label) / (n[i] + 1)
        out[i] = isotonic_regression(mean, weights=weights).x[i]
        weights[i], mean[i] = n[i], before
    # The values increase, but for rounding.
    return np.maximum.accumulate(np.clip(out, 0.0, 1.0))
