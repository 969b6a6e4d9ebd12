"""What a file of an encoder states, read and checked whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import numpy as np

from sc_annotate._core import registry
from sc_annotate._core.decode import decode
from sc_annotate._core.schema import Columns, Count, Frame, Length, Name, Text
from sc_annotate._core.stored_arrays import Stored, check_arrays
from sc_annotate._store import modelfile
from sc_annotate.errors import ModelFileError
from sc_annotate.representation.model import KIND, EncoderModel
from sc_annotate.representation.score import SCORES

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray


class EncoderInFile(TypedDict):
    """All that a file of an encoder states."""

    format: Name
    format_number: Count
    kind: Literal["encoder"]
    objective: Annotated[str, Length(1, 200)]
    state: object
    names: dict[str, list[Name]]
    n_cells: Count
    n_batches: Count
    scores: Annotated[
        Frame, Columns({"encoder": "text", "rank": "float", "sd": "float"} | dict.fromkeys(SCORES, "float"), least=1)
    ]
    scored: Text
    verdict: Text
    history: Annotated[Frame, Columns({"epoch": "int", "loss": "float"})] | None
    version: Text


def is_encoder(meta: dict[str, Any]) -> bool:
    """Whether the description of a file is that of an encoder."""
    return meta.get("kind") == KIND


def read_encoder(path: str | os.PathLike[str]) -> EncoderModel:
    """The encoder in a file; a ModelFileError where it is not whole."""
    arrays, meta = modelfile.load(path)
    try:
        stated: EncoderInFile = decode(EncoderInFile, meta, "the encoder")
        names = {kind: np.array(each, dtype=str) for kind, each in stated["names"].items()}
        n_genes = len(names.get("var_names", ()))
        if not n_genes or any(len(each) != n_genes for each in names.values()):
            raise ValueError("the lists of gene names differ in length, or are not there")
        check_arrays({"means": arrays.get("means", np.empty(0))}, {"means": Stored("f4", ("genes",))}, genes=n_genes)
    except ValueError as error:
        raise _not_whole(path, error) from error
    cls = registry.load(registry.get("encoding", stated["objective"]))
    try:
        return _rebuilt(arrays, stated, names, cls)
    except Exception as error:
        # An encoder of another package may raise anything.
        raise _not_whole(path, error) from error


def _rebuilt(
    arrays: dict[str, NDArray[Any]], stated: EncoderInFile, names: dict[str, NDArray[np.str_]], cls: Any
) -> EncoderModel:
    own = {name.removeprefix("encoder."): a for name, a in arrays.items() if name.startswith("encoder.")}
    if unknown := [name for name in arrays if name != "means" and not name.startswith("encoder.")]:
        raise ValueError(f"unknown arrays: {', '.join(map(repr, unknown[:5]))}")
    with np.errstate(all="ignore"):
        encoder = cls.from_arrays(own, stated["state"])
        cells = np.stack([arrays["means"], np.zeros_like(arrays["means"])])
        found = np.asarray(encoder.embed(cells, batch=np.array(["", ""])))
    if found.ndim != 2 or len(found) != 2 or not np.isfinite(found).all():
        raise ValueError("the arrays give no coordinates for cells of these genes")
    return EncoderModel(
        stated["objective"],
        encoder,
        names,
        arrays["means"],
        encoder.params(),
        stated["n_cells"],
        stated["n_batches"],
        stated["scores"],
        stated["scored"],
        stated["verdict"],
        stated["history"],
    )


def _not_whole(path: str | os.PathLike[str], error: Exception) -> ModelFileError:
    why = (str(error) or repr(error))[:300]
    return ModelFileError(f"{str(path)!r} does not describe a whole encoder ({why}). Get or save it again.")
