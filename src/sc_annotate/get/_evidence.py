"""The genes that pushed the calls, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_evidence
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def evidence(adata: AnnData, key: str = DEFAULT_KEY, *, group: str | None = None) -> pd.DataFrame:
    """The genes that spoke for and against the calls, from :func:`sc_annotate.tl.evidence`.

    Parameters
    ----------
    adata
        An annotated object, after ``sca.tl.evidence``.
    key
        Name of the result (``key_added``).
    group
        One group, or one type (the call). By default all.

    Returns
    -------
    One row for each group, call, direction and rank: ``group``, ``type``, ``n_cells``, ``direction``, ``rank``, ``gene``,
    ``contribution`` (mean log-odds, natural), ``share`` (of cells, in this direction), ``mean`` and ``mean_elsewhere``
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
    table: pd.DataFrame = read_evidence(adata, key)["table"].copy()
    if group is not None:
        if not isinstance(group, str):
            raise InputError(f"group must be the name of a group or type, not {group!r}.")
        rows = table["group"].astype(str).eq(group)
        rows = rows if rows.any() else table["type"].astype(str).eq(group)
        if not rows.any():
            have = sorted({*table["group"].astype(str), *table["type"].astype(str)})
            raise InputError(
                f"there is no group or type {group!r} with evidence; there are: {', '.join(map(repr, have))}."
            )
        table = table[rows.to_numpy(dtype=bool)]
    return table.reset_index(drop=True)
