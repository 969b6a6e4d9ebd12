"""Whether a deep method is better than its baselines on the same held-out cells: the differences, and these in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.evaluation import paired_difference

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.evaluation import Predictions

IN_WORDS = {
    "majority": "the most common type for every cell",
    "logreg": "logistic regression",
    "logreg_pca": "logistic regression on principal components",
    "logreg (genes)": "logistic regression on genes",
}


def differences_of(
    own: Predictions, baselines: Mapping[str, Predictions], groups: NDArray[np.str_] | None, rng: int
) -> dict[str, list[Any]]:
    """Macro-F1 of a method minus that of each baseline on the same cells, with paired intervals, in columns.

    Cells are resampled, or whole `groups`.
    """
    columns: dict[str, list[Any]] = {
        column: [] for column in ("baseline", "difference", "difference_low", "difference_high", "verdict")
    }
    for baseline, simple in baselines.items():
        gap = paired_difference(own.y, own.labels, simple.labels, metric="macro_f1", groups=groups, rng=rng)
        row = (baseline, gap.estimate, gap.low, gap.high, verdict(baseline, gap.estimate, gap.low, gap.high))
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    return columns


def verdict(baseline: str, difference: float, low: float, high: float) -> str:
    """Whether a method is better than a baseline, by the interval of the difference of their macro-F1.

    Examples
    --------
    >>> verdict("logreg", -0.01, -0.03, 0.01)
    'no better than logistic regression (macro-F1 difference -0.010, 95 % interval -0.030 to 0.010)'
    >>> verdict("logreg", 0.02, 0.01, 0.03)
    'better than logistic regression (macro-F1 difference 0.020, 95 % interval 0.010 to 0.030)'
    >>> verdict("logreg", -0.02, -0.03, -0.01)
    'worse than logistic regression (macro-F1 difference -0.020, 95 % interval -0.030 to -0.010)'
    """
    found = "better than" if low > 0 else "worse than" if high < 0 else "no better than"
    # As many digits as show on which side of 0 the ends lie.
    ends = [abs(end) for end in (low, high) if end]
    digits = next((d for d in (3, 4, 5) if all(round(end, d) > 0 for end in ends)), 6)
    numbers = [f"{value:z.{digits}f}" for value in (difference, low, high)]
    return (
        f"{found} {IN_WORDS.get(baseline, baseline)} (macro-F1 difference {numbers[0]}, 95 % interval {numbers[1]} to "
        f"{numbers[2]})"
    )


def to_print(differences: pd.DataFrame) -> list[str]:
    """The verdicts on the linear baselines, and that on the commonest type where it is not beaten."""
    told = (differences["baseline"] != "majority") | ~(differences["difference_low"].astype(float) > 0)
    return [str(text) for text in np.asarray(differences["verdict"])[np.asarray(told)]]
