"""Arguments: checks that return the value or name the argument, hyperparameters of methods, defaults, and requests.

A public function is :func:`public`, declares its defaults with :func:`default`, packs its keyword arguments into frozen
requests, which know which arguments were written, and hands these on. Whatever a request cannot honour in some mode it
refuses by name, with :meth:`Request.refuse`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from functools import wraps
from typing import Any, Literal, Self, TypeVar, cast

import numpy as np

from sc_annotate._core.codec import sanitize, shown
from sc_annotate.errors import ArgumentError, InputError, MethodError

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

Ends = Literal["both", "low", "high", "neither"]

LARGEST, MOST = float(np.finfo(np.float64).max), 2**63 - 1  # the largest numbers that arrays and files hold


def public(function: F) -> F:
    """A public function or class: an argument that it lacks is an ArgumentError, and `rng` may be a Generator.

    Of a Generator one integer is drawn, which is what the function sees and records; so it moves on with each call.

    Examples
    --------
    >>> @public
    ... def f(labels_key: str, *, rng: int = 0) -> int:
    ...     return rng
    >>> f("cell_type", rng=np.random.default_rng(0))
    3653403231
    >>> f(label_key="cell_type")
    Traceback (most recent call last):
        ...
    sc_annotate.errors.ArgumentError: f has no argument label_key. Did you mean labels_key? It takes: labels_key, rng.
    """
    if isinstance(function, type):
        made: Any = function
        made.__init__ = public(made.__init__)
        return function

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if isinstance(kwargs.get("rng"), np.random.Generator):
            kwargs["rng"] = seed(kwargs["rng"])
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            if isinstance(error, ArgumentError) or error.__traceback__ is None or error.__traceback__.tb_next:
                raise  # from within the function
        from sc_annotate._core.near_names import wrong_arguments

        raise ArgumentError(wrong_arguments(function, args, kwargs))

    return cast("F", call)


def whole(value: Any, name: str, *, least: int, most: int | None = None) -> int:
    """An integer of Python or numpy, from `least` to `most`."""
    top = MOST if most is None else most
    plain = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not plain or not least <= value <= top:
        allowed = f"{least} or more" if most is None and not (plain and value > top) else f"from {least} to {top}"
        raise InputError(f"{name} must be a whole number, {allowed}, not {shown(value)}.")
    return int(value)


def number(value: Any, name: str, *, low: float = -np.inf, high: float = np.inf, ends: Ends = "both") -> float:
    """A finite number between `low` and `high`; `ends` says which of the two are allowed."""
    plain = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    above = plain and (value >= low if ends in ("both", "low") else value > low)
    below = plain and (value <= high if ends in ("both", "high") else value < high)
    if not (above and below and (abs(value) <= LARGEST if isinstance(value, int) else np.isfinite(value))):
        raise InputError(f"{name} must be {_between(low, high, ends)}, not {shown(value)}.")
    return float(value)


def _between(low: float, high: float, ends: Ends) -> str:
    if np.isinf(high):
        above = f" {'of at least' if ends in ('both', 'low') else 'above'} {low}"
        return f"a number{'' if np.isinf(low) else above}"
    left_out = {"both": "", "low": f", {high} excluded", "high": f", {low} excluded", "neither": ", both excluded"}
    return f"a number between {low} and {high}{left_out[ends]}"


def share(value: Any, name: str, *, ends: Ends = "neither") -> float:
    """A number between 0 and 1."""
    return number(value, name, low=0, high=1, ends=ends)


def boolean(value: Any, name: str) -> bool:
    """True or False, of Python or numpy."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} must be True or False, not {value!r}.")
    return bool(value)


def one_of(value: T, name: str, choices: Collection[Any]) -> T:
    """One of some values; None and False are named as such."""
    # False equals 0, but is not what was meant by it; what is no scalar may not be comparable.
    plain = value is None or isinstance(value, str | int | float)
    if not plain or not any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in choices):
        names = [repr(each) for each in choices]
        listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
        raise InputError(f"{name} must be {listed}, not {value!r}.")
    return value


def seed(value: Any, name: str = "rng") -> int:
    """A seed that numpy and scikit-learn take; of a Generator, one that is drawn from it."""
    if isinstance(value, np.random.Generator):
        return int(value.integers(2**32))
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= int(value) < 2**32:
        kinds = "an integer from 0 to 2**32 - 1" + ("" if name.startswith("-") else " or a numpy.random.Generator")
        raise InputError(f"{name} must be {kinds}, not {shown(value)}.")
    return int(value)


def columns(value: Any, name: str, *, of: str = "columns of obs") -> list[str]:
    """One name or several, as a list."""
    # A list first: what can be read only once is empty after a look at it. A set has no order.
    found = [value] if isinstance(value, str) else list(value) if hasattr(value, "__iter__") else [value]
    if isinstance(value, set | frozenset) or not all(isinstance(each, str) for each in found):
        raise InputError(f"{name} must be a list of {of}, not {value!r}.")
    return [str(each) for each in found]


def parameters(value: Any, name: str = "method_kwargs") -> dict[str, Any]:
    """A dict of parameters, copied; empty for None."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"{name} must be a dict of parameters, not {value!r}.")
    return dict(value)


@public
def need_positive(model: Any, *names: str) -> None:
    """Raise MethodError unless the named hyperparameters are positive numbers.

    Parameters
    ----------
    model, names
        A method, and names of its hyperparameters.

    Examples
    --------
    >>> from sc_annotate.annotators.knn import KNN
    >>> need_positive(KNN(n_neighbors=0), "n_neighbors")
    Traceback (most recent call last):
        ...
    sc_annotate.errors.MethodError: KNN: n_neighbors must be a positive number, not 0.
    """
    _need(model, names, "a positive number", lambda value: isinstance(value, int | float | np.number) and value > 0)


@public
def need_count(model: Any, *names: str) -> None:
    """Raise MethodError unless the named hyperparameters are whole numbers from 1.

    Parameters
    ----------
    model, names
        A method, and names of its hyperparameters.

    Examples
    --------
    >>> from sc_annotate.annotators.knn import KNN
    >>> need_count(KNN(n_neighbors=2.5), "n_neighbors")
    Traceback (most recent call last):
        ...
    sc_annotate.errors.MethodError: KNN: n_neighbors must be a whole number from 1, not 2.5.
    """
    _need(
        model, names, "a whole number from 1", lambda value: isinstance(value, int | np.integer) and 1 <= value <= MOST
    )


def _need(model: Any, names: tuple[str, ...], what: str, fits: Callable[[Any], Any]) -> None:
    for name in names:
        value = getattr(model, name)
        if isinstance(value, bool) or not fits(value):
            raise MethodError(f"{type(model).__name__}: {name} must be {what}, not {shown(value)}.")


@public
def need_choice(model: Any, name: str, choices: tuple[Any, ...]) -> None:
    """Raise MethodError unless the named hyperparameter is one of `choices`.

    Parameters
    ----------
    model, name, choices
        A method, the name of a hyperparameter, and what it may be.

    Examples
    --------
    >>> from sc_annotate.annotators.lda import LDA
    >>> need_choice(LDA(priors="flat"), "priors", ("observed", "uniform"))
    Traceback (most recent call last):
        ...
    sc_annotate.errors.MethodError: LDA: priors must be one of 'observed', 'uniform', not 'flat'.
    """
    value = getattr(model, name)
    if not any(value is each or (isinstance(value, str) and value == each) for each in choices):
        raise MethodError(
            f"{type(model).__name__}: {name} must be one of {', '.join(map(repr, choices))}, not {value!r}."
        )


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
        """An InputError that names those of `names` that the caller wrote, if any; `why` ends the sentence."""
        refuse(self.written.intersection(names), why=why, order=names)

    def to_uns(self) -> dict[str, Any]:
        """The values as ``uns`` and JSON can hold them."""
        return {each.name: sanitize(getattr(self, each.name), where=each.name) for each in fields(self) if each.init}


def refuse(written: Any, *, why: str, order: Any = None) -> None:
    """An InputError that names the arguments in `written`, if there are any."""
    names = [name for name in (order or sorted(written)) if name in written]
    if names:
        raise InputError(f"{' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))}: {why}")
