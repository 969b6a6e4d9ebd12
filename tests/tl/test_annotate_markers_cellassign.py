"""CellAssign of scvi-tools behind ``annotate_markers``."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

import sc_annotate as sca
from comparing import assert_same_tree
from sc_annotate.errors import GeneError, InputError, MatrixError, MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

LISTS = {
    "B": ["CD79A", "CD79B", "MS4A1", "-CD3D"],
    "Mono": ["LYZ", "S100A8", "S100A9"],
    "NK": ["GNLY", "NKG7", "PRF1"],
}
needs_scvi = pytest.mark.skipif(importlib.util.find_spec("scvi") is None, reason="scvi-tools is not installed")


@pytest.fixture
def counts(pbmc: AnnData) -> AnnData:
    """Counts of 90 cells of three types, one of them without a marker."""
    kinds = pbmc.obs["cell_type"].astype(str)
    rows = [np.flatnonzero(kinds == name)[:30] for name in ("CD19+ B", "CD14+ Monocyte", "CD56+ NK")]
    small = pbmc[np.concatenate(rows)].copy()
    small.X = sparse.csr_matrix(np.round(np.expm1(small.X.toarray())).astype(np.float32))
    values = small.X.tolil()
    genes = [gene.removeprefix("-") for genes in LISTS.values() for gene in genes]
    values[0, np.flatnonzero(small.var_names.isin(genes))] = 0
    small.X = values.tocsr()
    return small


@pytest.mark.slow
@needs_scvi
def test_cells_get_their_type(counts: AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from sc_annotate.annotators.cellassign import need_scvi

    # The first import of scvi-tools and pyro draws random numbers itself.
    need_scvi()
    importlib.import_module("pyro")
    monkeypatch.chdir(tmp_path)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    sca.tl.annotate_markers(counts, LISTS, by="cellassign")
    assert torch.equal(states[0], torch.get_rng_state())
    np.testing.assert_array_equal(states[1], np.random.get_state()[1])  # noqa: NPY002
    assert os.listdir(tmp_path) == []
    kinds = counts.obs["cell_type"].astype(str).map({"CD19+ B": "B", "CD14+ Monocyte": "Mono", "CD56+ NK": "NK"})
    assert (counts.obs["annotation"].astype(str) == kinds)[1:].mean() > 0.9
    assert counts.obs["annotation_status"].iloc[0] == "low_quality"
    np.testing.assert_allclose(counts.obsm["annotation_proba"].sum(axis=1), 1, atol=1e-5)
    stored = counts.uns["annotation"]
    assert "CellAssign" in stored["markers"]["rule"]
    assert "not calibrated" in stored["calibration"]["note"]
    assert any("against a type" in note for note in stored["input"]["notes"])
    again = counts.copy()
    counts.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    for other in (again, back):
        sca.tl.annotate_markers(other, LISTS, by="cellassign")
        np.testing.assert_array_equal(other.obsm["annotation_proba"], counts.obsm["annotation_proba"])
    assert_same_tree(again.uns["annotation"], stored)
    sca.tl.annotate_markers(again, LISTS, by="cellassign", rng=1, key_added="b")
    assert not np.array_equal(again.obsm["b_proba"], counts.obsm["annotation_proba"])


@needs_scvi
def test_what_cannot_be_used(counts: AnnData, pbmc: AnnData) -> None:
    pbmc.obs["group"] = "a"
    with pytest.raises(InputError, match="groupby: by='cellassign' labels each cell"):
        sca.tl.annotate_markers(pbmc, LISTS, "group", by="cellassign")
    with pytest.raises(MatrixError, match="needs the counts of adata"):
        sca.tl.annotate_markers(pbmc, LISTS, by="cellassign")
    with pytest.raises(InputError, match="n_genes: is of ranked genes"):
        sca.tl.annotate_markers(counts, LISTS, by="cellassign", n_genes=3)
    with pytest.raises(GeneError, match="at least two"):
        sca.tl.annotate_markers(counts, {"a": ["NOPE"], "b": ["NEITHER"]}, by="cellassign")
    many = {str(i): counts.var_names.tolist() for i in range(150)}
    with pytest.raises(InputError, match=r"at most 100,000 genes times types.*765 x 150"):
        sca.tl.annotate_markers(counts, many, by="cellassign")
    with pytest.raises(InputError, match="fewer than two cells have"):
        sca.tl.annotate_markers(counts[:2].copy(), LISTS, by="cellassign")
    assert "annotation" not in pbmc.uns
    assert "annotation" not in counts.uns


def test_without_scvi_tools(counts: AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.setitem(sys.modules, "scvi", None)
    with pytest.raises(MissingExtraError, match="scvi-tools"):
        sca.tl.annotate_markers(counts, LISTS, by="cellassign")
    assert "annotation" not in counts.uns
