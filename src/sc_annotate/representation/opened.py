"""Cells of one or several objects, brought to one list of genes and one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core.codec import check_texts
from sc_annotate._data import gene_match
from sc_annotate._data.obs import read_batches, read_labels
from sc_annotate._data.read import open_on_common_scale, read_rows
from sc_annotate.annotators.variable_genes import variable_genes
from sc_annotate.errors import GeneError, InputError, MatrixError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._data.read import Input
    from sc_annotate._data.transform import Transform
    from sc_annotate.representation.requests import PretrainRequest

FEWEST_GENES = 10


@dataclass(frozen=True)
class Opened:
    """What an encoder is trained on: log values, cells x genes, of all objects one under the other."""

    X: Any
    names: dict[str, NDArray[np.str_]]
    batch: NDArray[np.str_] | None
    labels: NDArray[np.str_] | None
    """"" where a cell has none; None where none were asked for."""
    sizes: list[int]
    """Cells of each object."""
    n_genes: int
    """Genes that all objects have."""
    notes: list[str]

    def parts(self, values: NDArray[Any]) -> list[NDArray[Any]]:
        """What belongs to each object."""
        return np.split(values, np.cumsum(self.sizes)[:-1])


def names_of(n: int) -> list[str]:
    """How messages name the objects."""
    return ["adata"] if n == 1 else [f"adata[{i}]" for i in range(n)]


def open_cells(objects: Sequence[AnnData], ask: PretrainRequest, matrix: MatrixRequest) -> Opened:
    """Read all cells of the genes that all objects have, the most variable of them."""
    words = names_of(len(objects))
    found = [open_on_common_scale(each, matrix, what=what) for each, what in zip(objects, words, strict=True)]
    columns, names = _shared(found, words)
    batch = _batches(objects, ask.batch_key, words)
    labels = None
    if ask.labels_key is not None:
        labels = np.concatenate(
            [read_labels(each, ask.labels_key, what=what)[0] for each, what in zip(objects, words, strict=True)]
        )
    read = [
        read_rows(opened.source, scale, own, np.arange(opened.source.n_cells), progress=f"reading {what}")
        for (opened, scale), own, what in zip(found, columns, words, strict=True)
    ]
    X = read[0] if len(read) == 1 else _stacked(read)
    if X.shape[0] == 0:
        raise MatrixError(f"{' and '.join(words)} have no cells. There is nothing to learn from.")
    n_genes = X.shape[1]
    used = variable_genes(X, ask.n_top_genes, batch)
    notes = [note for opened, scale in found for note in (*opened.notes, *scale.notes)]
    return Opened(
        X[:, used] if len(used) < n_genes else X,
        {kind: each[used] for kind, each in names.items()},
        batch,
        labels,
        [part.shape[0] for part in read],
        n_genes,
        notes,
    )


def _shared(
    found: list[tuple[Input, Transform]], words: list[str]
) -> tuple[list[NDArray[np.intp]], dict[str, NDArray[np.str_]]]:
    """Columns of each object, in one order, and the names of their genes as the first object has them."""
    first = found[0][0]
    if first.source.is_embedding:
        raise InputError(f"{words[0]}: an encoder is trained on genes, not on a representation.")
    kept = np.arange(first.source.n_columns)
    matched = [(kept, kept)]
    for (other, _), what in zip(found[1:], words[1:], strict=True):
        shared = gene_match.match(other.names, first.names, what=(what, words[0]))
        matched.append((shared.reference, shared.query))
        kept = np.intersect1d(kept, shared.reference)
    if len(kept) < FEWEST_GENES:
        raise GeneError(
            f"{' and '.join(words)} have {len(kept)} genes in common; {FEWEST_GENES} is the least. Hand in objects with "
            "genes of one species and one kind of names."
        )
    columns = [own[np.searchsorted(place, kept)] for place, own in matched]
    return columns, {kind: each[kept] for kind, each in first.names.items()}


def _batches(objects: Sequence[AnnData], key: str | None, words: list[str]) -> NDArray[np.str_] | None:
    """Batches by `key`; of several objects without one, each is a batch of its own."""
    if key is None and len(objects) == 1:
        return None
    parts = []
    for i, (each, what) in enumerate(zip(objects, words, strict=True)):
        own = read_batches(each, key, what=what)
        own = np.full(each.n_obs, "cells") if own is None else own
        parts.append(own if len(objects) == 1 else np.char.add(f"{i}: ", own.astype(str)))
    batch = np.concatenate(parts)
    check_texts(np.unique(batch).tolist(), "batch_key", InputError)
    return batch


def _stacked(parts: list[Any]) -> Any:
    if any(sparse.issparse(part) for part in parts):
        return sparse.vstack([sparse.csr_array(part) for part in parts], format="csr")
    return np.concatenate(parts)
