"""Run a set of checks and say all that failed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def run(checks: Any, name: str, what: str) -> None:
    """Call every method that begins with ``check_``; one AssertionError that lists those that failed.

    Checks that say the same share a line, since one fault in ``fit`` fails most of them.
    """
    failed: dict[str, list[str]] = {}
    for attribute in dir(checks):
        if attribute.startswith("check_"):
            try:
                getattr(checks, attribute)()
            except Exception as error:  # noqa: BLE001  whatever a third party's code raises belongs in the report
                text = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
                failed.setdefault(text, []).append(attribute.removeprefix("check_"))
    if failed:
        lines = [f"  {', '.join(names)}: {text}" for text, names in failed.items()]
        number = sum(map(len, failed.values()))
        raise AssertionError(f"{name} failed {number} checks of {what}:\n" + "\n".join(lines))


def require(condition: Any, message: str) -> None:
    """Not an assert statement: ``python -O`` would leave that out."""
    if not condition:
        raise AssertionError(message)


def probabilities(P: Any, shape: tuple[int, int], call: str) -> NDArray[np.float32]:
    """What no prediction may lack."""
    require(isinstance(P, np.ndarray), f"{call} returned {type(P).__name__}, not a numpy array")
    require(P.shape == shape, f"{call} returned the shape {P.shape}, not {shape}")
    require(P.dtype == np.float32, f"probabilities are {P.dtype}, not float32")
    require(np.isfinite(P).all(), "probabilities are NaN or infinite")
    require((P >= 0).all(), "probabilities are negative")
    require(np.allclose(P.sum(axis=1), 1, atol=1e-4), "rows of probabilities do not sum to 1")
    return np.asarray(P, dtype=np.float32)


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
