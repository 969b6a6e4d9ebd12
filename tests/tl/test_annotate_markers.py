"""Labels from lists of marker genes."""

from __future__ import annotations

import gzip
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import softmax

import sc_annotate as sca
from comparing import assert_same_tree
from marker_truths import ACCEPTED, judged
from sc_annotate.errors import (
    GeneError,
    InputError,
    LabelError,
    MatrixError,
    MethodError,
    MissingExtraError,
    StorageError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

dc = pytest.importorskip("decoupler", minversion="2", reason="markers are scored by decoupler 2")
KNOWN = {
    "CD4+ T Helper2": "CD4 T", "CD4+/CD25 T Reg": "CD4 T", "CD4+/CD45RA+/CD25- Naive T": "CD4 T", "CD4+/CD45RO+ Memory": "CD4 T",
    "CD8+ Cytotoxic T": "CD8 T", "CD8+/CD45RA+ Naive Cytotoxic": "CD8 T", "CD14+ Monocyte": "Monocyte/any",
    "CD19+ B": "B", "CD56+ NK": "NK",
}  # fmt: skip
LISTS = {
    "B": ["CD79A", "CD79B", "MS4A1", "-CD3D"],
    "Monocyte/any": {"LYZ": 1.0, "S100A8": 2, "S100A9": 2.0, "CD14": 1, "CD79A": -1.0},
    "NK": ["GNLY", "NKG7", "PRF1", "KLRD1", "-CD3D"],
    "CD8 T": ["CD8A", "CD8B", "CD3D"],
    "CD4 T": ["IL7R", "CD3D", "LDHB"],
}


@pytest.fixture(scope="module")
def accordion(shared_data: Path) -> pd.DataFrame:
    """Published markers of human blood, of some twenty resources, with ids of the Cell Ontology."""
    table = pd.read_csv(shared_data / "resources" / "marker_genes_accordion.csv.gz")
    return table[(table["species"] == "Human") & (table["Uberon_tissue"] == "blood")]


def test_groups_of_markers_are_clusters_and_lists_are_the_evidence(pbmc: AnnData) -> None:
    sca.tl.annotate_markers(pbmc, LISTS, groupby="louvain")
    found = sca.get.clusters(pbmc)
    pd.testing.assert_frame_equal(found, sca.get.clusters(pbmc, groupby="louvain"))
    assert (found["share"] == 1).all()
    for call in (sca.tl.evidence, sca.pl.evidence, sca.pl.dotplot, sca.get.evidence):
        with pytest.raises(
            StorageError, match=r"marker lists, so its evidence is these lists: `sca\.tl\.markers_agree"
        ):
            call(pbmc)
    sca.tl.annotate_markers(pbmc, LISTS)
    with pytest.raises(InputError, match="groupby is needed"):
        sca.get.clusters(pbmc)


# ---- real data


# Support and number of genes were chosen on the two other data sets, as docs/markers.md says.
ACCORDION = {"min_support": 2, "min_genes": 5}


def test_clusters_of_pbmc3k_from_published_lists(shared_data: Path, accordion: pd.DataFrame) -> None:
    """Eight of nine clusters get their type or a parent of it: five the type itself, three a parent."""
    adata = ad.read_h5ad(shared_data / "pbmc3k.h5ad")
    sca.tl.annotate_markers(adata, accordion, groupby="cell_type", **ACCORDION)
    table = adata.uns["annotation"]["markers"]["groups"].set_index("group")["term_id"]
    assert set(table.index) == set(ACCEPTED["pbmc3k"])
    exact, coarser = judged(table.to_dict(), "pbmc3k")
    assert len(exact | coarser) >= 7
    assert exact >= {"B", "CD8 T", "DC", "FCGR3A+ Mono", "NK"}
    # These are what the documentation names as missed.
    assert coarser == {"CD14+ Mono", "Memory CD4 T", "Naive CD4 T"}
    assert set(ACCEPTED["pbmc3k"]) - exact - coarser == {"Platelet"}
    assert table["Platelet"] == "CL:0000556", "the megakaryocyte, which platelets are made by"


def test_clusters_of_pbmc3k_from_the_packaged_list(shared_data: Path) -> None:
    adata = ad.read_h5ad(shared_data / "pbmc3k.h5ad")
    sca.tl.annotate_markers(adata, "pbmc", groupby="cell_type")
    table = adata.uns["annotation"]["markers"]["groups"].set_index("group")["term_id"]
    exact, _ = judged(table.to_dict(), "pbmc3k")
    assert len(exact) >= 7


@pytest.mark.parametrize(("name", "least"), [("kang2018_pbmc_ifnb", 0.55), ("pbmc_3tech", 0.8)])
def test_single_cells_of_other_data(shared_data: Path, name: str, least: float) -> None:
    """Mean recall over types of single cells, by the packaged list, on the data that the rule was chosen on."""
    adata = ad.read_h5ad(shared_data / f"{name}.h5ad")
    sca.tl.annotate_markers(adata, "pbmc")
    words = {
        "CD4": ("CD4", "regulatory"), "CD8": ("CD8",), "B": ("B cell",), "CD14": ("classical monocyte",),
        "FCGR3A": ("non-classical",), "CD16": ("non-classical",), "NK": ("natural killer",), "DC": ("dendritic",),
        "MK": ("platelet",), "HSC": ("stem",),
    }  # fmt: skip
    truth = adata.obs["cell_type"].astype(str).str.replace("T_", "").str.replace("Mono_", "").str.split("[ +]").str[0]
    label = adata.obs["annotation"].astype(str)
    right = [
        any(c.startswith(w) if w == "classical monocyte" else w in c for w in words[t])
        for t, c in zip(truth, label, strict=True)
    ]
    assert pd.Series(right, index=truth).groupby(level=0).mean().mean() > least


def test_cells_whose_list_is_missing_are_unfamiliar(shared_data: Path) -> None:
    """Without a list for B cells they fit none far more often than the cells that have one."""
    adata = ad.read_h5ad(shared_data / "pbmc3k.h5ad")
    lists = sca.datasets.marker_lists("pbmc")
    lists = lists[~lists["type"].isin(["B cell", "plasma cell", "plasmacytoid dendritic cell"])]
    sca.tl.annotate_markers(adata, lists)
    unfamiliar = (adata.obs["annotation_status"] == "unfamiliar").groupby(adata.obs["cell_type"], observed=True).mean()
    others = unfamiliar.drop(["B", "Naive CD4 T", "Memory CD4 T"])
    assert unfamiliar["B"] > 0.1 + others.max()


# ---- what is stored


def test_scores_are_decouplers_and_shares_their_softmax(pbmc: AnnData) -> None:
    sca.tl.annotate_markers(pbmc, LISTS)
    X = pbmc.X.toarray().astype(float)
    Z = (X - X.mean(axis=0)) / (X.std(axis=0) + 0.3)
    rows = [
        (
            name,
            gene.removeprefix("-"),
            -1.0 if gene.startswith("-") else genes[gene] if isinstance(genes, dict) else 1.0,
        )
        for name, genes in LISTS.items()
        for gene in genes
    ]
    net = pd.DataFrame(rows, columns=["source", "target", "weight"])
    net = net[net["target"].isin(pbmc.var_names)]
    data = pd.DataFrame(Z, index=pbmc.obs_names, columns=pbmc.var_names)
    es, _ = dc.mt.zscore(data.loc[:, X.any(axis=0)], net, tmin=1)
    proba = sca.get.probabilities(pbmc)
    expected = softmax(es[list(proba)].to_numpy() / 0.7, axis=1)
    silent = (X[:, pbmc.var_names.isin(net["target"])] == 0).all(axis=1)
    assert silent.sum() < 20
    np.testing.assert_allclose(proba.to_numpy()[~silent], expected[~silent], atol=2e-5)
    np.testing.assert_allclose(proba.to_numpy()[silent], 1 / len(LISTS), atol=1e-6)
    assert (pbmc.obs["annotation_status"][silent] == "low_quality").all()
    best = es.max(axis=1).to_numpy()
    unfamiliar = (pbmc.obs["annotation_status"] == "unfamiliar").to_numpy()
    assert (unfamiliar[~silent] == (best < 1.6449)[~silent]).all()
    assert unfamiliar.any()


def test_most_cells_are_right(pbmc: AnnData) -> None:
    sca.tl.annotate_markers(pbmc, LISTS)
    truth = pbmc.obs["cell_type"].astype(str).map(KNOWN)
    right = (pbmc.obs["annotation"].astype(str) == truth)[truth.notna()]
    assert right.mean() > 0.75
    sure = pbmc.obs["annotation_confidence"][truth.notna()] > 0.9
    assert right[sure].mean() > right[~sure].mean()


@pytest.mark.parametrize("groupby", [None, "louvain"])
@pytest.mark.parametrize("store_proba", ["all", "topk", False])
def test_round_trip(pbmc: AnnData, tmp_path: Path, groupby: str | None, store_proba: Any) -> None:
    before = pbmc.copy()
    sca.tl.annotate_markers(pbmc, LISTS, groupby=groupby, store_proba=store_proba)
    pbmc.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    assert_same_tree(back.uns["annotation"], pbmc.uns["annotation"])
    for name in (n for n in pbmc.obs if n.startswith("annotation")):
        assert (back.obs[name].astype(str) == pbmc.obs[name].astype(str)).all()
    assert list(sca.get.annotation(back)) == ["label", "confidence", "status", "model"]
    assert "not calibrated" in back.uns["annotation"]["calibration"]["note"]
    assert "markers" in repr(sca.get.report(back))
    if store_proba:
        proba = sca.get.probabilities(back)
        assert set(proba) == set(LISTS)
        np.testing.assert_allclose(proba.max(axis=1), back.obs["annotation_confidence"], atol=1e-6)
    assert (pbmc.X != before.X).nnz == 0
    assert set(pbmc.obs) - set(before.obs) == {f"annotation{s}" for s in ("", "_confidence", "_status", "_model")}


def test_groups_get_one_label(pbmc: AnnData) -> None:
    sca.tl.annotate_markers(pbmc, LISTS, groupby="louvain")
    table = pbmc.uns["annotation"]["markers"]["groups"].set_index("group")
    assert table["n_cells"].to_dict() == pbmc.obs["louvain"].astype(str).value_counts().to_dict()
    for group, cells in pbmc.obs.groupby(pbmc.obs["louvain"].astype(str), observed=True):
        assert (cells["annotation"] == table.loc[group, "type"]).all()
        assert np.ptp(cells["annotation_confidence"]) == 0
    assert (table["score"] >= table["score_runner_up"]).all()


def test_kinds_of_lists_mean_the_same(pbmc: AnnData, tmp_path: Path) -> None:
    rows = [
        (name, g.removeprefix("-"), -1.0 if g.startswith("-") else genes[g] if isinstance(genes, dict) else 1.0)
        for name, genes in LISTS.items()
        for g in genes
    ]
    table = pd.DataFrame(rows, columns=["Cell Type", "Marker", "Weight"])
    table["marker_type"] = np.where(table["Weight"] < 0, "negative", "positive")
    table["Weight"] = table["Weight"].abs()
    with gzip.open(tmp_path / "lists.csv.gz", "wt") as file:
        table.to_csv(file, index=False)
    table.to_csv(tmp_path / "lists.tsv", sep="\t", index=False)
    sca.tl.annotate_markers(pbmc, LISTS)
    wanted = pbmc.obsm["annotation_proba"].copy()
    for markers in (table, tmp_path / "lists.csv.gz", str(tmp_path / "lists.tsv")):
        sca.tl.annotate_markers(pbmc, markers)
        np.testing.assert_allclose(pbmc.obsm["annotation_proba"], wanted, atol=1e-6)
    odd = table.rename(columns={"Cell Type": "a", "Marker": "b"})
    named = {"type_column": "a", "gene_column": "b"}
    sca.tl.annotate_markers(pbmc, odd, **named)
    np.testing.assert_allclose(pbmc.obsm["annotation_proba"], wanted, atol=1e-6)
    with pytest.raises(InputError, match="no column of types"):
        sca.tl.annotate_markers(pbmc, odd)


def test_support_counts(pbmc: AnnData) -> None:
    """A marker that two sources name weighs log2(3), and one of a single source goes where two are asked for."""
    table = pd.DataFrame(
        [("B", "CD79A", "x"), ("B", "CD79A", "y"), ("B", "CD79A", "y"), ("B", "LYZ", "x"), ("M", "LYZ", "x"), ("M", "LYZ", "y")],
        columns=["type", "gene", "resource"],
    )  # fmt: skip
    sca.tl.annotate_markers(pbmc, table)
    assert pbmc.uns["annotation"]["markers"]["table"]["genes"].tolist() == ["CD79A LYZ", "LYZ"]
    sca.tl.annotate_markers(pbmc, table, min_support=2)
    assert pbmc.uns["annotation"]["markers"]["table"]["genes"].tolist() == ["CD79A", "LYZ"]
    from sc_annotate._vocabulary.marker_lists.lists import read_markers

    np.testing.assert_allclose(read_markers(table).weights, [np.log2(3), 1, np.log2(3)])


def test_types_without_genes_are_left_out_and_named(pbmc: AnnData, caplog: pytest.LogCaptureFixture) -> None:
    sca.tl.annotate_markers(pbmc, LISTS | {"Neuron": ["SNAP25", "RBFOX3"]})
    stored = pbmc.uns["annotation"]
    assert "Neuron" not in list(stored["classes"])
    table = stored["markers"]["table"].set_index("type")
    assert not table.loc["Neuron", "used"]
    assert table.loc["Neuron", "n_genes_in_adata"] == 0
    first = caplog.messages[0]
    assert first == stored["input"]["problems"][0]
    assert first.startswith("1 list was left out, as none of its genes is in adata: 'Neuron'")
    assert "cells of this type go to other types" in first


def test_where_the_values_are_does_not_matter(pbmc: AnnData, tmp_path: Path) -> None:
    sca.tl.annotate_markers(pbmc, LISTS)
    wanted = pbmc.obsm["annotation_proba"]
    plain = ad.AnnData(pbmc.X, obs=pbmc.obs[["louvain"]], var=pbmc.var)
    plain.write_h5ad(tmp_path / "x.h5ad")
    for other in (
        ad.read_h5ad(tmp_path / "x.h5ad", backed="r"),
        ad.AnnData(pbmc.X.toarray(), obs=plain.obs, var=plain.var),
        ad.AnnData(np.zeros(plain.shape, np.float32), obs=plain.obs, var=plain.var, layers={"log": sparse.csc_matrix(pbmc.X)}),
    ):  # fmt: skip
        sca.tl.annotate_markers(other, LISTS, layer="log" if "log" in other.layers else None)
        np.testing.assert_allclose(other.obsm["annotation_proba"], wanted, atol=1e-5)
    with sca.settings.override(block_size=100):
        sca.tl.annotate_markers(pbmc, LISTS)
    np.testing.assert_allclose(pbmc.obsm["annotation_proba"], wanted, atol=1e-6)


@pytest.mark.slow
def test_dask_arrays_and_zarr(pbmc: AnnData, tmp_path: Path) -> None:
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    sca.tl.annotate_markers(pbmc, LISTS, groupby="louvain")
    dense = pbmc.X.toarray()
    lazy = ad.AnnData(da.from_array(dense, chunks=(200, dense.shape[1])), obs=pbmc.obs[["louvain"]], var=pbmc.var)
    sca.tl.annotate_markers(lazy, LISTS, groupby="louvain")
    np.testing.assert_allclose(lazy.obsm["annotation_proba"], pbmc.obsm["annotation_proba"], atol=1e-5)
    pbmc.write_zarr(tmp_path / "x.zarr")
    back = ad.read_zarr(tmp_path / "x.zarr")
    assert_same_tree(back.uns["annotation"], pbmc.uns["annotation"])


def test_without_decoupler(pbmc: AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "decoupler", None)
    with pytest.raises(MissingExtraError, match="Run: pip install .*decoupler"):
        sca.tl.annotate_markers(pbmc, LISTS)
    assert "annotation" not in pbmc.obs


@pytest.mark.slow
def test_settings_of_matplotlib_stay() -> None:
    """decoupler changes them when it is imported, so that a fresh process has to look."""
    code = (
        "import matplotlib as mpl; before = dict(mpl.rcParams)\n"
        "from sc_annotate.annotators.marker_scores import load_decoupler; load_decoupler()\n"
        "print(dict(mpl.rcParams) == before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_other_names_of_genes(pbmc: AnnData) -> None:
    """A column of any name is found where the markers are in it, and not where they are in two that differ."""
    expected = pbmc.copy()
    sca.tl.annotate_markers(expected, LISTS)
    pbmc.var["symbol_here"] = pbmc.var_names.to_numpy()
    pbmc.var_names = [f"ENSG{i:011d}" for i in range(pbmc.n_vars)]
    named = pbmc.copy()
    for adata, kwargs in ((pbmc, {}), (named, {"gene_symbols": "symbol_here"})):
        sca.tl.annotate_markers(adata, LISTS, **kwargs)
        assert adata.uns["annotation"]["input"]["matched_by"] == "var['symbol_here'] of adata"
        assert adata.obs["annotation"].tolist() == expected.obs["annotation"].tolist()
    assert any("matched by its var['symbol_here']" in note for note in pbmc.uns["annotation"]["input"]["notes"])
    pbmc.var["shifted"] = np.roll(pbmc.var["symbol_here"].to_numpy(), 1)
    with pytest.raises(
        GeneError, match=r"by var\['symbol_here'\] of adata.*by var\['shifted'\] of adata.*gene_symbols="
    ):
        sca.tl.annotate_markers(pbmc, LISTS, key_added="again")
    with pytest.raises(GeneError, match="Ensembl ids"):
        sca.tl.annotate_markers(
            pbmc[:, :].copy(), {"A": ["XX1", "XX2", "XX3"], "B": ["XX4", "XX5", "XX6"]}, key_added="again"
        )


@pytest.mark.parametrize("of", ["adata", "lists", "half"])
def test_decorated_names_of_genes(pbmc: AnnData, of: str) -> None:
    expected = pbmc.copy()
    markers = "pbmc"
    sca.tl.annotate_markers(expected, markers)
    if of == "lists":
        table = sca.datasets.marker_lists("pbmc")
        markers = {
            name: [f"rna_{gene}" for gene in rows["gene"][rows["weight"] > 0]] for name, rows in table.groupby("type")
        }
        plain = {name: [gene[4:] for gene in genes] for name, genes in markers.items()}
        sca.tl.annotate_markers(expected, plain)
    else:
        pbmc.var_names = [n if of == "half" and i % 2 else f"hg19_{n}" for i, n in enumerate(pbmc.var_names)]
    sca.tl.annotate_markers(pbmc, markers)
    found = pbmc.uns["annotation"]["input"]
    assert found["n_genes_shared"] == expected.uns["annotation"]["input"]["n_genes_shared"]
    assert any("without their prefix" in note for note in found["notes"])
    assert pbmc.obs["annotation"].tolist() == expected.obs["annotation"].tolist()


def test_markers_in_the_case_of_another_species(pbmc: AnnData) -> None:
    title = {name: [gene.capitalize() for gene in genes] for name, genes in LISTS.items()}
    with pytest.raises(
        GeneError,
        match=r"in another case \(Cd79a in the lists, CD79A in adata\), as symbols of mouse and human.*gene\.upper\(\)",
    ) as caught:
        sca.tl.annotate_markers(pbmc, title)
    assert "orthologs" in str(caught.value)
    mouse = pbmc.copy()
    mouse.var_names = mouse.var_names.str.capitalize()
    with pytest.raises(GeneError, match=r"in another case \(CD3D in the lists, Cd3d in adata\).*gene\.capitalize\(\)"):
        sca.tl.annotate_markers(mouse, LISTS)
    some = title | {"B": LISTS[next(iter(LISTS))], "C": LISTS[next(iter(LISTS))][:1]}
    sca.tl.annotate_markers(pbmc, some)
    assert any("in another case" in problem for problem in pbmc.uns["annotation"]["input"]["problems"])


@pytest.mark.parametrize("by", ["ulm", "mlm"])
def test_other_scores(pbmc: AnnData, by: str) -> None:
    sca.tl.annotate_markers(pbmc, LISTS, by=by)
    truth = pbmc.obs["cell_type"].astype(str).map(KNOWN)
    assert (pbmc.obs["annotation"].astype(str) == truth)[truth.notna()].mean() > 0.7


# ---- bad input


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"markers": None}, InputError, "must be a dict of genes by type"),
        ({"markers": 3}, InputError, "must be a dict"),
        ({"markers": "pbmcs"}, InputError, "Did you mean 'pbmc'"),
        ({"markers": {}}, InputError, "no markers"),
        ({"markers": {"B": "CD79A"}}, InputError, r"Write \['CD79A'\]"),
        ({"markers": {"B": [3], "T": ["CD3D"]}}, InputError, "no name of a gene"),
        ({"markers": {3: ["CD3D"]}}, LabelError, "must be names"),
        ({"markers": {"B": {"CD79A": np.nan}}}, InputError, "finite number"),
        ({"markers": {"B": ["CD79A"], "X": ["NOPE"]}}, GeneError, "at least two"),
        ({"markers": {"B": ["Cd79a", "Cd79b", "Ms4a1", "Cd74"], "T": ["Cd3d", "Il7r", "Cd3e"]}}, GeneError, "mouse"),
        ({"markers": LISTS, "groupby": "leiden"}, InputError, "groupby"),
        ({"markers": LISTS, "by": "ora"}, InputError, "by must be 'zscore'"),
        ({"markers": LISTS, "min_genes": 0}, InputError, "min_genes"),
        ({"markers": LISTS, "min_support": 2}, InputError, "min_support=2"),
        ({"markers": LISTS, "store_proba": "some"}, InputError, "store_proba"),
        ({"markers": LISTS, "type_column": "a", "id_column": None}, InputError, "type_column and id_column: "),
        ({"markers": "pbmc", "gene_column": None}, InputError, "gene_column: .* no table"),
        ({"markers": pd.DataFrame({"type": ["B"], "gene": ["CD79A"]}), "gene_column": 3}, InputError, "name of a column"),
        ({"markers": pd.DataFrame({"type": ["B"], "gene": ["CD79A"], "sign": ["?"]})}, InputError, "positive or negative"),
        ({"markers": pd.DataFrame({"type": ["B"], "gene": ["CD79A"], "weight": ["x"]})}, InputError, "no finite number"),
        ({"markers": pd.DataFrame({"type": ["B"], "gene": ["CD79A"], "weight": [0]})}, InputError, "all weights"),
        ({"markers": pd.DataFrame([["B", "CD79A", "x"]], columns=["type", "gene", "gene"])}, InputError, "several columns"),
        ({"markers": {"B": {"CD79A": None}, "T": ["CD3D"]}}, InputError, "finite number"),
        ({"markers": {"B": {"CD79A": 1e308}, "T": ["CD3D"]}}, InputError, "at most 1e\\+06"),
    ],
)  # fmt: skip
def test_bad_input(pbmc: AnnData, kwargs: dict[str, Any], error: type[Exception], match: str) -> None:
    before = pbmc.copy()
    with pytest.raises(error, match=match):
        sca.tl.annotate_markers(pbmc, **kwargs)
    assert list(pbmc.obs) == list(before.obs)
    assert set(pbmc.uns) == set(before.uns)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", b"plain"),
        ("a.csv.zip", b"plain"),
        ("a.csv.xz", b"plain"),
        ("a.csv", b""),
        ("a.csv", b"type,gene\nB,CD79A,1\nT,CD3D,1\n"),
    ],
)
def test_files_that_are_no_tables(pbmc: AnnData, tmp_path: Path, name: str, content: bytes) -> None:
    """Of rows that are longer than the header, the first field would be taken for row names."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a table of markers"):
        sca.tl.annotate_markers(pbmc, tmp_path / name)


def test_a_dash_means_the_same_in_a_dict_of_weights(pbmc: AnnData) -> None:
    from sc_annotate._vocabulary.marker_lists.lists import read_markers

    for genes in ({"CD79A": 1, "CD3D": -2}, {"CD79A": 1, "-CD3D": 2}):
        lists = read_markers({"B": genes, "T": ["CD3D"]})
        assert dict(zip(lists.genes[:2].tolist(), lists.weights[:2].tolist(), strict=True)) == {"CD79A": 1, "CD3D": -2}


@pytest.mark.parametrize("change", ["one cell", "all alike", "all alike, dense"])
def test_cells_that_do_not_differ(pbmc: AnnData, change: str) -> None:
    """Rounding must not pass for a difference."""
    if change == "one cell":
        pbmc = pbmc[:1].copy()
    else:
        first = pbmc.X[[0] * pbmc.n_obs]
        pbmc.X = first.toarray() if "dense" in change else first
    with pytest.raises(InputError, match="every cell of adata has the same values"):
        sca.tl.annotate_markers(pbmc, LISTS)


def test_what_needs_held_out_cells_says_that_there_never_were_any(pbmc: AnnData) -> None:
    sca.tl.annotate_markers(pbmc, LISTS)
    assert "not calibrated" in repr(sca.get.report(pbmc))
    for look in (sca.get.sets, sca.pl.reliability, sca.pl.unfamiliarity, sca.pl.confusion):
        with pytest.raises(StorageError, match=r"nothing from held-out cells: labels from markers are not calibrated"):
            look(pbmc)


def test_equal_lists_make_no_confident_label(pbmc: AnnData) -> None:
    lists = {"B": ["CD79A", "CD79B"], "B again": ["CD79A", "CD79B"], "NK": ["GNLY"], "Monocyte": ["LYZ"]}
    sca.tl.annotate_markers(pbmc, lists, groupby="louvain")
    chosen = pbmc.obs["annotation"] == "B"
    assert (pbmc.obs["annotation_confidence"][chosen] <= 0.5).all()
    assert (pbmc.obs["annotation_confidence"][chosen] > 0.4999).any()
    assert not (pbmc.obs["annotation_status"][chosen] == "confident").any()


@pytest.mark.slow
def test_markers_among_other_methods(pbmc: AnnData) -> None:
    for call in (
        lambda: sca.tl.annotate(pbmc, method="markers"),
        lambda: sca.tl.annotate(pbmc, pbmc.copy(), "cell_type", method=["logreg", "markers"]),
        lambda: sca.tl.fit_annotator(pbmc, "cell_type", method="markers"),
    ):
        with pytest.raises(MethodError, match=r"sca\.tl\.annotate_markers\(adata, markers"):
            call()


def test_unusable_values(pbmc: AnnData) -> None:
    pbmc.X = pbmc.X - 1.5 * (pbmc.X > 1)
    with pytest.raises(MatrixError):
        sca.tl.annotate_markers(pbmc, LISTS)
    pbmc.obs["annotation"] = "mine"
    with pytest.raises(StorageError, match="key_added"):
        sca.tl.annotate_markers(pbmc, LISTS)
