"""Checks of probabilities that all of this package needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

# How far a row may be from 1: probabilities are kept as float32.
_TOLERANCE = 1e-3


def as_probabilities(proba: ArrayLike, k: int | None = None) -> NDArray[np.float64]:
    """`proba` as float64, cells x classes, or an InputError; `k` is the number of classes it must have."""
    p = np.asarray(proba)
    if p.dtype.kind not in "fiub":
        raise InputError(f"proba must hold numbers, not {p.dtype}. Pass an array of cells x classes.")
    if p.ndim != 2 or p.shape[1] < 2:
        raise InputError(f"proba has the shape {p.shape}, but must be cells x classes, with two classes or more.")
    if k is not None and p.shape[1] != k:
        raise InputError(f"proba has {p.shape[1]} classes, but this was fitted on {k}. Hand in the columns of then.")
    p = p.astype(np.float64)
    if not np.isfinite(p).all():
        raise InputError("proba has NaN or infinite entries. Leave out the cells that have no probabilities.")
    if p.size and (p.min() < 0 or np.abs(p.sum(axis=1) - 1).max() > _TOLERANCE):
        raise InputError("proba must be 0 or more, with rows that sum to 1. Were only the largest ones kept?")
    return p


def check_fit(proba: ArrayLike, codes: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Probabilities and true classes of the same cells, at least one of them."""
    p = as_probabilities(proba)
    c = np.asarray(codes)
    if c.dtype.kind not in "iu" or c.ndim != 1:
        raise InputError("codes must be whole numbers, one a cell: the column in proba of the true class.")
    if c.size != p.shape[0]:
        raise InputError(f"proba has {p.shape[0]} cells but codes has {c.size}. They must describe the same cells.")
    if c.size == 0:
        raise InputError("there are no cells to fit on. Pass at least one.")
    if c.min() < 0 or c.max() >= p.shape[1]:
        raise InputError(f"codes must lie between 0 and {p.shape[1] - 1}. Leave out cells whose type is no column.")
    return p, c.astype(np.intp)


def normalise(p: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rows divided by their sums; a row of zeros, which only tables of a damaged file give, becomes uniform."""
    total = p.sum(axis=1, keepdims=True)
    return np.divide(p, total, out=np.full_like(p, 1 / p.shape[1]), where=total > 0).astype(np.float32)


def need_fitted(model: Any, attribute: str) -> None:
    """Raise where `fit` has not been called."""
    if not hasattr(model, attribute):
        raise InputError(f"this {type(model).__name__} is not fitted. Call fit(proba, codes) first.")


def stored(arrays: Mapping[str, Any], name: str, kind: str) -> NDArray[Any]:
    """One finite 1-d array of what was stored, or an InputError; `kind` is "f" or "i"."""
    value = np.asarray(arrays.get(name))
    if name not in arrays or value.ndim != 1 or value.dtype.kind != kind or not np.isfinite(value).all():
        raise InputError(f"the stored array {name!r} is missing or damaged. Fit again.")
    return value


def stored_number(meta: Mapping[str, Any], name: str, low: float, high: float) -> Any:
    """One number of what was stored, between `low` and `high`, or an InputError."""
    value = meta.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"the stored value {name!r} is {value!r}, which cannot be. Fit again.")
    return value


def ragged(arrays: Mapping[str, Any], starts: str, size: int) -> NDArray[np.intp]:
    """The stored offsets of consecutive parts that together have `size` entries."""
    offsets = stored(arrays, starts, "i")
    if offsets.size < 2 or offsets[0] != 0 or offsets[-1] != size or (np.diff(offsets) < 0).any():
        raise InputError(f"the stored array {starts!r} does not divide its values. Fit again.")
    return offsets.astype(np.intp)
