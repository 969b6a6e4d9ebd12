"""Prediction sets from stored probabilities and thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from sc_annotate._core.slots import DEFAULT_KEY
from sc_annotate._core.stored import read_probabilities, read_sets
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
    proba = read_probabilities(adata, key)
    how = read_sets(adata, key)
    named = proba.notna().all(axis=1).to_numpy()
    inside = np.zeros(proba.shape, dtype=bool)
    p = proba.to_numpy()[named]
    score = cast("Literal['lac', 'aps', 'raps']", str(how["score"]))
    scores = nonconformity(p, score, penalty=float(how["penalty"]), free=int(how["free"]))
    chosen = scores <= np.asarray(how["thresholds"])
    chosen[np.arange(len(p)), p.argmax(axis=1)] = True
    inside[named] = chosen
    return proba.notna() & inside
