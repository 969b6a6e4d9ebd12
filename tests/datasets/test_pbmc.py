"""The blood cells inside scanpy, unscaled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import scanpy as sc
from scipy.sparse import csr_matrix

import sc_annotate as sca

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_in_it() -> None:
    adata, stored = sca.datasets.pbmc68k(), sc.datasets.pbmc68k_reduced()
    assert adata.shape == (700, 765)
    assert isinstance(adata.X, csr_matrix)
    assert adata.X.dtype == np.float32
    assert adata.X.has_sorted_indices
    # Log values, not the scaled ones: as in .raw, cell by cell and gene by gene.
    assert (adata.X != stored.raw.X).nnz == 0
    assert adata.X.data.min() > 0
    assert adata.var_names.equals(stored.raw.var_names)
    assert adata.obs_names.tolist() == stored.obs_names.tolist()
    assert adata.obs["cell_type"].tolist() == stored.obs["bulk_labels"].tolist()
    assert adata.obs["louvain"].tolist() == stored.obs["louvain"].tolist()
    assert sorted(adata.obs["cell_type"].value_counts())[::9] == [8, 240]
    for key in ("X_pca", "X_umap"):
        np.testing.assert_array_equal(adata.obsm[key], stored.obsm[key])
    # Colours go with categories by position.
    assert adata.obs["cell_type"].cat.categories.equals(stored.obs["bulk_labels"].cat.categories)
    np.testing.assert_array_equal(adata.uns["cell_type_colors"], stored.uns["bulk_labels_colors"])
    assert len(adata.uns["louvain_colors"]) == adata.obs["louvain"].nunique()
    assert "10.1038/ncomms14049" in adata.uns["source"]


def test_each_call_makes_a_new_one() -> None:
    first, second = sca.datasets.pbmc68k(), sca.datasets.pbmc68k()
    first.X.data[:] = 0
    first.obs["cell_type"] = "x"
    first.uns["cell_type_colors"][:] = "x"
    assert second.X.data.min() > 0
    assert second.obs["cell_type"].nunique() == 10
    assert second.uns["cell_type_colors"][0].startswith("#")


def test_it_can_be_written(tmp_path: Path) -> None:
    adata = sca.datasets.pbmc68k()
    adata.write_h5ad(tmp_path / "pbmc.h5ad")
    back = ad.read_h5ad(tmp_path / "pbmc.h5ad")
    assert (back.X != adata.X).nnz == 0
    assert back.obs["cell_type"].tolist() == adata.obs["cell_type"].tolist()
    assert back.uns["cell_type_colors"].tolist() == adata.uns["cell_type_colors"].tolist()
    assert back.uns["source"] == adata.uns["source"]
