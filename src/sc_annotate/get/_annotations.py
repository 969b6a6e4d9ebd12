"""Several stored annotations in one table."""

# Without `from __future__ import annotations`, whose name is that of the function.

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import public
from sc_annotate.annotation.tables import side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData


@public
def annotations(adata: "AnnData", keys: "Sequence[str] | None" = None) -> "pd.DataFrame":
    """Several annotations of the same cells side by side, and how far they agree.

    Labels are compared as they are written: map those of different vocabularies first
    (:func:`sc_annotate.tl.map_labels`).

    Parameters
    ----------
    adata
        An object with one or more annotations.
    keys
        Names of the results (``key_added``); by default all that are in `adata`.

    Returns
    -------
    One row a cell. For each result its label, under its own name, and ``{key}_confidence`` and ``{key}_status`` where they
    exist; then ``n_labels``, the number of different labels; ``agreement``, the share of the results with the commonest
    label; and ``commonest``, that label (of equally common ones that of the earlier result). Results that do not label a
    cell are not counted for it.

    Raises
    ------
    StorageError
        No such result, or none at all.
    InputError
        The same result twice.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> reference, query = adata[:500].copy(), adata[500:].copy()
    >>> for method in ("nearest_centroid", "naive_bayes"):
    ...     sca.tl.annotate(query, reference, "cell_type", method=method, cv=0, trust=None, key_added=method)
    >>> table = sca.get.annotations(query)
    >>> list(table)[:2], list(table)[-3:]
    (['nearest_centroid', 'nearest_centroid_confidence'], ['n_labels', 'agreement', 'commonest'])
    >>> bool(((table["n_labels"] == 1) == (table["agreement"] == 1)).all())
    True
    """
    return side_by_side(adata, keys)
