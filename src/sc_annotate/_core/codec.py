"""Turn Python values into what h5ad and zarr can hold in ``uns``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np

from sc_annotate.errors import StorageError


def sanitize(value: Any, *, where: str = "params") -> Any:
    """A copy of `value` that survives writing and reading.

    Tuples and sets become lists (sets sorted), paths and enums strings, numpy scalars Python ones, keys
    strings. What has no faithful form is refused by name.
    """
    if isinstance(value, Enum):
        return sanitize(value.value, where=where)
    if value is None or isinstance(value, bool):
        return value
    # Subclasses (numpy's float64 and str_ among them) are not always writable: make them plain.
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float | np.floating):
        return float(value)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise StorageError(f"{where} holds the integer {value}, which does not fit 64 bits and cannot be stored.")
        return int(value)
    if isinstance(value, np.bool_ | np.integer):
        return sanitize(value.item(), where=where)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        out = {_key(k, where): sanitize(v, where=f"{where}[{k!r}]") for k, v in value.items()}
        if len(out) < len(value):
            raise StorageError(
                f"{where} has keys that are the same as text: {', '.join(map(repr, value))}. Rename one."
            )
        return out
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
        if value.dtype.kind in "biufUS":
            return value.copy()
        if value.ndim == 0:
            return sanitize(value.item(), where=where)
        items = _array([sanitize(v, where=where) for v in value.ravel().tolist()], where)
        return items.reshape(value.shape)
    if type(value).__name__ == "DataFrame":
        return value.copy()
    if isinstance(value, Set):
        return sanitize(_sorted(value), where=where)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return _array([sanitize(v, where=where) for v in value], where)
    raise StorageError(
        f"{where} holds a {type(value).__name__}, which h5ad and zarr cannot hold. Pass numbers, strings, or lists of them."
    )


def _sorted(values: Set[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:  # values of several kinds, which the list of them is refused for
        return list(values)


def _key(key: Any, where: str) -> str:
    text = str(key.value if isinstance(key, Enum) else key)
    if not text or text == "." or "/" in text:
        raise StorageError(f"{where} has the key {text!r}; h5ad cannot hold '/' in a key, nor an empty one. Rename it.")
    return text


def _array(items: list[Any], where: str) -> Any:
    """A list as an array of one kind, since a list of mixed values changes when it is written."""
    kinds = {type(v) for v in items}
    if not items or kinds == {str}:
        return np.array(items, dtype=object if items else float)
    if kinds <= {bool} or kinds <= {int, float}:
        return np.array(items)
    raise StorageError(
        f"{where} holds a list of mixed values {items!r}, which h5ad cannot hold. Pass values of one kind."
    )
