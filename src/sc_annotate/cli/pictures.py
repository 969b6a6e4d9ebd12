"""The pictures of a result, as PNG files in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_annotate._core.files import not_written, temporary_file
from sc_annotate.cli.embedding import add_embedding
from sc_annotate.cli.output import say
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from sc_annotate.cli.output import Outputs

PICTURES = (
    *("annotation", "status", "probabilities", "confusion", "reliability", "risk_coverage", "sets", "unfamiliarity"),
    *("levels", "consensus", "evidence", "attention", "training", "markers_agree"),
)


def names() -> list[str]:
    """File names of all pictures."""
    return [f"{name}.png" for name in PICTURES]


def draw(adata: AnnData, key: str, folder: Path, outputs: Outputs, matrix: dict[str, Any] | None = None) -> None:
    """Draw each picture that the result has the numbers for, and say what the others lack.

    `matrix` are the arguments that say where the values are, for an embedding where there is none.
    """
    import matplotlib

    embedding = add_embedding(adata, matrix or {})
    if embedding:
        say(
            f"there is no embedding to draw the cells on: a {embedding} was computed for the pictures, and is not stored"
        )
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(not_written(folder, error)) from error
    try:
        with matplotlib.rc_context():
            matplotlib.use("agg")
            missing = _draw(adata, key, folder, outputs)
    finally:
        if made and not any(folder.iterdir()):
            folder.rmdir()
    for reason, lacking in missing.items():
        say(f"not drawn: {', '.join(lacking)} ({reason})")


def _draw(adata: AnnData, key: str, folder: Path, outputs: Outputs) -> dict[str, list[str]]:
    """Draw; why some pictures cannot be."""
    import matplotlib.pyplot as plt

    from sc_annotate import pl

    missing: dict[str, list[str]] = {}
    for name in PICTURES:
        path = (folder / f"{name}.png").resolve()
        try:
            with temporary_file(path) as temporary:
                getattr(pl, name)(adata, key, show=False, save=temporary)
        except InputError as error:
            if isinstance(error.__cause__, OSError | RuntimeError):
                raise InputError(not_written(folder / path.name, error.__cause__)) from error
            missing.setdefault(" ".join(str(error).split()), []).append(name)
        else:
            outputs.wrote(folder / path.name)
        finally:
            plt.close("all")
    return missing
