"""Strict reading of what a file states about itself: type annotations are the schema.

:func:`decode` follows dataclasses, typed dicts, lists, dicts, literals, unions and plain types, narrowed by what
:mod:`sc_annotate._core.schema` adds to them. ``Any`` is whatever ``uns``, h5ad and zarr can hold; ``object`` whatever JSON can.
"""

from __future__ import annotations

import collections.abc
import math
import re
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args, get_origin

from sc_annotate._core.codec import sanitize
from sc_annotate._core.frames import frame_from_json
from sc_annotate._core.schema import LARGEST, Columns, Frame, Keys, Length, Storable, Within
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

_UNFIT = re.compile("[\0\ud800-\udfff]")
_DEEPEST = 16
_SHOWN = 60


def decode(kind: Any, value: Any, where: str = "value") -> Any:
    """`value`, as JSON holds it, as a `kind`; a ValueError says what is wrong with which part.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from sc_annotate._core.schema import Count
    >>> @dataclass
    ... class Score:
    ...     name: str
    ...     value: float = 0.0
    >>> decode(Score, {"name": "f1", "value": 0.5})
    Score(name='f1', value=0.5)
    >>> decode(list[Count], [1, -1], "counts")
    Traceback (most recent call last):
    ...
    ValueError: counts[1] is -1, which is not between 0 and 1e+12
    """
    if kind is Any or kind is object:
        return _plain(value, where, storable=kind is Any)
    if kind is None or kind is type(None):
        return _is(value is None, value, where, "null") and None
    if (origin := get_origin(kind)) is Annotated:
        inner, *narrower = get_args(kind)
        return _narrowed(inner, narrower, value, where)
    if kind in _SIMPLE:
        return _SIMPLE[kind](value, where)
    if origin is Literal:
        known = [choice for choice in get_args(kind) if type(choice) is type(value) and choice == value]
        _is(bool(known), value, where, f"one of {', '.join(map(repr, get_args(kind)))}")
        return value
    if origin in (typing.Union, types.UnionType):
        return _union(get_args(kind), value, where)
    if origin in (list, tuple, Sequence):
        _is(isinstance(value, list), value, where, "a list")
        item = get_args(kind)[0]
        if _all_fit(item, value):
            return tuple(value) if origin is tuple else list(value)
        items = [decode(item, each, f"{where}[{i}]") for i, each in enumerate(value)]
        return tuple(items) if origin is tuple else items
    if origin in (dict, Mapping):
        _is(isinstance(value, dict), value, where, "an object")
        if (inner := get_args(kind)[1]) in (Any, object):
            return _plain(value, where, storable=inner is Any)
        item = get_args(kind)[1]
        return {_text(key, f"a key of {where}"): decode(item, each, f"{where}[{key!r}]") for key, each in value.items()}
    if is_dataclass(kind):
        return cast("Callable[..., Any]", kind)(**_members(kind, value, where))
    if typing.is_typeddict(kind):
        return _members(kind, value, where)
    raise TypeError(f"{kind!r} is no type that a schema can have")


def _all_fit(kind: Any, values: list[Any]) -> bool:
    """Whether many texts or numbers are all valid; if not, they are decoded one by one to name the wrong one."""
    inner, *narrower = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    if inner not in (int, str) or set(map(type, values)) != {inner}:
        return False
    low, high = (min(values), max(values)) if inner is int else (min(map(len, values)), max(map(len, values)))
    if inner is int:
        whole = -(2**63) <= low and high < 2**63
        return whole and all(each.low <= low and high <= each.high for each in narrower if isinstance(each, Within))
    fits = all(each.least <= low and high <= each.most for each in (Length(), *narrower) if isinstance(each, Length))
    return fits and not _UNFIT.search("".join(values))


def _is(fits: bool, value: Any, where: str, what: str) -> bool:
    if not fits:
        shown = repr(value[:_SHOWN] if isinstance(value, str) else value)
        raise ValueError(f"{where} is {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '...'}, not {what}")
    return True


def _text(value: Any, where: str) -> str:
    _is(isinstance(value, str), value, where, "a text")
    if len(value) > Length().most:
        raise ValueError(f"{where} is a text of {len(value):,} characters")
    # Neither can be written to HDF5.
    if _UNFIT.search(value):
        raise ValueError(f"{where} is a text with a zero byte or half of a character (a lone surrogate)")
    return str(value)


def _bool(value: Any, where: str) -> bool:
    _is(isinstance(value, bool), value, where, "true or false")
    return bool(value)


def _int(value: Any, where: str) -> int:
    _is(isinstance(value, int) and not isinstance(value, bool), value, where, "a whole number")
    # Of up to 64 bits, as arrays and files hold them.
    _is(-(2**63) <= value < 2**63, "too large", where, "a whole number of 64 bits")
    return int(value)


def _float(value: Any, where: str) -> float:
    _is(isinstance(value, int | float) and not isinstance(value, bool), value, where, "a number")
    _is(abs(value) <= LARGEST, value if isinstance(value, float) else "too large", where, "a number of usual size")
    found: float = value
    return found


_SIMPLE: dict[Any, Callable[[Any, str], Any]] = {str: _text, bool: _bool, int: _int, float: _float}


def _narrowed(kind: Any, narrower: Sequence[Any], value: Any, where: str) -> Any:
    if kind is Frame:
        return _frame(narrower[0], value, where)
    found = decode(kind, value, where)
    for each in narrower:
        if isinstance(each, Within) and not each.low <= found <= each.high:
            raise ValueError(f"{where} is {found!r}, which is not between {each.low:g} and {each.high:g}")
        if isinstance(each, Length) and not each.least <= len(found) <= each.most:
            raise ValueError(
                f"{where} has the length {len(found):,}, which is not between {each.least} and {each.most:,}"
            )
        if isinstance(each, Storable):
            _storable(found, where)
        if isinstance(each, Keys):
            for name, inner in each.of.items():
                _is(name in found, "absent", f"{where}[{name!r}]", "there")
                found[name] = decode(inner, found[name], f"{where}[{name!r}]")
    return found


def _union(kinds: Sequence[Any], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    wrong: list[str] = []
    for kind in kinds:
        if kind is not type(None):
            try:
                return decode(kind, value, where)
            except ValueError as error:
                wrong.append(str(error))
    raise ValueError(" or ".join(wrong))


def _plain(value: Any, where: str, *, storable: bool = False, depth: int = 0) -> Any:
    """Texts, finite numbers, truth values, None, and lists and dicts of these; if `storable`, as ``uns`` can hold them."""
    if depth > _DEEPEST:
        raise ValueError(f"{where} is nested too deep")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, int):
        return _int(value, where)
    if isinstance(value, float):
        _is(math.isfinite(value), value, where, "finite")
        return value
    if isinstance(value, list):
        value = [_plain(each, f"{where}[{i}]", depth=depth + 1) for i, each in enumerate(value)]
    elif isinstance(value, dict):
        value = {
            _text(k, f"a key of {where}"): _plain(v, f"{where}[{k[:_SHOWN]!r}]", depth=depth + 1)
            for k, v in value.items()
        }
    else:
        raise ValueError(f"{where} is a {type(value).__name__}")  # nothing that JSON has
    if storable:
        _storable(value, where)
    return value


def _storable(value: Any, where: str) -> None:
    try:
        sanitize(value, where=where)
    except StorageError as error:
        raise ValueError(str(error)) from error


def _frame(columns: Columns, value: Any, where: str) -> Any:
    if columns.optional and value == {}:
        return {}
    _is(isinstance(value, dict) and value.keys() == {"columns", "dtypes"}, value, where, "a table")
    if value["dtypes"] != dict(columns.of):
        raise ValueError(f"{where} has other columns than {', '.join(columns.of)}")
    try:
        frame = frame_from_json(value["columns"], value["dtypes"])
    except (OverflowError, TypeError) as error:
        raise ValueError(f"{where} is no table ({error})") from error
    if len(frame) < columns.least:
        raise ValueError(f"{where} has {len(frame)} rows")
    for name, kind in columns.of.items():
        for i, each in enumerate(frame[name]):
            if kind == "text":
                _text(each, f"{where}[{name!r}][{i}]")
            elif kind == "float" and math.isfinite(each) or kind == "int":
                _float(float(each), f"{where}[{name!r}][{i}]")
    return frame


def _members(kind: Any, value: Any, where: str) -> dict[str, Any]:
    """The fields of a dataclass or typed dict, each decoded; those that are absent or unknown are named."""
    _is(isinstance(value, dict), value, where, f"an object ({kind.__name__})")
    hints, needed = _hints(kind)
    if wrong := (needed - value.keys()) | (value.keys() - hints.keys()):
        raise ValueError(f"{where} lacks or does not know {', '.join(sorted(repr(name[:_SHOWN]) for name in wrong))}")
    return {name: decode(hints[name], each, f"{where}.{name}") for name, each in value.items()}


@cache
def _hints(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """Types of the fields, and the names of those that must be there."""
    if typing.is_typeddict(kind):
        # Whether a key is required is not known before the annotations are read.
        hints = _evaluated(kind, kind.__annotations__)
        needed = frozenset(name for name, hint in hints.items() if get_origin(hint) is not typing.NotRequired)
        return {n: get_args(h)[0] if n not in needed else h for n, h in hints.items()}, needed
    known = {each.name: each for each in fields(kind) if each.init}
    hints = {}
    for parent in reversed(kind.__mro__):
        stated = vars(parent).get("__annotations__", {})
        hints |= _evaluated(parent, {name: hint for name, hint in stated.items() if name in known})
    absent = (MISSING, MISSING)
    return hints, frozenset(n for n, each in known.items() if (each.default, each.default_factory) == absent)


def _evaluated(kind: Any, annotations: Mapping[str, Any]) -> dict[str, Any]:
    holder: Any = types.SimpleNamespace(__annotations__=dict(annotations))
    # What a module imports for type checking only is mostly one of these.
    usual = {name: getattr(collections.abc, name) for name in ("Mapping", "Sequence")} | {"Frame": Frame}
    return typing.get_type_hints(holder, usual | vars(sys.modules[kind.__module__]), include_extras=True)
