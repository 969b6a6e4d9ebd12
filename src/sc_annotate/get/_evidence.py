"""The genes behind the labels, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_evidence_table

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@documented()
def evidence(adata: AnnData, key: str = DEFAULT_KEY, *, group: str | None = None) -> pd.DataFrame:
    """The genes for and against the labels, from :func:`sc_annotate.tl.evidence`.

    Parameters
    ----------
    adata
        An annotated object, after ``sca.tl.evidence``.
    %(key)s
    group
        One group, or one type (the label). By default all.

    Returns
    -------
    One row for each group, label, direction and rank: ``group``, ``type``, ``n_cells``, ``direction``, ``rank``, ``gene``,
    ``contribution`` (mean log-odds, natural), ``share`` (of cells, in this direction), ``mean`` and ``mean_others``
    (values as the model sees them).

    Raises
    ------
    StorageError
        No such result, or no evidence.
    InputError
        No such group or type.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sca.tl.evidence(query, n_genes=2)
    >>> found = sca.get.evidence(query, group="Dendritic")
    >>> found["direction"].tolist()
    ['towards', 'towards', 'against', 'against']
    """
    return read_evidence_table(adata, key, group=group)
