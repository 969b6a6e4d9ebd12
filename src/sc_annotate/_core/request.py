"""Requests: the arguments of a call in one frozen object that knows which arguments were written and which are defaults.

A public function declares its defaults with :func:`default`, packs its keyword arguments into requests, and hands these
on. Whatever a request cannot honour in some mode it refuses by name, with :meth:`Request.refuse`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Self, TypeVar, cast

from sc_annotate._core.codec import sanitize
from sc_annotate.errors import InputError

T = TypeVar("T")


class Unset:
    """The default of an argument, distinct from an equal value that a caller wrote."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        # Signatures in docs and notebooks show the default itself.
        return repr(self.value)


def default(value: T) -> T:
    """A default that a request recognises as not written; to type checkers, the value itself.

    Examples
    --------
    >>> def f(n: int = default(3)) -> int:
    ...     return value_of(n)
    >>> f()
    3
    """
    return cast("T", Unset(value))


def value_of(argument: T) -> T:
    """The value of an argument, whether it was written or is a default."""
    return cast("T", argument.value) if isinstance(argument, Unset) else argument


@dataclass(frozen=True, kw_only=True)
class Request:
    """Base of all requests. Subclasses are frozen dataclasses built by keyword; `check` refuses wrong values once.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Sampling(Request):
    ...     max_cells: int | None = default(None)
    ...     rng: int = default(0)
    >>> Sampling(rng=0).written
    frozenset({'rng'})
    >>> Sampling(rng=1).to_uns()
    {'max_cells': None, 'rng': 1}
    """

    written: frozenset[str] = field(init=False, repr=False, compare=False, default=frozenset())
    """Names of the arguments that the caller wrote."""

    def __post_init__(self) -> None:
        names = [each.name for each in fields(self) if each.init]
        written = frozenset(name for name in names if not isinstance(getattr(self, name), Unset))
        for name in names:
            object.__setattr__(self, name, value_of(getattr(self, name)))
        object.__setattr__(self, "written", written)
        self.check()

    def check(self) -> None:
        """Refuse values that mean nothing, whatever they are used with."""

    def but(self, **values: Any) -> Self:
        """A copy with other values, which counts the same arguments as written."""
        kept = {each.name: getattr(self, each.name) for each in fields(self) if each.init} | values
        # The checks of the copy ask too what was written.
        return type(self)(**{name: value if name in self.written else default(value) for name, value in kept.items()})

    def refuse(self, *names: str, why: str) -> None:
        """An InputError that names those of `names` that the caller wrote, if any; `why` ends the sentence.

        Examples
        --------
        >>> Request().refuse("layer", why="is of no use here")
        """
        refuse(self.written.intersection(names), why=why, order=names)

    def to_uns(self) -> dict[str, Any]:
        """The values as ``uns`` and JSON can hold them."""
        return {each.name: sanitize(getattr(self, each.name), where=each.name) for each in fields(self) if each.init}


def refuse(written: Any, *, why: str, order: Any = None) -> None:
    """An InputError that names the arguments in `written`, if there are any."""
    names = [name for name in (order or sorted(written)) if name in written]
    if names:
        raise InputError(f"{' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))}: {why}")
