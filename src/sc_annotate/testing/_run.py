"""Run a set of checks and say all that failed."""

from __future__ import annotations

import random
from typing import Any

import numpy as np


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


def global_random_state() -> tuple[Any, ...]:
    """Of numpy and of Python, to be compared."""
    return (*(np.asarray(part).tolist() for part in np.random.get_state()), random.getstate())  # noqa: NPY002
