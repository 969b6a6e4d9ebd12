"""The folder that the state of a training is written to."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import os


def ready(folder: str | os.PathLike[str]) -> Path:
    """The folder, made where there is none; an InputError where nothing can be written to it.

    Found out before the training, not after its first epoch.
    """
    path = Path(folder).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise not_written(path, error) from error
    return path


def not_written(path: Path, error: Exception) -> InputError:
    """What to say where the state cannot be written."""
    shown = str(path) if len(str(path)) < 200 else f"{str(path)[:200]}..."
    return InputError(
        f"checkpoint: nothing can be written to {shown!r} ({getattr(error, 'strerror', None) or error}). Name a folder, or leave checkpoint out."
    )
