"""Distance between measured and predicted cells, where a model predicts cells."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse

from sc_annotate._core.arguments import public
from sc_annotate._core.extras import missing_extra
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def _cells(values: Any, name: str) -> NDArray[np.float64]:
    array = np.asarray(values.toarray() if issparse(values) else values)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.size:
        raise InputError(f"{name} must be numbers, one or more cells x features, but its shape is {array.shape}.")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"{name} has NaN or infinite entries. Leave those cells or features out.")
    return np.ascontiguousarray(array)


@public
def energy_distance(cells_true: ArrayLike, cells_predicted: ArrayLike) -> float:
    """Energy distance between the measured and the predicted cells of one condition, by pertpy; 0 is best.

    ``2 E|X - Y| - E|X - X'| - E|Y - Y'|`` with Euclidean distances and means over all pairs, a cell with itself
    among them. It sees the spread of the cells and not only their mean. Traps: scPerturb's E-distance takes squared
    distances, so its values cannot be compared with these; scPertEval leaves out a cell with itself; and the value
    falls with the number of cells, so keep that equal between methods. Time grows with the product of cell numbers.

    Parameters
    ----------
    cells_true
        Measured cells, shape (cells, features), dense or sparse. Principal components fitted on measured cells are
        usual as features.
    cells_predicted
        Predicted cells, shape (other cells, features), with the same features.

    Returns
    -------
    0 or more.

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, different features, or values that are not finite.
    sc_annotate.errors.MissingExtraError
        pertpy is not installed.

    References
    ----------
    Székely & Rizzo 2013, doi:10.1016/j.jspi.2013.03.018. Peidli et al. 2024 (scPerturb),
    doi:10.1038/s41592-023-02144-y. Heumos et al. 2025 (pertpy), doi:10.1038/s41592-025-02909-7.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.metrics.energy_distance([[0.0], [1.0]], [[2.0], [3.0]])  # doctest: +SKIP
    3.0
    """
    true, guess = _cells(cells_true, "cells_true"), _cells(cells_predicted, "cells_predicted")
    if true.shape[1] != guess.shape[1]:
        raise InputError(f"cells_true has {true.shape[1]} features but cells_predicted has {guess.shape[1]}.")
    # Importing pertpy changes the warning filters of the whole process; they are put back here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from pertpy.tools import Distance
        except ImportError as error:
            raise missing_extra("the energy distance needs pertpy", "pertpy", "perturb", error) from error
        return float(Distance(metric="edistance", cell_wise_metric="euclidean")(true, guess))
