"""The one place that turns values into what files can hold, and back.

=================  ======================================================================================
:func:`sanitize`   anything -> what ``uns`` (h5ad, zarr) can hold
:func:`brief`      parameters of a method -> the same, other objects by their kind
:func:`to_json`    anything -> what JSON can hold: NaN becomes null, tables keep the types of their columns
:func:`from_json`  back: tables as DataFrames
:func:`check_texts` texts that no file can hold are refused
:func:`shown`      anything -> a few words of a message
:func:`table`      columns or rows -> a DataFrame that both can hold (:mod:`sc_annotate._core.frames`)
=================  ======================================================================================

A dataclass is stored by the names of its fields; :func:`sc_annotate._core.decode.decode` reads it back. One that has ``to_uns()`` or ``to_json()`` decides for itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np

from sc_annotate._core.frames import frame_from_json, frame_to_json, is_frame, table
from sc_annotate.errors import StorageError

__all__ = ["brief", "check_texts", "from_json", "sanitize", "shown", "table", "to_json"]

_INT64 = range(-(2**63), 2**63)


def shown(value: Any) -> str:
    """A value for a message; Python writes no integer of more than some thousand digits."""
    try:
        text = repr(value)
    except ValueError:
        return f"{type(value).__name__} of more digits than are written"
    return text if len(text) <= 200 else f"{text[:150]}...{text[-20:]}"


def sanitize(value: Any, *, where: str = "params") -> Any:
    """A copy of `value` that survives writing and reading.

    Tuples and sets become arrays (sets sorted), paths and enums strings, numpy scalars Python ones, keys
    strings, dataclasses dicts of their fields. What has no faithful form is a StorageError that names it.

    Examples
    --------
    >>> sanitize({"k": (1, 2), "missing": None})
    {'k': array([1, 2]), 'missing': None}
    """
    if hasattr(value, "to_uns") and not isinstance(value, type):
        return sanitize(value.to_uns(), where=where)
    if isinstance(value, Enum):
        return sanitize(value.value, where=where)
    if value is None or isinstance(value, bool):
        return value
    # Subclasses (numpy's float64 and str_ among them) are not always writable: make them plain.
    if isinstance(value, str):
        # Most texts are plain, and there are thousands of them.
        if not value.isascii() or "\0" in value:
            check_texts([value], where)
        return str(value)
    if isinstance(value, float | np.floating):
        return float(value)
    if isinstance(value, int):
        if value not in _INT64:
            raise StorageError(
                f"{where} holds the integer {shown(value)}, which does not fit 64 bits and cannot be stored."
            )
        return int(value)
    if isinstance(value, np.bool_ | np.integer):
        return sanitize(value.item(), where=where)
    if isinstance(value, PurePath):
        return str(value)
    if _is_record(value):
        value = _by_name(value)
    if isinstance(value, Mapping):
        out = {_key(k, where): sanitize(v, where=f"{where}[{k!r}]") for k, v in value.items()}
        if len(out) < len(value):
            raise StorageError(
                f"{where} has keys that are the same as text: {', '.join(map(repr, value))}. Rename one."
            )
        return out
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
        if value.dtype.kind in "biufS":
            return value.copy()
        if value.ndim == 0:
            return sanitize(value.item(), where=where)
        if value.dtype.kind == "U":
            check_texts(value.ravel().tolist(), where)
            # As it is read back.
            return value.astype(object)
        items = _array([sanitize(v, where=where) for v in value.ravel().tolist()], where)
        return items.reshape(value.shape)
    if is_frame(value):
        return value.copy()
    if isinstance(value, Set):
        return sanitize(_sorted(value), where=where)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return _array([sanitize(v, where=where) for v in value], where)
    raise StorageError(
        f"{where} holds a {type(value).__name__}, which h5ad and zarr cannot hold. Pass numbers, strings, or lists of them."
    )


def check_texts(texts: Iterable[Any], where: str, error: type[Exception] = StorageError) -> None:
    """Refuse texts that arrays and files cannot hold, naming the first one; what is no text passes.

    numpy drops zero bytes at the end of a text, so that two names become one, and files refuse them anywhere. Half of a
    pair of surrogates, which a wrong encoding leaves, is no character.

    Examples
    --------
    >>> check_texts(["B", "naïve B", None], "adata.obs['cell_type']")
    """
    found = list(texts)
    try:
        joined = "\n".join(found)
    except TypeError:
        found = [text for text in found if isinstance(text, str)]
        joined = "\n".join(found)
    if "\0" not in joined and (joined.isascii() or _encodes(joined)):
        return
    wrong = next(text for text in found if "\0" in text or not _encodes(text))
    if "\0" in wrong:
        raise error(
            f"{where} holds {wrong!r}, with a zero byte, which no file can hold. Take it out, for example with "
            "`.str.replace('\\0', '')`; see that names stay apart."
        )
    raise error(
        f"{where} holds {wrong!r}, with half of a character (a lone surrogate), which no file can hold. Read the table again "
        "with the right encoding, or rename it."
    )


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def brief(params: Mapping[str, Any], *, longest: int = 20) -> dict[str, Any]:
    """Parameters as ``uns`` can hold them; of other objects, and of dicts of more than `longest` entries, the kind.

    Examples
    --------
    >>> brief({"k": 3, "source": object()})
    {'k': 3, 'source': '<object>'}
    """
    out: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, dict) and len(value) > longest:
            out[str(name)] = f"<dict of {len(value)}>"
            continue
        try:
            if _is_record(value):
                raise StorageError("an object")
            out[str(name)] = sanitize(value, where=str(name))
        except StorageError:
            out[str(name)] = f"<{type(value).__name__}>"
    return out


def to_json(value: Any, *, where: str = "value") -> Any:
    """`value` as JSON can hold it: dicts, lists, strings, numbers, booleans, None.

    NaN and infinities become None. A DataFrame becomes ``{"columns": {name: [...]}, "dtypes": {name: ...}}``, in which NaN
    is None and infinities are strings, so that :func:`from_json` gives back equal columns; its index is left out.

    Examples
    --------
    >>> to_json({"score": np.float32(0.5), "undefined": np.nan, "classes": np.array(["B", "T"])})
    {'score': 0.5, 'undefined': None, 'classes': ['B', 'T']}
    >>> to_json(table({"type": ["B", "T"], "f1": [1.0, np.nan]}))
    {'columns': {'type': ['B', 'T'], 'f1': [1.0, None]}, 'dtypes': {'type': 'text', 'f1': 'float'}}
    """
    if hasattr(value, "to_json") and not is_frame(value) and not isinstance(value, type):
        return to_json(value.to_json(), where=where)
    if isinstance(value, Enum):
        return to_json(value.value, where=where)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str | PurePath):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    if is_frame(value):
        return frame_to_json(value, where)
    if _is_record(value):
        value = _by_name(value)
    if isinstance(value, Mapping):
        out = {str(k): to_json(v, where=f"{where}[{k!r}]") for k, v in value.items()}
        if len(out) < len(value):
            raise StorageError(f"{where} has keys that are the same as text: {', '.join(map(repr, value))}.")
        return out
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
        return value.tolist() if value.dtype.kind in "biuU" else to_json(value.tolist(), where=where)
    if isinstance(value, Set):
        return to_json(_sorted(value), where=where)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [to_json(v, where=where) for v in value]
    raise StorageError(f"{where} holds a {type(value).__name__}, which JSON cannot hold.")


def from_json(stored: Any) -> Any:
    """What :func:`to_json` wrote, with its tables as DataFrames again; a ValueError where a table is not whole.

    Examples
    --------
    >>> from_json(to_json({"scores": table({"type": ["B", "T"], "f1": [1.0, np.nan]})}))["scores"]
      type   f1
    0    B  1.0
    1    T  NaN
    """
    if isinstance(stored, dict):
        if stored.keys() == {"columns", "dtypes"}:
            return frame_from_json(stored["columns"], stored["dtypes"])
        return {name: from_json(value) for name, value in stored.items()}
    if isinstance(stored, list):
        return [from_json(value) if isinstance(value, dict | list) else value for value in stored]
    return stored


def _is_record(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type)


def _by_name(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value) if each.init}


def _sorted(values: Set[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:  # values of several kinds, which the list of them is refused for
        return list(values)


def _key(key: Any, where: str) -> str:
    text = str(key.value if isinstance(key, Enum) else key)
    if not text.isascii() or "\0" in text:
        check_texts([text], f"a key of {where}")
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
