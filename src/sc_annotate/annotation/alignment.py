"""What a fitted linear model keeps to be aligned to queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sc_annotate._core.codec import to_json
from sc_annotate._core.registry import capabilities_of
from sc_annotate.errors import MethodError
from sc_annotate.trust.shift import estimate_shift

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.trust import Shift

LEAST = 50
"""Cells below which a mean says more about these cells than about a shift."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """What a fitted model keeps to be aligned to a query.

    ``use`` says whether it is where nothing else is requested, and was when confidence was learned; ``why`` in words;
    ``held_out`` what was measured on each held-out batch, as it is (``part`` all) and of another composition (``part``
    reduced); ``largest`` the largest shift among them, in log-odds.
    """

    class_means: NDArray[np.float32]
    use: bool
    why: str
    held_out: pd.DataFrame
    largest: float

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Means of the types; and the rest as JSON can hold it."""
        meta = {"use": self.use, "why": self.why, "held_out": to_json(self.held_out), "largest": self.largest}
        return {"alignment.class_means": self.class_means}, meta


def refuse_method(name: str, method: Any) -> None:
    """Refuse align="shift" for a method that has no way to be aligned."""
    if not capabilities_of(method).aligns:
        raise MethodError(
            f"trust.align='shift': {name} cannot be aligned to a query, as its scores are not a sum of values times coefficients. "
            "Leave align out, or choose logreg, linear_svm or lda."
        )


def estimate(
    annotator: Any,
    scores: Any,
    mean: NDArray[np.float64],
    class_means: NDArray[Any],
    present: NDArray[np.bool_] | None = None,
) -> Shift:
    """The shift of cells with these scores and this mean of each gene, from a fitted annotator that can be aligned."""
    coef = annotator.coefficients()[0]
    return estimate_shift(scores, mean, class_means, coef, annotator.probabilities, present=present)
