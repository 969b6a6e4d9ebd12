"""Prediction sets from stored probabilities and thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from sc_annotate._data.obs import obs_of
from sc_annotate._store.slots import TOP_K, Slots
from sc_annotate._store.storage import read_uns
from sc_annotate._store.stored import read_probabilities, read_sets
from sc_annotate.errors import StorageError
from sc_annotate.trust import nonconformity

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def prediction_sets(adata: AnnData, key: str) -> pd.DataFrame:
    """Cells x types: whether the type is in the prediction set of the cell."""
    import pandas as pd

    proba = read_probabilities(adata, key)
    stored = read_uns(adata, key)
    rule = read_sets(adata, key)
    predicted = proba.notna().all(axis=1).to_numpy()
    inside = np.zeros(proba.shape, dtype=bool)
    p = proba.to_numpy()[predicted]
    if partly := stored.get("proba") == "topk":
        # The rest is shared evenly by the other types: none of them gets more than the smallest that was kept.
        rest = np.maximum(1 - p.sum(axis=1), 0) / np.maximum((p == 0).sum(axis=1), 1)
        p = np.where(p == 0, rest[:, None], p)
    score = cast("Literal['lac', 'aps', 'raps']", str(rule["score"]))
    scores = nonconformity(p, score, penalty=float(rule["penalty"]), free=int(rule["free"]))
    table = obs_of(adata)
    size = table[Slots(key).set_size].to_numpy()[predicted]
    # With several levels the label need not be the most probable type.
    labels = proba.columns.get_indexer(pd.Index(table[key].astype(str)))[predicted]
    beyond = scores - np.asarray(rule["thresholds"])
    each, found = np.arange(len(p)), np.flatnonzero(labels >= 0)
    # A cell with few molecules has higher thresholds, by one number for all types, so that the order is the same.
    for rows, own in ((each, p.argmax(axis=1)), (found, labels[found])):
        beyond[rows, own] = -np.inf
    chosen = np.zeros(p.shape, dtype=bool)
    order = np.argsort(beyond, axis=1, kind="stable")
    np.put_along_axis(chosen, order, np.arange(p.shape[1]) < size[:, None], axis=1)
    if partly and (chosen & (proba.to_numpy()[predicted] == 0)).any():
        raise StorageError(
            f"some sets hold types that are not among the {TOP_K} whose probabilities were kept (store_proba='topk'). "
            "Annotate again with store_proba='all'."
        )
    inside[predicted] = chosen
    return proba.notna() & inside
