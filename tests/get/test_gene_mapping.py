"""What became of each gene, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import sc_annotate as sca
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from anndata import AnnData


def test_one_row_for_each_old_gene(pbmc: AnnData):
    out = sca.pp.map_genes(pbmc, {"FYB": "FYB1", "CD79A": "CD79B"})
    table = sca.get.gene_mapping(out)
    assert list(table) == ["from", "to", "status", "reason"]
    assert table["from"].tolist() == pbmc.var_names.tolist()
    rows = table.set_index("from")
    assert rows.loc["FYB"].tolist() == ["FYB1", "renamed", ""]
    assert rows.loc["CD79A"].tolist() == ["CD79B", "merged", "added to CD79B"]
    assert rows.loc["CD79B"].tolist() == ["CD79B", "merged", "added to CD79A"]
    assert rows.loc["HES4"].tolist() == ["HES4", "unknown", "not in the table"]
    # What is handed out is a copy.
    table["to"] = "x"
    assert sca.get.gene_mapping(out)["to"].tolist() != table["to"].tolist()


def test_genes_that_were_not_renamed(pbmc: AnnData):
    with pytest.raises(StorageError, match=r"were not renamed.*sca\.pp\.map_genes"):
        sca.get.gene_mapping(pbmc)
    pbmc.uns["gene_mapping"] = {"table": 3}
    with pytest.raises(StorageError, match="were not renamed"):
        sca.get.gene_mapping(pbmc)
    with pytest.raises(InputError, match="must be an AnnData"):
        sca.get.gene_mapping(pbmc.obs)
