"""Prediction sets from stored probabilities and thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from sc_annotate._data.lazy import obs_of
from sc_annotate._store.slots import DEFAULT_KEY, TOP_K, Slots
from sc_annotate._store.storage import read_uns
from sc_annotate._store.stored import read_probabilities, read_sets
from sc_annotate.errors import StorageError
from sc_annotate.trust import nonconformity

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def sets(adata: AnnData, key: str = DEFAULT_KEY) -> pd.DataFrame:
    """Which types are in the prediction set of each cell.

    Parameters
    ----------
    adata
        An annotated object, with stored probabilities.
    key
        Name of the result (``key_added``).

    Returns
    -------
    Cells x types, bool. The call is always in the set; a cell whose label was given has none.

    Raises
    ------
    StorageError
        No such result, one without probabilities or sets, or one of another model than its cells.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid")
    >>> found = sca.get.sets(query)
    >>> bool((found.sum(axis=1) == query.obs["annotation_set_size"]).all())
    True
    """
    import pandas as pd

    proba = read_probabilities(adata, key)
    stored = read_uns(adata, key)
    how = read_sets(adata, key)
    named = proba.notna().all(axis=1).to_numpy()
    inside = np.zeros(proba.shape, dtype=bool)
    p = proba.to_numpy()[named]
    if partly := stored.get("proba") == "topk":
        # What the others have together, evenly: no one of them gets more than the least that was kept.
        rest = np.maximum(1 - p.sum(axis=1), 0) / np.maximum((p == 0).sum(axis=1), 1)
        p = np.where(p == 0, rest[:, None], p)
    score = cast("Literal['lac', 'aps', 'raps']", str(how["score"]))
    scores = nonconformity(p, score, penalty=float(how["penalty"]), free=int(how["free"]))
    chosen = scores <= np.asarray(how["thresholds"])
    chosen[np.arange(len(p)), p.argmax(axis=1)] = True
    table = obs_of(adata)
    # Of several levels the call need not be the likeliest type.
    calls = proba.columns.get_indexer(pd.Index(table[key].astype(str)))[named]
    chosen[np.flatnonzero(calls >= 0), calls[calls >= 0]] = True
    if partly and (chosen.sum(axis=1) != table[Slots(key).set_size].to_numpy()[named]).any():
        raise StorageError(
            f"some sets hold types that are not among the {TOP_K} whose probabilities were kept (store_proba='topk'). "
            "Annotate again with store_proba='all'."
        )
    inside[named] = chosen
    return proba.notna() & inside
