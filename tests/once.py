"""What costs seconds to make is made once, also where several processes share the tests."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

# Seconds that the others wait for the one that makes it.
LONGEST = 900


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` has filled, in this process or in another one of the same run."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, done, failed = root / name, root / f"{name}.done", root / f"{name}.failed"
    try:
        folder.mkdir()
    except FileExistsError:
        end = time.monotonic() + LONGEST
        while not done.exists():
            if failed.exists() or time.monotonic() > end:
                raise RuntimeError(f"another process was to make {name!r}, and has not") from None
            time.sleep(0.2)
        return folder
    try:
        make(folder)
    except BaseException:
        failed.touch()
        raise
    done.touch()
    return folder
