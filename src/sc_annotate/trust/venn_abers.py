"""Isotonic regression that allows for the cell being of the class, and for its not being."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from scipy.optimize import isotonic_regression

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.trust._one_vs_rest import OneVsRest, at_distinct

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.trust._one_vs_rest import Table

__all__ = ["VennAbers"]

MAX_POINTS = 1000


@public
@dataclass
class VennAbers(OneVsRest):
    """Inductive Venn-Abers prediction of each class against the others, then rows divided by their sums.

    For a new cell, isotonic regression is fitted twice: with the cell added as one of the class (giving p1) and as one
    of the others (p0). The fewer calibration cells there are near the score, the further apart the two are. The
    probability lies between them and is never 0 or 1. The calibration guarantee of the pair holds for each class on its
    own, not after the division by the sums.

    The probabilities for all scores are worked out when fitting. Above 1,000 distinct scores, neighbours are merged into 1,000
    groups of about equal size. A class without a calibration cell keeps its probability.

    Parameters
    ----------
    merge
        How two become one. ``"mean"``: (p0 + p1) / 2. ``"minimax"``: ``p1 / (1 - p0 + p1)``, the choice of the paper
        for two classes, which regrets the least log loss there. It leans further towards 1/2, in each of many classes
        at once, so that the label comes out too humble (calibration error on pbmc68k 0.07 against 0.04).

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
    [[0.9549999833106995, 0.04500000178813934]]
    """

    merge: Literal["mean", "minimax"] = "mean"

    columns: ClassVar[tuple[str, ...]] = ("score", "p0", "p1")

    def fit(self, proba: ArrayLike, codes: ArrayLike) -> Self:
        """Learn one table a class; see :meth:`Isotonic.fit`."""
        if self.merge not in ("mean", "minimax"):
            raise InputError(f"merge must be 'mean' or 'minimax', not {self.merge!r}.")
        return super().fit(proba, codes)

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
        return (p0 + p1) / 2 if self.merge == "mean" else p1 / np.maximum(1 - p0 + p1, 1e-12)

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What to store: numeric arrays, and a dict that JSON can hold."""
        return super().to_arrays()[0], {"merge": self.merge}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`to_arrays` gave; an InputError where it cannot be."""
        model = super().from_arrays(arrays, meta)
        if meta.get("merge") not in ("mean", "minimax"):
            raise InputError("the stored merge is neither 'mean' nor 'minimax'. Fit again.")
        model.merge = meta["merge"]
        return model


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
