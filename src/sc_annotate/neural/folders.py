"""The folder that the state of a training is written to, and the name of its file there."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.neural.batches import ArrayBlocks

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from sc_annotate.neural.batches import Cells


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


def fingerprint(cells: Cells, words: list[Any], numbers: tuple[NDArray[np.float64], ...]) -> str:
    """What tells the checkpoints of different fits apart: parameters, seed and cells.

    Cells that are not in memory are told apart by the means and scales of their genes and the order of their types.
    """
    text = json.dumps([*words, cells.n_cells, cells.n_genes], default=str)
    digest, parts = hashlib.sha256(text.encode()), [cells.codes, *numbers]
    if isinstance(cells, ArrayBlocks):
        parts.append(cells.X if isinstance(cells.X, np.ndarray) else cells.X.data)
    for part in parts:
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()[:16]
