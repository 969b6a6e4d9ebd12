"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the measured data sets; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("SC_ANNOTATE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}: set SC_ANNOTATE_DATA to its folder")
    return folder
