"""What holds for tests and for the examples in docstrings alike."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Iterator


# Examples are small, and tests run side by side: threads of the linear algebra beneath would only wait for each other.
# What is set outside holds.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
if not any(name in os.environ for name in _THREADS):
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    # numpy may be there already: plugins of pytest import it.
    threadpool_limits(1)

# Networks cannot be collected where torch is not installed; all else can.
if find_spec("torch") is None or find_spec("lightning") is None:
    collect_ignore_glob = [
        *("src/sc_annotate/neural/*", "src/sc_annotate/annotators/torch_*.py", "tests/neural/*"),
        *("src/sc_annotate/get/_history.py", "src/sc_annotate/pl/_training.py", "src/sc_annotate/pl/_attention.py"),
    ]

# In tests/, which is on the path of modules (pyproject.toml).
pytest_plugins = ["matrices"]


@pytest.fixture(autouse=True)
def _no_picture_stays() -> Iterator[None]:
    """Examples draw pictures and do not close them; matplotlib warns of more than twenty."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
