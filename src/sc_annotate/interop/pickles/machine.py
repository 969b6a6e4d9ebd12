"""The stack on which a pickle's instructions are followed, without importing, calling or setting anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from sys import getsizeof
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    Use = Literal["named", "called", "made"]
    Permit = Callable[[str, str], Use | None]

_PLAIN = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_FRESH: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO", "FRAME"}
# Upper bounds of the bytes that objects take, charged before these are made.
_STEP, _CONTAINER, _ENTRY, _OBJECT = 8, 72, 112, 320


@dataclass(frozen=True, eq=False)
class Name:
    """The name of a class or function; what it names is never looked up."""

    module: str
    name: str
    use: Use

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, repr=False)
class Thing:
    """What would have been an object: made by which name, of which arguments, and with which state."""

    of: Name
    args: tuple[Any, ...]
    state: Any = field(default=None)


class Refused(Exception):
    """What the file does that no description of data needs."""


class Machine:
    """The stack, the marks on it and the memory of a pickle that is being followed.

    All that it takes is charged to a `budget` of bytes. What is made of references is charged as if it were made of copies
    where it may become an array of its own: a few bytes can refer to a large string a million times.
    """

    def __init__(self, permit: Permit, budget: int) -> None:
        self._permit = permit
        self._left = budget
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        if len(self._stack) != 1 or self._below:
            raise Refused("does not leave one object")
        return self._stack[0]

    def do(self, code: str, argument: Any) -> None:
        """Follow one instruction."""
        self._charge(_STEP)
        if code in _PLAIN:
            self._charge(getsizeof(argument))
            self._stack.append(argument)
        elif code in _CONSTANTS:
            self._stack.append(_CONSTANTS[code])
        elif code in _FRESH:
            self._charge(_CONTAINER)
            self._stack.append(_FRESH[code]())
        elif code in _TUPLES:
            n = _TUPLES[code]
            if len(self._stack) < n:
                raise IndexError(code)
            self._charge(_CONTAINER)
            self._stack[-n:] = [tuple(self._stack[-n:])]
        elif code not in _IGNORED:
            # A method for each of the others; what has none is refused.
            method = getattr(self, f"_{code.lower()}", None)
            if method is None:
                raise Refused(f"uses the instruction {code}, which no model needs")
            method(argument)

    def _charge(self, n: int) -> None:
        self._left -= n
        if self._left < 0:
            raise Refused("would take far more memory than its size explains")

    # ---- stack and memory

    def _mark(self, _: Any) -> None:
        self._charge(_CONTAINER)
        self._below.append(self._stack)
        self._stack = []

    def _items(self) -> list[Any]:
        """What stands above the last mark."""
        items, self._stack = self._stack, self._below.pop()
        return items

    def _pop(self, _: Any) -> None:
        self._stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._items()

    def _memoize(self, _: Any) -> None:
        self._charge(_ENTRY)
        self._memo[len(self._memo)] = self._stack[-1]

    def _binput(self, place: int) -> None:
        self._charge(_ENTRY)
        self._memo[int(place)] = self._stack[-1]

    def _binget(self, place: int) -> None:
        self._stack.append(self._memo[int(place)])

    _put = _long_binput = _binput
    _get = _long_binget = _binget

    # ---- collections

    def _tuple(self, _: Any) -> None:
        items = self._items()
        self._charge(_CONTAINER + 8 * len(items))
        self._stack.append(tuple(items))

    def _list(self, _: Any) -> None:
        items = self._items()
        self._stack.append(items)

    def _appends(self, _: Any) -> None:
        items = self._items()
        self._extend(items)

    def _append(self, _: Any) -> None:
        self._extend([self._stack.pop()])

    def _extend(self, items: list[Any]) -> None:
        if type(self._stack[-1]) is not list:
            raise Refused("adds items to what is no list")
        self._charge(2 * 8 * len(items))
        self._stack[-1].extend(items)

    def _setitems(self, _: Any) -> None:
        items = self._items()
        self._update(items)

    def _setitem(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._update([key, value])

    def _update(self, items: list[Any]) -> None:
        if type(self._stack[-1]) is not dict:
            raise Refused("sets items of what is no dict")
        self._charge(_ENTRY * (len(items) // 2))
        for key, value in zip(items[::2], items[1::2], strict=True):
            # A nest of tuples takes forever to be hashed, and numbers can be chosen to have one hash: a dict of them is slow.
            if type(key) is not str and (type(key) not in (int, bool, type(None)) or not -(2**32) < (key or 0) < 2**32):
                raise Refused("has a key that is neither a string nor a small number")
            self._stack[-1][key] = value

    # ---- names and what would have been objects

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._name(module, name)

    def _stack_global(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._name(module, name)

    def _name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise Refused("names something by what is no string")
        use = self._permit(module, name) if name.isidentifier() else None
        if use is None:
            raise Refused(f"names {f'{module}.{name}'[:100]!r}, which no model needs")
        self._charge(_OBJECT + getsizeof(module) + getsizeof(name))
        self._stack.append(Name(module, name, use))

    def _reduce(self, _: Any) -> None:
        args, maker = self._stack.pop(), self._stack.pop()
        self._thing(maker, args, "called")

    def _newobj(self, _: Any) -> None:
        args, maker = self._stack.pop(), self._stack.pop()
        self._thing(maker, args, "made")

    def _thing(self, maker: Any, args: Any, use: Use) -> None:
        if type(maker) is not Name or maker.use != use:
            raise Refused(f"makes an object of {maker if type(maker) is Name else 'what is no name'}")
        if type(args) is not tuple:
            raise Refused("makes an object of arguments that are no tuple")
        self._charge(_OBJECT + _contents(args))
        self._stack.append(Thing(maker, args))

    def _build(self, _: Any) -> None:
        state = self._stack.pop()
        thing = self._stack[-1]
        if type(thing) is not Thing or thing.state is not None:
            raise Refused("sets the state of what has none")
        self._charge(_contents(state))
        thing.state = state


def _contents(items: Any) -> int:
    """Bytes of what an array may be made of: strings, and places of a list."""
    if type(items) is not tuple:
        return 0
    return sum(getsizeof(item) for item in items if type(item) in (bytes, bytearray, str, list))
