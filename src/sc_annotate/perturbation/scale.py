"""Whether a prediction is on the scale of what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A prediction in another logarithm is off by a factor of 0.69 or 1.44, so the bounds stay inside.
SLOPE = (0.8, 1.25)
# Fewer values, other than 0, are too few to look at their signs.
FEW_VALUES = 50


def check_prediction(
    what: str,
    X: NDArray[np.float64],
    control: NDArray[np.float64],
    delta: bool,
    truth: NDArray[np.float64],
    *,
    otherwise: str = "check_scale=False takes it as it is.",
) -> None:
    """Refuse a prediction that is not on the scale of truth; all are rows x genes, `control` of the same rows.

    `otherwise` is what a caller who knows better can do.
    """
    there = np.isfinite(X).all(axis=1)
    if not there.any():
        return
    if not control.any():
        _check_changes(what, X[there], truth[there], otherwise)
        return
    X, control = X[there], control[there]
    slope = _slope(X, control)
    if delta:
        if abs(slope) > 0.5:
            raise MatrixError(
                f"{what} is said to hold changes to control, but its values follow the control's expression (slope "
                f"{slope:.2f}; changes have about 0). Pass predictions_are='expression', or subtract the control."
            )
        return
    if SLOPE[0] <= slope <= SLOPE[1]:
        return
    fix = f"Bring it to the natural log1p of counts per 10,000, averaged over cells; {otherwise}"
    guess = "it is on another scale than truth"
    if abs(slope) < 0.5 and (X < 0).any():
        guess, fix = "it looks like changes to control", "Pass predictions_are='delta'."
    elif abs(slope - 1 / np.log(2)) < 0.1:
        guess = "it looks like logarithms to base 2"
    elif (X >= 0).all() and np.allclose(X, np.round(X)):
        guess = "it looks like counts"
    elif (X >= 0).all() and _cosine(np.log1p(X), control) > _cosine(X, control):
        guess = "it looks like counts per 10,000 without the logarithm"
    raise MatrixError(
        f"{what} does not fit truth: {guess} (slope on the control {slope:.2f} instead of about 1). {fix}"
    )


def _cosine(X: NDArray[np.float64], control: NDArray[np.float64]) -> float:
    size = np.sqrt(np.square(X).sum() * np.square(control).sum())
    return float((X * control).sum() / size) if size > 0 else 0.0


def _slope(X: NDArray[np.float64], control: NDArray[np.float64]) -> float:
    return float(np.median((X * control).sum(axis=1) / np.square(control).sum(axis=1)))


def _check_changes(what: str, X: NDArray[np.float64], truth: NDArray[np.float64], otherwise: str) -> None:
    """Refuse expression where truth holds changes: nothing below 0, and much the same in every row."""
    values, measured = X[X != 0], truth[truth != 0]
    if values.size < FEW_VALUES or not measured.size or (values < 0).mean() > 0.01 or (measured < 0).mean() < 0.2:
        return
    middle = X.mean(axis=0)
    size = np.linalg.norm(X, axis=1)
    alike = float(np.median(X[size > 0] @ middle / (size[size > 0] * np.linalg.norm(middle))))
    if alike > 0.8:
        raise MatrixError(
            f"truth holds changes to control, {(measured < 0).mean():.0%} of them below 0, but {what} has no value below 0 and is "
            "nearly the same in every row, so it looks like expression. Subtract the model's own control from it "
            f"(predictions_are='delta'); {otherwise}"
        )
