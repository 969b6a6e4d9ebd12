"""Prediction sets, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate.annotation.prediction_sets import prediction_sets

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@documented()
def sets(adata: AnnData, key: str = DEFAULT_KEY) -> pd.DataFrame:
    """Which types are in the prediction set of each cell.

    Parameters
    ----------
    adata
        An annotated object, with stored probabilities.
    %(key)s

    Returns
    -------
    Cells x types, bool. The label is always in the set; a pre-labelled cell has none.

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
    return prediction_sets(adata, key)
