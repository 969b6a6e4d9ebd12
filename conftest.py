"""What holds for tests and for the examples in docstrings alike."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


# In tests/, which is on the path of modules (pyproject.toml).
pytest_plugins = ["matrices"]


@pytest.fixture(autouse=True)
def _no_picture_stays() -> Iterator[None]:
    """Examples draw pictures and do not close them; matplotlib warns of more than twenty."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
