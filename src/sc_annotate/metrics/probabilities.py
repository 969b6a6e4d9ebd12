"""How good the probabilities are, whichever type they call, and how often the sets made of them hold the true type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.metrics.encoding import class_positions, encode, same_length

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["brier", "log_loss", "set_coverage"]

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


def wilson(hits: ArrayLike, n: ArrayLike, level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's score interval of `hits` / `n` (Wilson 1927); 0 to 1 where `n` is 0."""
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, not {level}.")
    z2 = float(ndtri((1 + level) / 2)) ** 2
    m = np.asarray(n, dtype=np.float64)
    h = np.asarray(hits, dtype=np.float64)
    share = np.divide(h, m, out=np.full(m.shape, 0.5), where=m > 0)
    middle = (m * share + z2 / 2) / (m + z2)
    half = np.sqrt(z2 * (m * share * (1 - share) + z2 / 4)) / (m + z2)
    # With no hits, or only hits, the end is 0 or 1 up to rounding.
    low = np.where(h > 0, np.maximum(middle - half, 0), 0)
    high = np.where(h < m, np.minimum(middle + half, 1), 1)
    return low, high


@public
def set_coverage(
    y: ArrayLike, sets: ArrayLike, classes: ArrayLike, *, batch: ArrayLike | None = None, level: float = 0.95
) -> dict[str, Any]:
    """Share of cells whose prediction set holds their true type: of all cells, and of each type and batch.

    All cells count. A cell whose true type is not in `classes` is not covered. A coverage of 90 % over all cells can
    hide a type that is hardly ever covered, hence the worst type; with few cells it is the worst by chance, which its
    interval shows.

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    sets
        Which types are in the set of each cell, bool, shape (n, k).
    classes
        Types of the columns, shape (k,).
    batch
        Batch of each cell, shape (n,).
    level
        Level of the Wilson intervals, which hold for independent cells.

    Returns
    -------
    ``coverage``, ``low``, ``high``, ``n``
        Of all cells.
    ``mean_size``, ``singletons``, ``empty``
        Mean number of types in a set, and share of sets with one type and with none.
    ``by_type``
        Dict of arrays, a row for each type in `y`, sorted: ``type``, ``coverage``, ``low``, ``high``, ``n``,
        ``mean_size``.
    ``worst_type``, ``worst_coverage``
        The type with the lowest coverage (the first of equal ones), and that coverage.
    ``by_batch``
        With `batch`: the same for each batch (``batch`` in place of ``type``).

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, arguments of different cells or types, or `sets` that is not bool.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> y = ["B", "B", "B", "T"]
    >>> sets = [[True, False], [True, False], [True, True], [True, False]]
    >>> out = sca.metrics.set_coverage(y, sets, ["B", "T"])
    >>> out["coverage"], out["mean_size"], out["worst_type"], out["worst_coverage"]
    (0.75, 1.25, 'T', 0.0)
    """
    types, true = encode(y, "y")
    position = class_positions(types, classes)
    k = encode(classes, "classes")[1].size
    s = np.asarray(sets)
    if s.dtype != bool or s.ndim != 2 or s.shape[1] != k:
        raise InputError(f"sets must be bool, cells x the {k} classes, not {s.dtype} of the shape {s.shape}.")
    same_length(true.size, s.shape[0], "sets")
    covered = np.zeros(true.size, dtype=bool)
    known = position[true] >= 0
    covered[known] = s[np.flatnonzero(known), position[true][known]]
    size = s.sum(axis=1)
    low, high = wilson(covered.sum(), covered.size, level)
    by_type = _grouped("type", types, true, covered, size, level)
    worst = int(by_type["coverage"].argmin())
    out: dict[str, Any] = {
        "coverage": float(covered.mean()),
        "low": float(low),
        "high": float(high),
        "n": int(covered.size),
        "mean_size": float(size.mean()),
        "singletons": float((size == 1).mean()),
        "empty": float((size == 0).mean()),
        "by_type": by_type,
        "worst_type": str(types[worst]),
        "worst_coverage": float(by_type["coverage"][worst]),
    }
    if batch is not None:
        batches, member = encode(batch, "batch")
        same_length(true.size, member.size, "batch")
        out["by_batch"] = _grouped("batch", batches, member, covered, size, level)
    return out


def _grouped(
    name: str,
    names: NDArray[np.str_],
    member: NDArray[np.intp],
    covered: NDArray[np.bool_],
    size: NDArray[np.intp],
    level: float,
) -> dict[str, NDArray[Any]]:
    n = np.bincount(member)
    hits = np.bincount(member, weights=covered)
    low, high = wilson(hits, n, level)
    return {
        name: names,
        "coverage": hits / n,
        "low": low,
        "high": high,
        "n": n.astype(np.int64),
        "mean_size": np.bincount(member, weights=size) / n,
    }
