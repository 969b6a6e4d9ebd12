"""How good the probabilities are, whichever type they call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.metrics.encoding import class_positions, encode, same_length

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["brier", "log_loss"]

# How far a row may be from 1: probabilities are kept as float32.
_TOLERANCE = 1e-3


def _of_truth(y: ArrayLike, proba: ArrayLike, classes: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The checked probabilities, and those of the true types (0 for a type that is not in `classes`)."""
    types, true = encode(y, "y")
    position = class_positions(types, classes)[true]
    p = np.asarray(proba)
    if p.dtype.kind != "f":
        p = p.astype(np.float64)
    k = encode(classes, "classes")[1].size
    if p.ndim != 2 or p.shape[1] != k:
        raise InputError(f"proba has the shape {p.shape}, but classes has {k} types: it must be (cells, {k}).")
    same_length(true.size, p.shape[0], "proba")
    if not np.isfinite(p).all():
        raise InputError("proba has NaN or infinite entries. Leave out the cells that have no probabilities.")
    if p.min() < 0 or np.abs(p.sum(axis=1, dtype=np.float64) - 1).max() > _TOLERANCE:
        raise InputError("proba must be 0 or more, with rows that sum to 1. Were only the largest ones kept?")
    of_truth = np.where(position >= 0, np.take_along_axis(p, np.maximum(position, 0)[:, None], axis=1)[:, 0], 0)
    return p, of_truth


@public
def log_loss(y: ArrayLike, proba: ArrayLike, classes: ArrayLike) -> float:
    """Mean over cells of minus the natural logarithm of the probability of the true type.

    All cells count. Probabilities below 1e-6 are raised to 1e-6, and a true type that is not in `classes` has the
    probability 0: such a cell adds 13.8, however sure the wrong call was.

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    proba
        Probabilities, shape (n, k), rows summing to 1.
    classes
        Types of the columns, shape (k,).

    Returns
    -------
    Between 0 (best) and 13.8.

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, shapes that do not fit, or rows of `proba` that are not probabilities.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> round(sca.metrics.log_loss(["B", "T"], [[0.9, 0.1], [0.5, 0.5]], ["B", "T"]), 4)
    0.3993
    """
    _, of_truth = _of_truth(y, proba, classes)
    return float(-np.log(np.maximum(of_truth.astype(np.float64), 1e-6)).mean()) + 0.0


@public
def brier(y: ArrayLike, proba: ArrayLike, classes: ArrayLike) -> float:
    """Mean over cells of the squared distance between the probabilities and the truth.

    For one cell it is the sum over types of ``(p - [type is the true one])**2``, as in Brier's paper: 0 is best, 2 is
    certainty of a wrong type. (For two types this is twice what scikit-learn reports.) All cells count. A true type
    that is not in `classes` has the probability 0.

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    proba
        Probabilities, shape (n, k), rows summing to 1.
    classes
        Types of the columns, shape (k,).

    Returns
    -------
    Between 0 and 2.

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, shapes that do not fit, or rows of `proba` that are not probabilities.

    References
    ----------
    Brier 1950, Monthly Weather Review 78:1.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> round(sca.metrics.brier(["B", "T"], [[0.9, 0.1], [0.5, 0.5]], ["B", "T"]), 4)
    0.26
    """
    p, of_truth = _of_truth(y, proba, classes)
    # (p - 1)^2 in place of p^2 for the true type: adds 1 - 2 p.
    return float((np.einsum("ij,ij->i", p, p, dtype=np.float64) + 1 - 2 * of_truth.astype(np.float64)).mean())
