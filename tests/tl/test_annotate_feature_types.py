"""Cells of which more than genes was measured: the same results as those of their genes alone, in every call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import sc_annotate as sca
from comparing import same, snapshot
from sc_annotate.errors import GeneError, MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

FAST: dict[str, Any] = {"method": "nearest_centroid", "cv": 0}
PROTEINS = ["CD79A", "CD8A", "GNLY", "CD45RA", "isotype"]
"""Antibodies with names of genes among them."""


@pytest.fixture(scope="module", name="cells")
def _cells() -> AnnData:
    """Counts of cells of four types."""
    return sca.datasets.simulate_reference(600, 400, 4, rng=0)


def with_proteins(adata: AnnData, *, first: bool = False) -> AnnData:
    """The same cells with antibodies, which have many more counts, beside the genes."""
    tags = np.random.default_rng(1).poisson(300, (adata.n_obs, len(PROTEINS))).astype(np.float32)
    names = [*adata.var_names[:3], *PROTEINS[3:]]
    types = ["Antibody Capture"] * len(PROTEINS)
    parts = [adata.X, sparse.csr_matrix(tags)]
    genes = ["Gene Expression"] * adata.n_vars
    order = (1, 0) if first else (0, 1)
    var = pd.DataFrame(
        {"feature_types": [t for i in order for t in (genes, types)[i]]},
        index=[n for i in order for n in (list(adata.var_names), names)[i]],
    )
    X = sparse.csr_matrix(sparse.hstack([parts[i] for i in order]))
    with pytest.warns(UserWarning, match="not unique"):
        return ad.AnnData(X, obs=adata.obs.copy(), var=var)


def split(cells: AnnData) -> tuple[AnnData, AnnData]:
    return cells[:400].copy(), cells[400:].copy()


def results(adata: AnnData) -> list[Any]:
    return [adata.obsm["annotation_proba"], sca.get.annotation(adata).drop(columns="model", errors="ignore")]


def equal(a: AnnData, b: AnnData) -> bool:
    mine, theirs = results(a), results(b)
    return bool(np.array_equal(mine[0], theirs[0], equal_nan=True)) and mine[1].equals(theirs[1])


@pytest.mark.slow
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.filterwarnings("ignore:(Variable|Observation) names are not unique")
def test_query_and_reference(cells: AnnData, first: bool):
    reference, query = split(cells)
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    more = with_proteins(query, first=first)
    before = snapshot(more)
    sca.tl.annotate(more, reference, "cell_type", **FAST)
    assert equal(more, query)
    assert same(snapshot(more), before)
    entry = more.uns["annotation"]["input"]
    assert entry["features"]["left_out"][0] == "Antibody Capture"
    assert any("left out are Antibody Capture (5)" in note for note in entry["notes"])
    sca.tl.annotate(query, with_proteins(reference, first=first), "cell_type", **FAST)
    assert equal(more, query)
    assert any("reference.var['feature_types']" in n for n in query.uns["annotation"]["reference"]["notes"])
    assert "features" not in query.uns["annotation"]["input"]


@pytest.mark.filterwarnings("ignore:(Variable|Observation) names are not unique")
def test_models(cells: AnnData, tmp_path: Path):
    reference, query = split(cells)
    model = sca.tl.fit_annotator(with_proteins(reference), "cell_type", **FAST)
    assert set(model.names["var_names"]) <= set(reference.var_names)
    model.save(tmp_path / "m.safetensors")
    sca.tl.annotate(query, tmp_path / "m.safetensors")
    more = with_proteins(query)
    sca.tl.annotate(more, model)
    assert equal(more, query)
    sca.tl.evidence(more)
    assert set(sca.get.evidence(more)["gene"]) <= set(reference.var_names)


@pytest.mark.filterwarnings("ignore:(Variable|Observation) names are not unique")
def test_labelled_cells_of_the_same_object(cells: AnnData):
    cells = cells.copy()
    cells.obs["cell_type"] = cells.obs["cell_type"].astype(object).where(np.arange(600) % 3 > 0)
    more = with_proteins(cells)
    for adata in (cells, more):
        sca.tl.annotate(adata, labels_key="cell_type", **FAST)
    assert equal(more, cells)


@pytest.mark.parametrize("form", ["backed", "csc", "dense", "dask", "raw"])
@pytest.mark.filterwarnings("ignore:(Variable|Observation) names are not unique")
def test_every_form(cells: AnnData, form: str, tmp_path: Path):
    reference, query = split(cells)
    model = sca.tl.fit_annotator(reference, "cell_type", **FAST)
    sca.tl.annotate(query, model)
    more = with_proteins(query)
    if form == "backed":
        more.write_h5ad(tmp_path / "a.h5ad")
        more = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    elif form == "csc":
        more.X = more.X.tocsc()
    elif form == "dense":
        more.X = more.X.toarray()
    elif form == "dask":
        da = pytest.importorskip("dask.array")
        more.X = da.from_array(more.X, chunks=(50, -1), asarray=False)
    else:
        more.raw = more
        more.X = more.X.toarray() - more.X.toarray().mean(axis=0)
    sca.tl.annotate(more, model)
    np.testing.assert_allclose(more.obsm["annotation_proba"], query.obsm["annotation_proba"], rtol=1e-5, atol=1e-7)
    if form == "backed":
        more.file.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:(Variable|Observation) names are not unique")
def test_on_a_cluster(cells: AnnData, cluster: Any, tmp_path: Path):
    reference, query = split(cells)
    model = sca.tl.fit_annotator(reference, "cell_type", **FAST)
    sca.tl.annotate(query, model)
    with_proteins(query).write_h5ad(tmp_path / "a.h5ad")
    more = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    sca.tl.annotate(more, model)
    np.testing.assert_allclose(more.obsm["annotation_proba"], query.obsm["annotation_proba"], rtol=1e-5, atol=1e-7)
    more.file.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:(Variable|Observation) names are not unique")
def test_markers(cells: AnnData):
    pytest.importorskip("decoupler")
    lists = {f"T{i}": cells.var_names[20 * i : 20 * i + 20].tolist() for i in range(4)}
    more, plain = with_proteins(cells), cells.copy()
    for adata in (more, plain):
        sca.tl.annotate_markers(adata, lists)
    assert equal(more, plain)
    assert more.uns["annotation"]["input"]["features"]["n_left_out"][0] == 5


@pytest.mark.filterwarnings("ignore:(Variable|Observation) names are not unique")
def test_inspect(cells: AnnData):
    report = sca.pp.inspect(with_proteins(cells))
    assert report.values.n_genes == cells.n_vars
    assert report.features is not None
    assert report.features.left_out == {"Antibody Capture": 5}
    assert report.genes is not None
    assert report.genes.n_duplicated == 0
    assert "note        adata.var['feature_types'] distinguishes features: 400 of gene expression" in repr(report)
    assert report.to_dict()["features"]["n_left_out"] == [5]
    assert sca.pp.inspect(cells).features is None


@pytest.mark.parametrize("call", ["annotate", "reference", "inspect", "fit"])
def test_no_gene_expression(cells: AnnData, call: str):
    reference, query = split(cells)
    proteins = query.copy()
    proteins.var["feature_types"] = pd.Categorical(["Antibody Capture"] * 300 + ["Peaks"] * 100)
    calls: dict[str, Callable[[], Any]] = {
        "annotate": lambda: sca.tl.annotate(proteins, reference, "cell_type", **FAST),
        "reference": lambda: sca.tl.annotate(reference, proteins, "cell_type", **FAST),
        "fit": lambda: sca.tl.fit_annotator(proteins, "cell_type", **FAST),
        "inspect": lambda: sca.pp.inspect(proteins),
    }
    with pytest.raises(
        MatrixError, match=r"names no gene expression; there are: Antibody Capture \(300\), Peaks \(100\)"
    ):
        calls[call]()
    assert "annotation" not in proteins.obs


@pytest.mark.slow
def test_perturbations(tmp_path: Path):
    """Guides that were counted beside the genes, as Cell Ranger counts them."""
    screen = sca.datasets.simulate_perturb_seq(500, 60, 6, 0, rng=0)
    guides = sparse.csr_matrix(np.random.default_rng(0).poisson(50, (screen.n_obs, 4)).astype(np.float32))
    var = pd.DataFrame(
        {"feature_types": ["CRISPR Guide Capture"] * 4 + ["Gene Expression"] * 60},
        index=[*(f"guide{i}" for i in range(4)), *screen.var_names],
    )
    more = ad.AnnData(sparse.csr_matrix(sparse.hstack([guides, screen.X])), obs=screen.obs.copy(), var=var)
    mine, theirs = sca.pp.perturbation_profiles(more), sca.pp.perturbation_profiles(screen)
    np.testing.assert_array_equal(mine.X, theirs.X)
    assert mine.var_names.equals(theirs.var_names)
    assert mine.uns["perturbation_profiles"]["input"]["features"]["n_left_out"][0] == 4
    for adata in (more, screen):
        sca.tl.predict_perturbation(adata, method="mean")
    a, b = sca.get.perturbation(more), sca.get.perturbation(screen)
    np.testing.assert_array_equal(a.X, b.X)
    np.testing.assert_array_equal(a.layers["delta"], b.layers["delta"])
    assert a.var_names.tolist() == b.var_names.tolist()
    assert np.isnan(more.varm["perturbation"][:4]).all()
    more.write_h5ad(tmp_path / "a.h5ad")
    assert sca.get.perturbation(ad.read_h5ad(tmp_path / "a.h5ad")).shape == b.shape
    sca.pl.effects(more, show=False)


@pytest.mark.filterwarnings("ignore:(Variable|Observation) names are not unique")
def test_mapping_genes(cells: AnnData):
    """Proteins are never added to the RNA of their genes."""
    more = with_proteins(cells)
    table = {name: f"new{i}" for i, name in enumerate(cells.var_names)}
    with pytest.raises(
        GeneError, match=r"3 genes would be merged with features that are no genes \(new0, new1, new2\)"
    ):
        sca.pp.map_genes(more, table)
    genes = more[:, more.var["feature_types"] == "Gene Expression"].copy()
    assert sca.pp.map_genes(genes, table).n_vars == cells.n_vars


@pytest.mark.filterwarnings("ignore:(Variable|Observation) names are not unique")
@pytest.mark.parametrize("proteins_first", [False, True])
def test_the_gene_is_kept_of_a_gene_and_its_protein(cells: AnnData, proteins_first: bool):
    """Whichever stands first, in X and in raw."""
    more = with_proteins(cells)
    is_gene = np.asarray(more.var["feature_types"] == "Gene Expression")
    if proteins_first:
        more = more[:, np.argsort(is_gene, kind="stable")].copy()
        is_gene = np.sort(is_gene)
    more.raw = more
    table = {name: f"new{i}" for i, name in enumerate(cells.var_names)}
    out = sca.pp.map_genes(more, table, merge="first")
    assert out.var_names.is_unique
    for one in (out, out.raw):
        assert (one.var["feature_types"] == "Gene Expression").sum() == is_gene.sum() == cells.n_vars
        assert set(one.var_names[one.var["feature_types"] == "Gene Expression"]) == set(table.values())
    del more.raw
    more.raw = more
    genes = more[:, is_gene].copy()
    with pytest.raises(GeneError, match=r"merged with features that are no genes .*: adata.raw.var\['feature_types'\]"):
        sca.pp.map_genes(genes, table)
