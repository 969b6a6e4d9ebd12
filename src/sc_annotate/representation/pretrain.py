"""Train an encoder on the cells of one or several objects, and store what it makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import table
from sc_annotate._core.settings import logger
from sc_annotate._data.matrix import check_adata
from sc_annotate._store import embedding_slots
from sc_annotate.encoders.pca import PCAEncoder
from sc_annotate.errors import InputError
from sc_annotate.representation.model import EncoderModel
from sc_annotate.representation.opened import names_of, open_cells
from sc_annotate.representation.score import compare, verdict

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate.representation.requests import PretrainRequest

BASELINE = "pca"


def pretrain(adata: AnnData | Sequence[AnnData], ask: PretrainRequest, matrix: MatrixRequest) -> EncoderModel:
    """The fitted encoder; its coordinates of all cells, and what they are worth, are written into each object."""
    objects = _objects(adata)
    for each, what in zip(objects, names_of(len(objects)), strict=True):
        check_adata(each, what=what)
        embedding_slots.check_writable(each, ask.key)
    encoder = ask.make()
    opened = open_cells(objects, ask, matrix)
    genes = opened.names["var_names"]
    encoder.fit(opened.X, genes=genes, batch=opened.batch, rng=ask.rng)
    Z = encoder.embed(opened.X, batch=opened.batch)
    embeddings = {ask.objective: Z}
    if ask.objective != BASELINE:
        center = bool(getattr(encoder, "center_batches", False))
        pca = PCAEncoder(center_batches=center).fit(opened.X, genes=genes, batch=opened.batch, rng=ask.rng)
        embeddings[BASELINE] = pca.embed(opened.X, batch=opened.batch)
    scores, words = compare(embeddings, opened.labels, opened.batch, ask.rng)
    said = verdict(scores, ask.objective) if ask.objective != BASELINE else "principal components are the baseline"
    logger.info(said)
    for note in opened.notes:
        logger.info(note)
    means = np.asarray(opened.X.mean(axis=0, dtype=np.float64)).ravel().astype(np.float32)
    model = EncoderModel(
        objective=ask.objective,
        encoder=encoder,
        names=opened.names,
        means=means,
        params=encoder.params(),
        n_cells=int(opened.X.shape[0]),
        n_batches=0 if opened.batch is None else len(np.unique(opened.batch)),
        scores=scores,
        scored=words,
        verdict=said,
        history=_history(encoder),
    )
    for each, part in zip(objects, opened.parts(Z), strict=True):
        uns = model.to_uns() | {"batch_key": ask.batch_key or "", "notes": opened.notes, "rng": ask.rng}
        embedding_slots.write(each, ask.key, part, uns)
    return model


def _objects(adata: Any) -> list[AnnData]:
    if isinstance(adata, Sequence) and not isinstance(adata, str):
        if not adata:
            raise InputError("adata is an empty list. Hand in an AnnData, or several.")
        if len({id(each) for each in adata}) < len(adata):
            raise InputError("adata holds an object twice. Hand in each once.")
        return list(adata)
    return [adata]


def _history(encoder: Any) -> pd.DataFrame | None:
    rows = getattr(encoder, "history_", None)
    if not rows:
        return None
    return table(
        {
            "epoch": np.array([int(row["epoch"]) for row in rows], dtype=np.int64),
            "loss": np.array([float(row["loss"]) for row in rows]),
        }
    )
