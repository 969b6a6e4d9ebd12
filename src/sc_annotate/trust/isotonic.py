"""Any increasing map from probability to probability, for each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.optimize import isotonic_regression

from sc_annotate._core.arguments import public
from sc_annotate.trust._one_vs_rest import OneVsRest, at_distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.trust._one_vs_rest import Table

__all__ = ["Isotonic"]


@public
@dataclass
class Isotonic(OneVsRest):
    """Isotonic regression of each class against the others, then rows divided by their sums.

    Needs many cells (about a thousand or more): with few it follows their noise. Unlike temperature it can change which
    class is the largest, and makes ties. Between two calibration cells the map is linear. No class is given less than
    1 / (n + 2) or more than (n + 1) / (n + 2) before division, n being the number of calibration cells: a
    probability of exactly 0 is more than n cells can tell. A class without a calibration cell keeps its probability.

    References
    ----------
    Zadrozny & Elkan 2002, KDD, doi 10.1145/775047.775151.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import Isotonic
    >>> proba = np.array([[0.9, 0.1]] * 10 + [[0.2, 0.8]] * 10)
    >>> codes = np.array([0] * 7 + [1] * 13)
    >>> Isotonic().fit(proba, codes).transform(proba[:1]).round(2).tolist()
    [[0.699999988079071, 0.30000001192092896]]
    """

    columns: ClassVar[tuple[str, ...]] = ("score", "value")

    def _table(self, score: NDArray[np.float64], own: NDArray[np.float64]) -> Table:
        distinct, n, n_own = at_distinct(score, own)
        value = isotonic_regression(n_own / n, weights=n).x
        # Inside a stretch of equal values a straight line between its ends says all.
        bend = np.ones(distinct.size, dtype=bool)
        bend[1:-1] = (value[1:-1] != value[:-2]) | (value[1:-1] != value[2:])
        least = 1 / (score.size + 2)
        return distinct[bend], np.clip(value[bend], least, 1 - least)

    def _look_up(self, table: Table, score: NDArray[np.float64]) -> NDArray[np.float64]:
        at, value = table
        return np.interp(score, at, value)
