"""What people do before and after annotating, one test each: docs/stored.md lists what happens to a result."""

from __future__ import annotations

import gzip
import warnings
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import io, sparse

import sc_annotate as sca
from comparing import assert_same_results
from sc_annotate.errors import MatrixError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from sc_annotate.tl import AnnotationModel

FAST: dict[str, Any] = {"method": "nearest_centroid", "cv": 0}
pytestmark = [
    pytest.mark.filterwarnings("ignore:(Variable|Observation) names are not unique"),
    pytest.mark.filterwarnings("ignore:.*[Zz]arr (v[23]|format 3)"),
]


@pytest.fixture(scope="module", name="cells")
def _cells() -> AnnData:
    """Counts of cells of four types, with Ensembl ids and symbols."""
    adata = sca.datasets.simulate_reference(500, 300, 4, n_batches=2, rng=0)
    adata.var["gene_ids"] = [f"ENSG{i:011d}" for i in range(300)]
    return adata


def split(cells: AnnData) -> tuple[AnnData, AnnData]:
    return cells[:300].copy(), cells[300:].copy()


def accuracy(adata: AnnData, key: str = "annotation") -> float:
    return float((adata.obs[key].astype(str) == adata.obs["cell_type"].astype(str)).mean())


# ---- joining


@pytest.mark.parametrize("join", ["inner", "outer"])
@pytest.mark.parametrize("keys", [None, ["a", "b"]])
def test_concat(named_query: AnnData, join: str, keys: list[str] | None):
    """Columns and probabilities come along; `uns`, and with it the names of the probabilities, by uns_merge only."""
    parts = [named_query[:80, :600].copy(), named_query[80:, 100:].copy()]
    joined = ad.concat(parts, join=join, keys=keys, index_unique=None if keys is None else "-")
    assert sca.get.annotation(joined)["label"].tolist() == named_query.obs["annotation"].tolist()
    assert joined.obsm["annotation_proba"].shape == named_query.obsm["annotation_proba"].shape
    with pytest.raises(StorageError, match="uns_merge='same'"):
        sca.get.probabilities(joined)
    merged = ad.concat(parts, join=join, keys=keys, index_unique=None if keys is None else "-", uns_merge="same")
    np.testing.assert_array_equal(sca.get.probabilities(merged), sca.get.probabilities(named_query))
    sca.get.report(merged)


def test_concat_of_different_models(pair: tuple[AnnData, AnnData], pair_model: AnnotationModel):
    """What two results do not share is left out by uns_merge='same': the probabilities cannot be read."""
    reference, query = pair
    a, b = query[:100].copy(), query[100:].copy()
    sca.tl.annotate(a, pair_model)
    some = reference[reference.obs["cell_type"] != "Dendritic"].copy()
    sca.tl.annotate(b, some, "cell_type", **FAST)
    with pytest.raises(StorageError):
        sca.get.probabilities(ad.concat([a, b], uns_merge="same"))
    joined = ad.concat([a, b])
    assert sca.get.annotation(joined)["model"].nunique() == 2
    assert set(joined.obs["annotation"]) == set(a.obs["annotation"]) | set(b.obs["annotation"])


def test_annotating_joined_results_again(pair: tuple[AnnData, AnnData], pair_model: AnnotationModel):
    query = pair[1]
    sca.tl.annotate(query, pair_model)
    joined = ad.concat([query[:100], query[100:]])
    sca.tl.annotate(joined, pair_model)
    assert joined.obs["annotation"].astype(str).tolist() == query.obs["annotation"].astype(str).tolist()


# ---- subsets and categories


@pytest.mark.parametrize("copy", [True, False])
def test_subset(named_query: AnnData, copy: bool):
    rows = np.flatnonzero(named_query.obs["annotation_status"] == "confident")
    genes = np.arange(0, named_query.n_vars, 2)
    part = named_query[rows, genes].copy() if copy else named_query[rows, genes]
    np.testing.assert_array_equal(sca.get.probabilities(part), sca.get.probabilities(named_query).iloc[rows])
    assert sca.get.sets(part).equals(sca.get.sets(named_query).iloc[rows])
    assert part.obs["annotation"].tolist() == named_query.obs["annotation"].iloc[rows].tolist()
    sca.get.report(part)
    sca.tl.vote(part.copy(), "louvain")


@pytest.mark.slow
def test_categories_renamed(named_query: AnnData, tmp_path: Path):
    """The label is an ordinary column: what is done to it is kept, and the probabilities keep the names of the model."""
    before = sca.get.probabilities(named_query)
    new = {name: name.upper() for name in named_query.obs["annotation"].cat.categories}
    named_query.obs["annotation"] = named_query.obs["annotation"].cat.rename_categories(new)
    assert sca.get.annotation(named_query)["label"].tolist() == list(named_query.obs["annotation"])
    assert sca.get.probabilities(named_query).equals(before)
    named_query.write_h5ad(tmp_path / "a.h5ad")
    sca.get.report(ad.read_h5ad(tmp_path / "a.h5ad"))
    sca.pl.annotation(named_query, show=False)
    named_query.rename_categories("annotation", [f"type {i}" for i in range(len(new))])
    sca.pl.annotation(named_query, show=False)


def test_run_again(pair: tuple[AnnData, AnnData], pair_model: AnnotationModel):
    """An earlier result under the same key goes as a whole, with what was computed from it."""
    reference, query = pair
    once = query.copy()
    sca.tl.annotate(query, pair_model, vote="louvain")
    sca.tl.evidence(query)
    sca.tl.annotate(query, reference, "cell_type", trust=None, **FAST)
    sca.tl.annotate(once, reference, "cell_type", trust=None, **FAST)
    assert list(query.obs) == list(once.obs)
    assert_same_results(query, once)


# ---- files


@pytest.mark.slow
@pytest.mark.parametrize("form", ["h5ad", "zarr 2", "zarr 3"])
def test_files(named_query: AnnData, form: str, tmp_path: Path):
    if form == "h5ad":
        named_query.write_h5ad(tmp_path / "a.h5ad")
        back = ad.read_h5ad(tmp_path / "a.h5ad")
    else:
        pytest.importorskip("zarr", minversion="3")
        with ad.settings.override(zarr_write_format=int(form[-1])):
            named_query.write_zarr(tmp_path / "a.zarr")
        back = ad.read_zarr(tmp_path / "a.zarr")
    assert_same_results(back, named_query)
    sca.tl.vote(back, "louvain")


def test_backed_and_writable(pair: tuple[AnnData, AnnData], pair_model: AnnotationModel, tmp_path: Path):
    """The result is in the object; `write` brings it to the file, as of any change of a backed object."""
    query = pair[1]
    query.write_h5ad(tmp_path / "a.h5ad")
    sca.tl.annotate(query, pair_model)
    backed = ad.read_h5ad(tmp_path / "a.h5ad", backed="r+")
    sca.tl.annotate(backed, pair_model)
    backed.write()
    backed.file.close()
    back = ad.read_h5ad(tmp_path / "a.h5ad")
    assert back.uns["annotation"]["input"]["values"]["format"] == "csr, on disk"
    back.uns["annotation"]["input"]["values"]["format"] = "csr"
    assert_same_results(back, query)


@pytest.mark.slow
def test_mudata(named_query: AnnData, pair_model: AnnotationModel, tmp_path: Path):
    md = pytest.importorskip("mudata")
    proteins = ad.AnnData(np.ones((named_query.n_obs, 3), np.float32), obs=pd.DataFrame(index=named_query.obs_names))
    proteins.var_names = ["p1", "p2", "p3"]
    both = md.MuData({"rna": named_query, "prot": proteins})
    both.write(tmp_path / "a.h5mu")
    back = md.read_h5mu(tmp_path / "a.h5mu")
    assert_same_results(back["rna"], named_query)
    sca.tl.annotate(back["rna"], pair_model)
    assert_same_results(back["rna"], named_query)


@pytest.mark.slow
def test_loom(cells: AnnData, tmp_path: Path):
    loompy = pytest.importorskip("loompy", reason="loom files are read by loompy, which is not among our own packages")
    reference, query = split(cells)
    with warnings.catch_warnings():
        # loompy uses what numpy, h5py and setuptools are about to drop.
        warnings.simplefilter("ignore")
        genes = {
            "var_names": query.var_names.to_numpy(dtype=str),
            "gene_ids": query.var["gene_ids"].to_numpy(dtype=str),
        }
        loompy.create(
            str(tmp_path / "a.loom"), query.X.toarray().T, genes, {"obs_names": query.obs_names.to_numpy(dtype=str)}
        )
        back = ad.io.read_loom(tmp_path / "a.loom", obs_names="obs_names", var_names="var_names")
    sca.tl.annotate(back, reference, "cell_type", **FAST)
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    np.testing.assert_allclose(back.obsm["annotation_proba"], query.obsm["annotation_proba"], rtol=1e-5)


# ---- 10x


def _write_mtx(folder: Path, cells: AnnData, types: list[str], *, version: int) -> None:
    folder.mkdir()
    X = sparse.coo_matrix(cells.X.T.astype(np.int64))
    genes = pd.DataFrame({"id": cells.var["gene_ids"], "name": cells.var_names})
    if version == 3:
        genes["type"] = types
    names = (
        ("features.tsv.gz", "matrix.mtx.gz", "barcodes.tsv.gz")
        if version == 3
        else ("genes.tsv", "matrix.mtx", "barcodes.tsv")
    )
    genes.to_csv(folder / names[0], sep="\t", header=False, index=False)
    pd.Series(cells.obs_names).to_csv(folder / names[2], sep="\t", header=False, index=False)
    with (gzip.open if version == 3 else open)(folder / names[1], "wb") as file:
        io.mmwrite(file, X)


def _write_h5(path: Path, cells: AnnData, types: list[str], *, version: int) -> None:
    import h5py

    X = sparse.csr_matrix(cells.X.astype(np.int32))
    ids, names = cells.var["gene_ids"].to_numpy().astype("S"), cells.var_names.to_numpy().astype("S")
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix" if version == 3 else "GRCh38")
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(X, name)
        group["shape"], group["barcodes"] = X.shape[::-1], cells.obs_names.to_numpy().astype("S")
        if version == 2:
            group["genes"], group["gene_names"] = ids, names
            return
        features = group.create_group("features")
        features["id"], features["name"] = ids, names
        features["feature_type"] = np.array(types, dtype="S")
        features["genome"] = np.array(["GRCh38"] * len(types), dtype="S")


@pytest.mark.slow
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("form", ["mtx", "h5"])
@pytest.mark.parametrize("gex_only", [True, False])
@pytest.mark.parametrize("names", ["gene_symbols", "gene_ids"])
def test_10x(cells: AnnData, version: int, form: str, gex_only: bool, names: str, tmp_path: Path):
    """Both formats as scanpy reads them, antibodies among the features of the newer one."""
    reference, query = split(cells)
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    more, types = query, ["Gene Expression"] * query.n_vars
    if version == 3:
        tags = np.random.default_rng(0).poisson(400, (query.n_obs, 2)).astype(np.float32)
        var = pd.DataFrame(
            {"gene_ids": [*query.var["gene_ids"], "ADT1", "ADT2"]}, index=[*query.var_names, query.var_names[0], "IgG"]
        )
        more = ad.AnnData(sparse.csr_matrix(sparse.hstack([query.X, tags])), obs=query.obs[["cell_type"]], var=var)
        types = [*types, "Antibody Capture", "Antibody Capture"]
    if form == "mtx":
        _write_mtx(tmp_path / "10x", more, types, version=version)
        back = sc.read_10x_mtx(tmp_path / "10x", var_names=names, gex_only=gex_only, make_unique=False)
    else:
        _write_h5(tmp_path / "10x.h5", more, types, version=version)
        back = sc.read_10x_h5(tmp_path / "10x.h5", gex_only=gex_only)
    sca.tl.annotate(back, reference, "cell_type", **FAST)
    np.testing.assert_allclose(back.obsm["annotation_proba"], query.obsm["annotation_proba"], rtol=1e-5)


# ---- CELLxGENE


def cellxgene(cells: AnnData) -> AnnData:
    """As its schema wants it: Ensembl index, symbols in a column, counts in raw, X normalised, with zeros where filtered."""
    counts = cells.copy()
    counts.var = pd.DataFrame(
        {
            "feature_name": pd.Categorical(counts.var_names),
            "feature_reference": pd.Categorical(["NCBITaxon:9606"] * cells.n_vars),
            "feature_biotype": pd.Categorical(["gene"] * cells.n_vars),
            "feature_type": pd.Categorical(["protein_coding", "lncRNA", "miRNA"] * (cells.n_vars // 3)),
        },
        index=pd.Index(cells.var["gene_ids"].to_numpy(), name="index"),
    )
    out = counts.copy()
    sc.pp.normalize_total(out, target_sum=1e4)
    sc.pp.log1p(out)
    filtered = np.arange(cells.n_vars) % 10 == 3
    out.X = sparse.csr_matrix(out.X @ sparse.diags(np.where(filtered, 0, 1).astype(np.float32)))
    out.X.eliminate_zeros()
    out.raw = counts
    out.var["feature_is_filtered"] = pd.Categorical(filtered)
    ids = {name: f"CL:{i:07d}" for i, name in enumerate(cells.obs["cell_type"].cat.categories)}
    out.obs["cell_type_ontology_term_id"] = pd.Categorical(cells.obs["cell_type"].astype(str).map(ids))
    out.obs["is_primary_data"] = True
    out.uns = {"schema_version": "5.2.0", "title": "a study", "default_embedding": "X_umap"}
    return out


@pytest.mark.slow
@pytest.mark.parametrize("raw", [None, True])
def test_cellxgene(cells: AnnData, raw: bool | None, tmp_path: Path):
    reference, query = split(cells)
    census = cellxgene(reference)
    census.write_h5ad(tmp_path / "a.h5ad")
    census = ad.read_h5ad(tmp_path / "a.h5ad")
    query.var = query.var.drop(columns="gene_ids")
    sca.tl.annotate(query, census, "cell_type", **FAST)
    assert accuracy(query) > 0.9
    assert "feature_name" in query.uns["annotation"]["input"]["matched_by"]
    other = cellxgene(split(cells)[1])
    sca.tl.annotate(other, reference, "cell_type", use_raw=raw, **FAST)
    assert accuracy(other) > 0.9
    # Both of the same kind meet by their ids; ontology ids are labels like others.
    other = cellxgene(split(cells)[1])
    sca.tl.annotate(other, census, ["cell_type_ontology_term_id"], **FAST)
    right = other.obs["annotation"].astype(str) == other.obs["cell_type_ontology_term_id"].astype(str)
    assert right.mean() > 0.9
    assert sca.pp.inspect(other).features is None


# ---- large and joined references


@pytest.mark.slow
def test_more_than_200_types(tmp_path: Path):
    cells = sca.datasets.simulate_reference(2600, 400, 220, imbalance=1, rng=0)
    reference, query = cells[:2300].copy(), cells[2300:].copy()
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    assert query.obsm["annotation_proba"].shape == (300, 220)
    query.write_h5ad(tmp_path / "a.h5ad")
    back = ad.read_h5ad(tmp_path / "a.h5ad")
    assert_same_results(back, query)
    sca.get.report(back)
    query.obsm["X_umap"] = np.random.default_rng(0).normal(size=(300, 2))
    sca.pl.annotation(query, show=False)


def test_outer_joined_reference(cells: AnnData):
    """Genes that one study lacks are zeros there, as if not expressed; it works, and an inner join is better."""
    reference, query = split(cells)
    parts = [reference[:150, :250].copy(), reference[150:, 50:].copy()]
    outer = ad.concat(parts, join="outer", fill_value=0)
    inner = ad.concat(parts, join="inner")
    for joined in (outer, inner):
        sca.tl.annotate(query, joined, "cell_type", **FAST)
        assert accuracy(query) > 0.8
    dense = [part.copy() for part in parts]
    for part in dense:
        part.X = part.X.toarray()
    missing = ad.concat(dense, join="outer")
    with pytest.raises(MatrixError, match=r"reference\.X holds NaN .* of gene .*NaN from a join usually mean 0"):
        sca.tl.annotate(query, missing, "cell_type", **FAST)


# ---- what others do with the columns


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_scanpy(named_query: AnnData):
    sc.pl.umap(named_query, color=["annotation", "annotation_status", "annotation_confidence"], show=False)
    assert len(named_query.uns["annotation_colors"]) == len(named_query.obs["annotation"].cat.categories)
    table = sc.get.obs_df(named_query, ["annotation", "annotation_confidence", named_query.var_names[0]])
    assert table.shape == (200, 3)
    sizes = named_query.obs["annotation"].value_counts()
    part = named_query[named_query.obs["annotation"].isin(sizes.index[sizes > 3])].copy()
    part.obs["annotation"] = part.obs["annotation"].cat.remove_unused_categories()
    sc.tl.rank_genes_groups(part, groupby="annotation", method="wilcoxon")
    assert set(sc.get.rank_genes_groups_df(part, None)["group"]) == set(part.obs["annotation"])
    sc.tl.dendrogram(part, groupby="annotation")
    sc.pl.dotplot(part, list(part.var_names[:3]), groupby="annotation", show=False)
    assert sc.get.aggregate(part, by="annotation", func="mean").n_obs == part.obs["annotation"].nunique()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pseudobulk(named_query: AnnData):
    dc = pytest.importorskip("decoupler", minversion="2")
    named_query.X = np.round(np.expm1(named_query.X.toarray()))
    named_query.obs["sample"] = np.array(["s1", "s2"])[np.arange(200) % 2]
    bulk = dc.pp.pseudobulk(named_query, sample_col="sample", groups_col="annotation", mode="sum")
    assert set(bulk.obs["annotation"]) == set(named_query.obs["annotation"].astype(str))


@pytest.mark.parametrize("key", ["annotation", "annotation_status", "annotation_voted", "annotation_model"])
def test_columns_that_others_take_for_clusters(pair: tuple[AnnData, AnnData], pair_model: AnnotationModel, key: str):
    """As squidpy and others check them: categorical, no unused or missing category, a colour for each."""
    query = pair[1]
    sca.tl.annotate(query, pair_model, vote="louvain")
    column = query.obs[key]
    assert isinstance(column.dtype, pd.CategoricalDtype)
    assert column.notna().all()
    assert set(column.cat.categories) == set(column)
    assert all(isinstance(name, str) for name in column.cat.categories)
    colors = query.uns.get(f"{key}_colors")
    assert colors is None or len(colors) == len(column.cat.categories)
    # One row a cell of each pair of groups, as of neighbourhood enrichment.
    counts = pd.crosstab(column.cat.codes, column.cat.codes)
    assert counts.shape == (len(column.cat.categories),) * 2
