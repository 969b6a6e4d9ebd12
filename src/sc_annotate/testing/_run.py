"""Run a set of checks and say all that failed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


def run(checks: Any, name: str, what: str) -> None:
    """Call every method that begins with ``check_``; one AssertionError with a line for each that failed."""
    failed = []
    for attribute in dir(checks):
        if attribute.startswith("check_"):
            try:
                getattr(checks, attribute)()
            except Exception as error:  # noqa: BLE001  whatever a third party's code raises belongs in the report
                text = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
                failed.append(f"  {attribute.removeprefix('check_')}: {text}")
    if failed:
        raise AssertionError(f"{name} failed {len(failed)} checks of {what}:\n" + "\n".join(failed))


def require(condition: Any, message: str) -> None:
    """Not an assert statement: ``python -O`` would leave that out."""
    if not condition:
        raise AssertionError(message)


def refused(kind: type[Exception], what: str, call: Callable[[], Any]) -> None:
    """Require an error of a kind, with a message."""
    try:
        call()
    except kind as error:
        require(str(error), f"{what}: the {type(error).__name__} has no message")
    except Exception as error:
        raise AssertionError(
            f"{what}: {type(error).__name__} ({error}) where {kind.__name__} should be raised"
        ) from error
    else:
        raise AssertionError(f"{what} was accepted; raise {kind.__name__}")


def global_random_state() -> tuple[Any, ...]:
    """Of numpy and of Python, to be compared."""
    return (*(np.asarray(part).tolist() for part in np.random.get_state()), random.getstate())  # noqa: NPY002
