"""Learning from an embedding that was computed elsewhere: parameters of its heads, and the genes of the same cells beside it."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from sc_annotate._core import registry
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._data.read import open_input
from sc_annotate.annotation.training import read_training
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from sc_annotate.annotation.training import Training


@dataclass(frozen=True)
class Genes:
    """The genes of the cells that have an embedding; None where there are none that can be read. And what is recorded."""

    training: Training | None
    note: str


def scaled_by_one_number(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters of a head on an embedding: its dimensions keep their proportions, unless the caller says otherwise.

    Scaled to the same variance each, the last dimensions of principal components, mostly noise, count as much as the first,
    which costs much where labels are few. Where the caller does want that, there is no least standard deviation, which is meant
    for log values: dimensions may be of any size.
    """
    cls = registry.load(registry.get("annotation", method))
    takes = {each.name for each in fields(cls)} if is_dataclass(cls) else set()
    usual = {"scaling": "common", "sd_floor": 0.0}
    return {name: value for name, value in usual.items() if name in takes} | params if "scaling" in takes else params


def read_genes(training: Training) -> Genes:
    """The genes of the same labelled cells, read as they are read where no embedding is named."""
    where = training.found.source.where
    if training.beside is None:
        return Genes(None, "")
    adata, cells, what = training.beside
    matrix = MatrixRequest()
    try:
        found = open_input(adata, matrix, what=what)
        own = replace(cells, full_reference=None, others=None)
        genes = read_training(adata, found, own, matrix, wanted="log", what=what)
    except InputError as error:
        return Genes(None, f"whether {where} is better than genes is not known, as there are none to compare: {error}")
    rest = "; ".join(note for note in genes.notes if note not in training.notes)
    return Genes(
        genes,
        f"beside {where}, logistic regression on genes is scored on the same cells: those of {what}.{found.source.where}"
        + (f" ({rest})" if rest else ""),
    )
