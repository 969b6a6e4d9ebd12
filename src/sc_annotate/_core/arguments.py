"""Arguments that must be whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from sc_annotate.errors import InputError


def whole(value: Any, name: str, *, least: int) -> int:
    """A whole number of Python or numpy, `least` or more; anything else is an error that names the argument."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name} must be a whole number, {least} or more, not {value!r}.")
    return int(value)
