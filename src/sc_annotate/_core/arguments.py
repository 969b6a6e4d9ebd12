"""Arguments that must be whole numbers, or names of columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from sc_annotate.errors import InputError


def whole(value: Any, name: str, *, least: int) -> int:
    """A whole number of Python or numpy, `least` or more; anything else is an error that names the argument."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name} must be a whole number, {least} or more, not {value!r}.")
    return int(value)


def columns(value: Any, name: str) -> list[str]:
    """Names of columns of obs, one or several; anything else is an error that names the argument."""
    # A list first: what can be read only once would be empty after a look at it. A set has no order of its own.
    given = [value] if isinstance(value, str) else list(value) if hasattr(value, "__iter__") else [value]
    if isinstance(value, set | frozenset) or not all(isinstance(each, str) for each in given):
        raise InputError(f"{name} must be a list of columns of obs, not {value!r}.")
    return [str(each) for each in given]
