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
    chosen = scores <= np.asarray(rule["thresholds"])
    chosen[np.arange(len(p)), p.argmax(axis=1)] = True
    table = obs_of(adata)
    # With several levels the label need not be the most probable type.
    labels = proba.columns.get_indexer(pd.Index(table[key].astype(str)))[predicted]
    chosen[np.flatnonzero(labels >= 0), labels[labels >= 0]] = True
    if partly and (chosen.sum(axis=1) != table[Slots(key).set_size].to_numpy()[predicted]).any():
        raise StorageError(
            f"some sets hold types that are not among the {TOP_K} whose probabilities were kept (store_proba='topk'). "
            "Annotate again with store_proba='all'."
        )
    inside[predicted] = chosen
    return proba.notna() & inside
