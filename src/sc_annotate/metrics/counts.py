"""The three counts a type has, and the scores made of them; shared with the bootstrap in ``evaluation.compare``.

scikit-learn is not used here: it would count a rejected call as a type of its own, and the bootstrap needs the same
formulas for many tables at once. It is the oracle of the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.integer[Any] | np.floating[Any]]


def count(true: NDArray[np.intp], predicted: NDArray[np.intp], k: int) -> tuple[Counts, Counts, Counts]:
    """Cells of each type, cells labelled as each type, correct labels of each type; a label of -1 is no label."""
    n_true = np.bincount(true, minlength=k)
    n_predicted = np.bincount(predicted[predicted >= 0], minlength=k)
    n_right = np.bincount(true[true == predicted], minlength=k)
    return n_true, n_predicted, n_right


def ratio(above: Counts, below: Counts, otherwise: float) -> NDArray[np.float64]:
    """`above` / `below`; `otherwise` where `below` is 0."""
    out = np.full(np.broadcast_shapes(above.shape, below.shape), otherwise, dtype=np.float64)
    np.divide(above, below, out=out, where=below > 0)
    return out


def f1(n_true: Counts, n_predicted: Counts, n_right: Counts) -> NDArray[np.float64]:
    """F1 of each type; 0 where it is never predicted."""
    return ratio(2 * n_right, n_true + n_predicted, 0.0)


def mean_over_present(scores: NDArray[np.float64], n_true: Counts) -> NDArray[np.float64]:
    """Mean over the types (last axis) that have cells in the truth."""
    present = n_true > 0
    return ratio((scores * present).sum(axis=-1), present.sum(axis=-1), np.nan)
