"""Small things that whatever writes files needs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def usual_rights(path: Path) -> None:
    """Give a temporary file, which its owner alone may read, the rights that a new file has."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(0o666 & ~umask)
