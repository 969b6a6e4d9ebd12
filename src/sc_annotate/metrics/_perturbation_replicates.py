"""What a perfect prediction could reach: one half of the cells as the prediction for the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.metrics._perturbation_inputs import beside, matrix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


class Metric(Protocol):
    """A metric of measured and predicted profiles."""

    def __call__(self, truth: ArrayLike, predicted: ArrayLike, /, *args: Any, **kwargs: Any) -> NDArray[np.float64]:
        """One value a condition."""


@public
def replicate_ceiling(
    half_1: ArrayLike,
    half_2: ArrayLike,
    metric: Metric,
    *,
    control_1: ArrayLike | None = None,
    control_2: ArrayLike | None = None,
    **kwargs: Any,
) -> NDArray[np.float64]:
    """`metric` of one half of the cells of each condition, taken as the prediction for the other half.

    It is how well one experiment predicts its repetition. Halves have half the cells, so a perfect prediction of
    profiles of all cells can score somewhat better than this.

    Trap: both halves measured from the same control cells share the control's error, which lifts the ceiling of
    anything that looks at changes. Pass the control of each half: the second half is then moved to the first one's
    control, ``half_2 - control_2 + control_1``, and `metric` compares changes that share no cell.

    Parameters
    ----------
    half_1
        Profiles of one half of the cells, the truth, shape (conditions, genes).
    half_2
        Profiles of the other half, the prediction, rows and columns as in `half_1`; NaN throughout a condition that
        has too few cells to be halved.
    metric
        A function of this module that takes `truth` and `predicted`.
    control_1, control_2
        Control profile of the cells that belong to each half, shape (genes,) or (conditions, genes); both or neither.
    **kwargs
        Passed to `metric`. What changes are measured from is ``reference=control_1`` or ``control=control_1`` there.

    Returns
    -------
    What `metric` returns.

    Raises
    ------
    sc_annotate.errors.InputError
        Halves or controls of different shapes, one control without the other, or what `metric` refuses.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> half_1, control_1 = [[1.0, 2.0, 4.0]], [1.0, 1.0, 1.0]
    >>> half_2, control_2 = [[1.5, 2.5, 4.5]], [1.5, 1.5, 1.5]
    >>> sca.metrics.replicate_ceiling(half_1, half_2, sca.metrics.l2, control_1=control_1, control_2=control_2)
    array([0.])
    """
    first, second = matrix(half_1, "half_1"), matrix(half_2, "half_2")
    if first.shape != second.shape:
        raise InputError(
            f"half_1 is {first.shape} but half_2 is {second.shape}: conditions and genes must be the same."
        )
    if (control_1 is None) != (control_2 is None):
        raise InputError("control_1 and control_2 belong together. Pass the control of each half, or neither.")
    if control_1 is not None and control_2 is not None:
        second = second - beside(control_2, "control_2", *first.shape) + beside(control_1, "control_1", *first.shape)
    return metric(first, second, **kwargs)
