"""How genes were renamed, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.docs import documented
from sc_annotate._store.gene_mapping import read_gene_mapping
from sc_annotate._vocabulary.gene_ids.mapping import GENE_MAPPING

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@documented()
def gene_mapping(adata: AnnData, key: str = GENE_MAPPING) -> pd.DataFrame:
    """The new name and status of each gene after :func:`sc_annotate.pp.map_genes`.

    Parameters
    ----------
    adata
        An object that ``map_genes`` returned.
    key
        Name of the entry of ``uns``.

    Returns
    -------
    One row for each original gene, in its order: ``from``, the old name; ``to``, the new one, empty where the gene
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
    return read_gene_mapping(adata, key)
