"""Checks that encoders share."""

from __future__ import annotations

from typing import Any

import numpy as np

from sc_annotate.errors import MethodError


def need_fitted(model: Any, attribute: str) -> None:
    """Raise MethodError where ``fit`` has not set an attribute yet."""
    if not hasattr(model, attribute):
        raise MethodError(f"this {type(model).__name__} is not fitted. Call fit(X, genes=...) first.")


def need_from_zero(model: Any, *names: str, below: float = np.inf) -> None:
    """Raise MethodError unless the named hyperparameters are numbers from 0, and less than `below`."""
    for name in names:
        value = getattr(model, name)
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < below:
            most = "finite" if below == np.inf else f"below {below:g}"
            raise MethodError(f"{type(model).__name__}: {name} must be a number from 0, {most}, not {value!r}.")
