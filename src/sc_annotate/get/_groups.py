"""Groups of the query that were tested as a whole, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_groups

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@documented()
def groups(adata: AnnData, key: str = DEFAULT_KEY) -> pd.DataFrame:
    """Groups of similar cells of the query, and whether they are of a type that the reference lacks.

    Parameters
    ----------
    adata
        An annotated object.
    %(key)s

    Returns
    -------
    One row a group, the farthest from the reference first. ``group`` is its name in ``obs[f"{key}_group"]``, ``cells`` its
    size. ``statistic``: mean of the 20 largest differences of its genes from the most similar known type
    (``nearest_type``), in standard errors, without what all groups share; ``p_value``: the share of held-out groups of
    known types for which it is as large. ``flagged``: it lies above the threshold, and its cells have the status
    ``"unfamiliar"``; with a reference of one batch ``"ambiguous"``, unless their own score makes them unfamiliar.
    ``genes_above`` and ``genes_below`` name up to ten genes that it has more or less of than every known type, the
    strongest first.

    Raises
    ------
    StorageError
        No such result, or one without groups.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid")
    >>> table = sca.get.groups(query)
    >>> int(table["cells"].sum())
    200
    """
    return read_groups(adata, key)
