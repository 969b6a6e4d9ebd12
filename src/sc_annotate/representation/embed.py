"""Map the cells of an object by a fitted encoder, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.settings import logger
from sc_annotate._data import gene_match
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.obs import read_batches
from sc_annotate._data.read import open_on_common_scale, prepare, read_cells
from sc_annotate._data.stream import each_block
from sc_annotate._store import embedding_slots
from sc_annotate.errors import InputError
from sc_annotate.representation.model import EncoderModel

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._data.transform import Transform
    from sc_annotate.representation.requests import EmbedRequest

FEW_SHARED = 0.5


@dataclass(frozen=True)
class _Embed:
    """What is done to each block of rows."""

    model: EncoderModel
    scale: Transform
    columns: NDArray[np.intp]

    def __call__(self, where: slice, block: Any) -> NDArray[np.float32]:
        cells = prepare(block, where, self.scale, self.columns, self.model.means)
        found: NDArray[np.float32] = self.model.encoder.embed(cells)
        return found


def embed(adata: AnnData, model: EncoderModel, ask: EmbedRequest, matrix: MatrixRequest) -> None:
    """Write the coordinates of all cells."""
    if not isinstance(model, EncoderModel):
        raise InputError(
            f"encoder must be an encoder that sca.tl.pretrain returned or sca.load read, not {type(model).__name__}."
        )
    check_adata(adata, what="adata")
    embedding_slots.check_writable(adata, ask.key)
    centred = bool(getattr(model.encoder, "center_batches", False))
    if not centred:
        ask.refuse("batch_key", why="this encoder takes off no means of batches. Leave it out.")
    batch = read_batches(adata, ask.batch_key, what="adata")
    if centred and batch is None:
        raise InputError("the encoder takes off the mean of each batch: name the batches of adata (batch_key).")
    found, scale = open_on_common_scale(adata, matrix)
    shared = gene_match.match(found.names, model.names, what=("adata", "the encoder"), min_fraction=ask.min_overlap)
    columns = np.full(len(model.means), -1, dtype=np.intp)
    columns[shared.reference] = shared.query
    source, task = found.source, _Embed(model, scale, columns)
    if centred:
        rows = np.arange(source.n_cells)
        cells = read_cells(source, scale, columns, model.means, rows, progress="reading adata")
        Z = model.encoder.embed(cells, batch=batch)
    else:
        parts = [part for _, part in each_block(task, [source.X], progress="embedding", parallel=False)]
        Z = np.concatenate(parts) if parts else model.encoder.embed(np.empty((0, len(columns)), np.float32))
    notes = [*found.notes, *shared.notes, *scale.notes, *shared.problems]
    if len(shared.query) < FEW_SHARED * len(columns):
        notes.append(
            f"only {len(shared.query):,} of the encoder's {len(columns):,} genes are in adata; the others are taken at their "
            "mean in the training cells"
        )
        logger.warning(notes[-1])
    uns = model.to_uns() | {"n_shared": len(shared.query), "matched_by": shared.how, "notes": notes}
    embedding_slots.write(adata, ask.key, Z, uns | {"batch_key": ask.batch_key or ""})
