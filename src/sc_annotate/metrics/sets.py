"""How often prediction sets hold the true type, and for which types they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.metrics.encoding import class_positions, encode, same_length

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


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


__all__ = ["set_coverage"]


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
