"""Numpy arrays, scalars and strings from the description that :mod:`sc_annotate.interop.pickles.description` makes."""

from __future__ import annotations

import math
import re
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.interop.pickles.description import Name, Thing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.interop.pickles.machine import Use

# Numbers and strings of a fixed length, or objects (O8), which are read as a list of strings.
_DTYPE = re.compile(r"[biuf][1248]|U\d{1,5}|O8")
MAX_NAME = 500
"""Longer names of genes and types are refused."""
MAX_NAMES = 1_000_000
MAX_TEXT = 2**28
"""Bytes of an array of names: each takes the space of the longest."""
_CORE = re.compile(r"numpy\.(_core|core)\.(multiarray|numeric)")


def permit(module: str, name: str) -> Use | None:
    """Names that numpy writes for arrays, and no others."""
    if (module, name) == ("numpy", "ndarray"):
        return "named"
    if (module, name) == ("numpy", "dtype"):
        return "called"
    core = _CORE.fullmatch(module)
    known = {"multiarray": {"_reconstruct", "scalar"}, "numeric": {"_frombuffer"}}
    return "called" if core and name in known[core[2]] else None


def value(found: Any) -> Any:
    """An array, a scalar or a plain value; what is none of them stays as it is."""
    if type(found) is not Thing or not found.of.module.startswith("numpy"):
        return found
    if found.of.name == "scalar":
        dtype, raw = found.args
        return _numbers(raw, _dtype(dtype), ())[()]
    if found.of.name == "_frombuffer":
        raw, dtype, shape, order = found.args
        return _numbers(raw, _dtype(dtype), shape, fortran=order == "F")
    if found.of.name == "_reconstruct":
        if type(found.args[0]) is not Name or found.args[0].name != "ndarray":
            raise ValueError("an array of another class")
        _, shape, dtype, fortran, raw = found.state
        return _numbers(raw, _dtype(dtype), shape, fortran=bool(fortran))
    return found


def _dtype(found: Any) -> np.dtype[Any]:
    if type(found) is not Thing or found.of.name != "dtype":
        raise ValueError("an array without a dtype")
    code = found.args[0]
    if type(code) is not str or not _DTYPE.fullmatch(code):
        raise ValueError("an array of another dtype than numbers and strings")
    big = bool(found.state) and found.state[1] == ">"
    return np.dtype(code).newbyteorder(">" if big else "<")


def _numbers(raw: Any, dtype: np.dtype[Any], shape: Any, *, fortran: bool = False) -> NDArray[Any]:
    if type(shape) is not tuple or len(shape) > 2 or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("an array of an odd shape")
    size = math.prod(shape)
    if dtype.kind == "O":
        if type(raw) is not list or len(raw) != size:
            raise ValueError("an array whose length is not its shape")
        # Arrays may refer to each other, and a few bytes to any number of items. An item that occurs several times is made once.
        made = {id(item): _scalar(item) for item in raw if type(item) is Thing}
        out = np.empty(size, dtype=object)
        out[:] = [made[id(item)] if type(item) is Thing else _scalar(item) for item in raw]
    else:
        # The bytes have to be there already: a shape alone reserves no memory.
        if not isinstance(raw, bytes | bytearray) or len(raw) != size * dtype.itemsize:
            raise ValueError("an array whose length is not its shape")
        out = np.frombuffer(raw, dtype=dtype, count=size).astype(dtype.newbyteorder("="))
        if dtype.kind == "U" and out.size and dtype.itemsize and out.view(np.uint32).max() > sys.maxunicode:
            raise ValueError("an array of strings with what is no character")
    return out.reshape(shape, order="F" if fortran else "C")


def _scalar(found: Any) -> Any:
    """An item of an array of objects: a plain value, or a scalar of numpy."""
    if type(found) is Thing and found.of.name == "scalar":
        found = value(found)
    if not isinstance(found, str | int | float | np.generic | None):
        raise ValueError("an array of objects that are neither numbers nor strings")
    return found


def texts(found: Any) -> NDArray[np.str_]:
    """An array or list of strings or whole numbers, as strings."""
    n = found.size if isinstance(found, np.ndarray) else len(found) if isinstance(found, list) else 0
    if n > MAX_NAMES:
        raise ValueError(f"more than {MAX_NAMES:,} names")
    items = np.asarray(found, dtype=object).ravel().tolist() if isinstance(found, np.ndarray) else found
    if not isinstance(items, list) or not all(isinstance(item, str | int | np.str_ | np.integer) for item in items):
        raise ValueError("names that are no strings")
    names = [str(item) for item in items]
    longest = max(map(len, names), default=0)
    if longest > MAX_NAME:
        raise ValueError(f"a name of more than {MAX_NAME} characters")
    if 4 * longest * len(names) > MAX_TEXT:
        raise ValueError(f"{len(names):,} names of up to {longest} characters")
    # Half a character (a surrogate) is an error to encode; what follows a zero byte would be lost in an array.
    if any(b"\0" in name.encode() for name in names):
        raise ValueError("a name with a zero byte")
    return np.array(names, dtype=str)
