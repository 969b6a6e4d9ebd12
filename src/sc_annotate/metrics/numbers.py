"""One finite number, or one yes or no, for each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def numbers(values: ArrayLike, name: str, n: int | None = None) -> NDArray[np.float64]:
    """`values` as float64, shape (n,), or an InputError."""
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "fiub" or (n is not None and array.size != n):
        raise InputError(f"{name} must hold one number for each {'cell' if n is None else f'of the {n} cells'}.")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"{name} has NaN or infinite entries. Leave those cells out of all arguments.")
    return array


def mask(values: ArrayLike, name: str, n: int | None = None) -> NDArray[np.bool_]:
    """`values` as bool, shape (n,), or an InputError."""
    array = np.asarray(values)
    if array.dtype != bool or array.ndim != 1 or (n is not None and array.size != n):
        raise InputError(f"{name} must be True or False for each {'cell' if n is None else f'of the {n} cells'}.")
    return array
