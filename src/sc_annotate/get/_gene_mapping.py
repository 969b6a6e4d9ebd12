"""What became of each gene when they were renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._data.matrix import check_adata
from sc_annotate._vocabulary.gene_ids.mapping import GENE_MAPPING
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def gene_mapping(adata: AnnData) -> pd.DataFrame:
    """What :func:`sc_annotate.pp.map_genes` made of each gene, as a table.

    Parameters
    ----------
    adata
        An object that ``map_genes`` returned.

    Returns
    -------
    One row for each gene that there was, in its order: ``from``, the old name; ``to``, the new one, empty where the gene
    is lost; ``status``, one of ``kept``, ``renamed``, ``merged``, ``unknown`` and ``lost``; and ``reason``, in words, where
    there is one.

    Raises
    ------
    sc_annotate.errors.InputError
        Not an AnnData, or an empty one.
    sc_annotate.errors.StorageError
        Its genes were not renamed by ``map_genes``.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.pp.map_genes(sca.datasets.pbmc68k(), {"FYB": "FYB1"})
    >>> table = sca.get.gene_mapping(adata)
    >>> table.loc[table["status"] == "renamed", ["from", "to"]].values.tolist()
    [['FYB', 'FYB1']]
    """
    import pandas as pd

    check_adata(adata, what="adata")
    stored = adata.uns.get(GENE_MAPPING)
    if not isinstance(stored, dict) or not isinstance(stored.get("table"), pd.DataFrame):
        raise StorageError(
            f"adata.uns has no {GENE_MAPPING!r}: its genes were not renamed. `sca.pp.map_genes(adata, ...)` returns a new object "
            "that has it."
        )
    table: pd.DataFrame = stored["table"].reset_index(drop=True)
    return table.astype(object)
