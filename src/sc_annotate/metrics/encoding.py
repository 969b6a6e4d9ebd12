"""Labels of any kind into integer codes, with the cells that have none marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import check_texts
from sc_annotate.errors import InputError, LabelError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    return value == "" or (isinstance(value, float) and value != value)


def encode(values: ArrayLike, name: str, *, missing: bool = False) -> tuple[NDArray[np.str_], NDArray[np.intp]]:
    """Sorted label names, and one code a cell; None, NaN, NA and "" have the code -1.

    `missing` says whether there may be such cells; where there may not, they are a LabelError.
    """
    # numpy would turn a NaN among strings into the string "nan".
    array = np.array(values, dtype=object) if isinstance(values, list | tuple) else np.asarray(values)
    if array.ndim != 1:
        raise InputError(f"{name} must have one entry a cell, but its shape is {array.shape}. Pass a 1-d array.")
    if array.size == 0:
        raise InputError(f"{name} is empty. Pass at least one cell.")
    # A dictionary is about ten times as fast as np.unique on a million strings.
    seen: dict[Any, int] = {}
    first = np.fromiter((seen.setdefault(value, len(seen)) for value in array.tolist()), np.intp, array.size)
    check_texts(seen, name, LabelError)
    names = [None if _is_missing(value) else str(value) for value in seen]
    present = sorted({value for value in names if value is not None})
    position = {value: code for code, value in enumerate(present)}
    codes = np.array([-1 if value is None else position[value] for value in names], dtype=np.intp)[first]
    if not missing and (n := int((codes < 0).sum())):
        raise LabelError(f"{n} of {array.size} entries of {name} are missing or empty. Leave those cells out.")
    return np.array(present, dtype=np.str_), codes


def same_length(n: int, other: int, name: str, of: str = "y") -> None:
    """Raise where `name` has another number of cells than `of`."""
    if n != other:
        raise InputError(f"{of} has {n} cells but {name} has {other}. They must describe the same cells.")


def encode_pair(y: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.str_], NDArray[np.intp], NDArray[np.intp]]:
    """Sorted names that occur in either, and the codes of both among them (-1: no label)."""
    true_names, true_codes = encode(y, "y")
    called_names, called_codes = encode(labels, "labels", missing=True)
    same_length(true_codes.size, called_codes.size, "labels")
    # Python's union keeps whole strings; numpy would need the longer of two widths.
    both = np.array(sorted({*true_names.tolist(), *called_names.tolist()}), dtype=np.str_)
    # The last entry is for the code -1.
    from_called = np.append(np.searchsorted(both, called_names), -1).astype(np.intp)
    return both, np.searchsorted(both, true_names)[true_codes], from_called[called_codes]


def class_positions(types: NDArray[np.str_], classes: ArrayLike) -> NDArray[np.intp]:
    """Position of each of `types` in `classes`; -1 where it is not there."""
    names, codes = encode(classes, "classes")
    if names.size != codes.size:
        raise LabelError(f"classes names {codes.size - names.size} types twice. Pass each type once.")
    order = {name: i for i, name in enumerate(names[codes].tolist())}
    return np.array([order.get(name, -1) for name in types.tolist()], dtype=np.intp)


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
