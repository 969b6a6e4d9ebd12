"""Arguments that must be whole numbers, shares, seeds, or names of columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from sc_annotate.errors import InputError


def whole(value: Any, name: str, *, least: int) -> int:
    """A whole number of Python or numpy, `least` or more; anything else is an error that names the argument."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name} must be a whole number, {least} or more, not {value!r}.")
    return int(value)


def share(value: Any, name: str) -> float:
    """A number between 0 and 1; anything else is an error that names the argument."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < 1:
        raise InputError(f"{name} must be a number between 0 and 1, both excluded, not {value!r}.")
    return float(value)


def seed(rng: Any) -> int:
    """A seed; anything else is an error."""
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer) or not 0 <= int(rng) < 2**32:
        raise InputError(f"rng must be an integer from 0 to 2**32 - 1, not {rng!r}.")
    return int(rng)


def one_of(value: Any, name: str, choices: tuple[Any, ...]) -> None:
    """Refuse what is none of the choices; the error lists them."""
    if not any(value is each or (isinstance(value, str) and value == each) for each in choices):
        raise InputError(f"{name} must be {' or '.join(map(repr, choices))}, not {value!r}.")


def boolean(value: Any, name: str) -> bool:
    """True or False; anything else is an error that names the argument."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} must be True or False, not {value!r}.")
    return bool(value)


def columns(value: Any, name: str) -> list[str]:
    """Names of columns of obs, one or several; anything else is an error that names the argument."""
    # A list first: what can be read only once would be empty after a look at it. A set has no order of its own.
    given = [value] if isinstance(value, str) else list(value) if hasattr(value, "__iter__") else [value]
    if isinstance(value, set | frozenset) or not all(isinstance(each, str) for each in given):
        raise InputError(f"{name} must be a list of columns of obs, not {value!r}.")
    return [str(each) for each in given]
