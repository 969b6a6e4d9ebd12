"""What `inspect` says, in print and as values, without touching anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest
import scanpy as sc
from scipy import sparse

import sc_annotate as sca
from comparing import same, snapshot
from sc_annotate._core.codec import sanitize
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def counts() -> ad.AnnData:
    rng = np.random.default_rng(0)
    adata = ad.AnnData(sparse.csr_matrix(rng.poisson(rng.gamma(1, 1, 200), (100, 200)).astype(np.float32)))
    adata.var_names = [f"GENE{i}" for i in range(200)]
    return adata


def test_printed(counts: ad.AnnData):
    lines = repr(sca.pp.inspect(counts)).splitlines()
    X = counts.X.toarray()
    assert lines == [
        f"X: 100 cells x 200 columns, csr float32, {(X > 0).mean():.1%} non-zero",
        "  values      counts (whole numbers only)",
        f"  range       0 to {X.max():.4g} in 100 sampled cells",
        "  genes       symbol, human: GENE0, GENE1, GENE2, GENE3, ...",
    ]


def test_printed_with_everything_wrong(counts: ad.AnnData):
    sc.pp.normalize_total(counts, target_sum=1e4)
    sc.pp.log1p(counts, base=2)
    counts.X = counts.X.toarray()
    counts.X[0], counts.X[1, 0], counts.X[2, :2] = 0, np.inf, np.nan
    counts.var["gene_ids"] = "x"
    counts.var_names = ["A", "A", *counts.var_names[2:]]
    text = repr(sca.pp.inspect(counts))
    assert "values      log1p, base 2 (with base 2, the values of a cell are multiples of one step)" in text
    assert "look at     2 NaN, 1 infinite, 1 all-zero cells in the sample" in text
    assert "duplicates  1 names occur more than once: A" in text
    assert "other names in var['gene_ids']" in text


def test_names_of_genes_have_no_meaning_for_a_representation(counts: ad.AnnData):
    counts.obsm["X_pca"] = np.ones((100, 2), np.float32)
    with pytest.raises(InputError, match="gene_symbols: has no meaning for a representation"):
        sca.pp.inspect(counts, use_rep="X_pca", gene_symbols=None)


def test_raw_is_noted(pbmc: ad.AnnData):
    adata = sc.datasets.pbmc68k_reduced()
    report = sca.pp.inspect(adata)
    assert report.values.where == "raw.X"
    assert report.notes == ["adata.X is scaled; adata.raw (log1p) was taken instead"]
    assert repr(report).endswith("note        adata.X is scaled; adata.raw (log1p) was taken instead")
    assert sca.pp.inspect(adata, use_raw=False).values.kind == "scaled"
    assert sca.pp.inspect(pbmc).values.kind == "log1p"


def test_a_representation_has_no_genes(pbmc: ad.AnnData):
    report = sca.pp.inspect(pbmc, use_rep="umap")
    assert report.genes is None
    assert report.values.kind == "embedding"
    assert "genes" not in repr(report)
    assert report.to_dict()["genes"] is None


def test_as_values_that_can_be_stored(counts: ad.AnnData, tmp_path: Path):
    report = sca.pp.inspect(counts)
    counts.uns["report"] = sanitize(report.to_dict())
    counts.write_h5ad(tmp_path / "a.h5ad")
    back = ad.read_h5ad(tmp_path / "a.h5ad").uns["report"]
    assert back["values"]["kind"] == "counts"
    assert back["values"]["maximum"] == report.values.maximum
    assert list(back["genes"]["examples"]) == ["GENE0", "GENE1", "GENE2", "GENE3", "GENE4"]


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (lambda i: f"ENSG{i:011d}", ["Ensembl ids; for a reference with symbols: sca.pp.map_genes(adata, table)"]),
        (
            lambda i: f"ENSMUSG{i:011d}",
            [
                "Ensembl ids; for a reference with symbols: sca.pp.map_genes(adata, table)",
                "genes of mouse; for a human reference: sca.pp.map_genes(adata, orthologs, kind='orthologs')",
            ],
        ),
        (
            lambda i: f"Gene{i}",
            ["genes of mouse; for a human reference: sca.pp.map_genes(adata, orthologs, kind='orthologs')"],
        ),
        (
            lambda i: f"GENE{i}_ENSG{i:011d}",
            ["symbols joined with their Ensembl ids, 200: sca.pp.map_genes(adata) takes the ids off"],
        ),
        (
            lambda i: "IL8" if i == 3 else f"GENE{i}",
            ["symbols of an older release, 1 at least (IL8): sca.pp.map_genes(adata, hgnc_table, kind='aliases')"],
        ),
        (
            lambda i: "1-Mar" if i == 3 else f"GENE{i}",
            [
                "names that a spreadsheet turned into dates, 1 (1-Mar): read the genes again from the original file; "
                "a date does not tell which gene it was"
            ],
        ),
        (lambda i: f"GENE{i}", []),
    ],
)
def test_what_may_need_renaming(counts: ad.AnnData, change: Any, advice: list[str]):
    counts.var_names = [change(i) for i in range(200)]
    report = sca.pp.inspect(counts)
    assert report.gene_advice == advice
    assert [line.split("rename?     ")[1] for line in repr(report).splitlines() if "rename?" in line] == advice
    assert report.to_dict()["gene_advice"] == advice


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (
            lambda i: f"hg19_GENE{i}A",
            ["prefix 'hg19_' on 200 names (100%), no part of the names of genes: sca.pp.map_genes(adata) removes it"],
        ),
        (
            lambda i: f"GENE{i}A-1" if i % 2 else f"GENE{i}A",
            ["suffix '-1' on 100 names (50%), no part of the names of genes: sca.pp.map_genes(adata) removes it"],
        ),
        (
            lambda i: f"b'GENE{i}A'",
            [
                'prefix "b\'" and suffix "\'" on 200 names (100%), no part of the names of genes: sca.pp.map_genes(adata) removes it'
            ],
        ),
        (
            lambda i: f"GENE{i}A " if i == 7 else f"GENE{i}A",
            ["suffix ' ' on 1 names (0%), no part of the names of genes: sca.pp.map_genes(adata) removes it"],
        ),
    ],
    ids=["prefix", "half", "bytes", "blank"],
)
def test_prefixes_and_suffixes(counts: ad.AnnData, change: Any, lines: list[str]):
    counts.var_names = [change(i) for i in range(200)]
    report = sca.pp.inspect(counts)
    assert report.gene_advice == lines
    assert report.genes is not None
    assert (report.genes.id_type, report.genes.species) == ("symbol", "human")
    mapped = sca.pp.map_genes(counts)
    assert mapped.var_names.tolist() == [f"GENE{i}A" for i in range(200)]
    assert sca.pp.inspect(mapped).gene_advice == []


def test_two_genomes(counts: ad.AnnData):
    counts.var_names = [f"hg19_GENE{i}A" if i % 2 else f"mm10_Gene{i}b" for i in range(200)]
    report = sca.pp.inspect(counts)
    assert report.genes is not None
    assert report.genes.species == "human and mouse"
    assert [line.partition(":")[0] for line in report.gene_advice] == [
        "prefix 'mm10_' on 100 names (50%), prefix 'hg19_' on 100 names (50%), no part of the names of genes",
        "genes of several genomes (100 of mouse, 100 of human)",
    ]
    counts.var_names = [f"GENE{i}A" if i % 2 else f"Gene{i}b" for i in range(200)]
    assert sca.pp.inspect(counts).gene_advice == [
        "genes of human and mouse: keep the cells and the genes of one species before annotating"
    ]


def test_mouse_symbols_in_capitals(counts: ad.AnnData):
    counts.var_names = [f"GENE{i}A" if i % 20 else f"GM{10_000 + i}" for i in range(200)]
    report = sca.pp.inspect(counts)
    assert "symbol, mouse" in repr(report)
    assert report.gene_advice == [
        "genes of mouse; for a human reference: sca.pp.map_genes(adata, orthologs, kind='orthologs')"
    ]


def test_a_column_of_symbols_is_named(counts: ad.AnnData):
    counts.var["feature_name"] = counts.var_names
    counts.var_names = [f"ENSG{i:011d}" for i in range(200)]
    assert sca.pp.inspect(counts).gene_advice == [
        "Ensembl ids; for a reference with symbols: sca.pp.map_genes(adata, column='feature_name')"
    ]
    assert sca.pp.map_genes(counts, column="feature_name").var_names[0] == "GENE0"


@pytest.mark.slow
def test_real_names(shared_data: Path):
    """Kang's symbols carry ids and are of 2016; other data need other advice, or none."""
    advice = {
        name: sca.pp.inspect(ad.read_h5ad(shared_data / f"{name}.h5ad")).gene_advice
        for name in ("kang2018_pbmc_ifnb", "scmixology_celseq2_dropseq", "wang2016_pancreas")
    }
    assert [line.partition(":")[0].partition(" (")[0] for line in advice["kang2018_pbmc_ifnb"]] == [
        "symbols joined with their Ensembl ids, 91",
        "symbols of an older release, 37 at least",
    ]
    assert advice["scmixology_celseq2_dropseq"] == [
        "Ensembl ids; for a reference with symbols: sca.pp.map_genes(adata, table)"
    ]
    assert advice["wang2016_pancreas"] == []


@pytest.mark.parametrize("kwargs", [{}, {"layer": "a"}, {"use_raw": True}, {"use_rep": "pca"}, {"gene_symbols": "s"}])
def test_nothing_is_changed(counts: ad.AnnData, kwargs: dict[str, Any]):
    counts.layers["a"] = counts.X.tocsc()
    counts.raw = counts
    counts.obsm["X_pca"] = np.ones((100, 2))
    counts.var["s"] = "x"
    counts.uns["log1p"] = {"base": None}
    before = snapshot(counts)
    sca.pp.inspect(counts, **kwargs)
    assert same(snapshot(counts), before)
    view = counts[:50, :30]
    sca.pp.inspect(view, **kwargs)
    assert view.is_view


@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
def test_a_file_is_not_read_into_memory(counts: ad.AnnData, form: str, tmp_path: Path):
    counts.X = {"csr": counts.X, "csc": counts.X.tocsc(), "dense": counts.X.toarray()}[form]
    counts.write_h5ad(tmp_path / "a.h5ad")
    backed = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    report = sca.pp.inspect(backed)
    assert report.values.format == f"{form}, on disk"
    assert report.values.kind == "counts"
    assert backed.isbacked
    backed.file.close()


@pytest.mark.parametrize(("n", "genes"), [(1, 1), (1, 200), (2, 200), (100, 1)])
def test_tiny_objects(counts: ad.AnnData, n: int, genes: int):
    tiny = counts[:n, :genes].copy()
    tiny.X = tiny.X + sparse.csr_matrix(np.ones((n, genes), np.float32))
    assert sca.pp.inspect(tiny).values.kind == "counts"
    assert repr(sca.pp.inspect(tiny)).startswith(f"X: {n} cells x {genes} columns")


def test_a_hundred_thousand_cells_take_no_longer_than_a_thousand():
    """Counted in values that are read, since clocks are no witnesses."""
    X = sparse.random(100_000, 300, density=0.01, format="csr", dtype=np.float32, random_state=np.random.default_rng(0))
    report = sca.pp.inspect(ad.AnnData(X))
    assert report.values.n_cells == 100_000
    assert report.values.n_sampled <= 512


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"layer": "no"}, "no 'no'"),
        ({"use_raw": True}, "raw is empty"),
        ({"use_rep": "pca"}, "no representation 'pca'"),
        ({"gene_symbols": "no"}, "no column 'no'"),
        ({"layer": "a", "use_rep": "pca"}, "choose one"),
    ],
)
def test_refused(counts: ad.AnnData, kwargs: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        sca.pp.inspect(counts, **kwargs)


def test_refused_objects(counts: ad.AnnData):
    with pytest.raises(InputError, match="adata must be an AnnData, not csr_matrix"):
        sca.pp.inspect(counts.X)
    with pytest.raises(InputError, match="adata is empty: 0 cells"):
        sca.pp.inspect(counts[:0])
    mudata = pytest.importorskip("mudata")
    with pytest.raises(InputError, match=r"mdata\['rna'\]"):
        sca.pp.inspect(mudata.MuData({"rna": counts}))
