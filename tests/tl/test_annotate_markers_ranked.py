"""Names of clusters from their ranked genes: by a test, and by a network trained to tell them apart."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from comparing import assert_same_tree
from marker_truths import ACCEPTED, judged
from sc_annotate.errors import InputError, MissingExtraError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

LISTS = {
    "B": ["CD79A", "CD79B", "MS4A1"],
    "Monocyte/any": {"LYZ": 1.0, "S100A8": 2, "S100A9": 2.0, "CD14": 1, "FCGR3A": 1},
    "NK": ["GNLY", "NKG7", "PRF1", "KLRD1"],
    "T": ["IL7R", "CD3D", "LDHB", "CD3E"],
    "Neuron": ["SNAP25", "RBFOX3"],
}


@pytest.fixture
def three(pbmc: AnnData) -> AnnData:
    """Cells of three types and one of a fourth."""
    kinds = pbmc.obs["cell_type"].astype(str)
    rows = np.flatnonzero(kinds.isin(["CD19+ B", "CD56+ NK", "CD14+ Monocyte"]).to_numpy())
    alone = np.flatnonzero((kinds == "CD34+").to_numpy())[:1]
    small = pbmc[np.sort(np.r_[rows, alone])].copy()
    small.obs["cluster"] = small.obs["cell_type"].astype(str).map(lambda name: f"{name} / é")
    return small


def same_labels(one: AnnData, other: AnnData) -> None:
    for name in ("annotation", "annotation_status"):
        assert one.obs[name].astype(str).tolist() == other.obs[name].astype(str).tolist()
    np.testing.assert_allclose(one.obs["annotation_confidence"], other.obs["annotation_confidence"], atol=1e-6)


def test_clusters_get_the_list_of_their_genes(three: AnnData, tmp_path: Path) -> None:
    before = three.copy()
    sca.tl.annotate_markers(three, LISTS, "cluster", by="wilcoxon")
    stored = three.uns["annotation"]
    groups = stored["markers"]["groups"].set_index("group")
    assert groups["type"].to_dict() == {
        "CD19+ B / é": "B", "CD56+ NK / é": "NK", "CD14+ Monocyte / é": "Monocyte/any", "CD34+ / é": "",
    }  # fmt: skip
    alone = three.obs["cluster"] == "CD34+ / é"
    assert three.obs["annotation"][alone].isna().all()
    assert three.obs["annotation_confidence"][alone].isna().all()
    assert three.obs["annotation_model"][alone].isna().all()
    assert (three.obs["annotation_status"][alone] == "unfamiliar").all()
    assert three.obs["annotation"][~alone].notna().all()
    assert any("1 group of a single cell got no label" in problem for problem in stored["input"]["problems"])
    assert set(groups.loc["CD19+ B / é", "genes"].split()) <= {"CD79A", "CD79B", "MS4A1"}
    assert stored["params"]["n_genes"] == 50
    assert "saliency" not in stored["params"]
    assert sca.get.clusters(three)["cluster"].nunique() == 3  # a row for each label
    proba = sca.get.probabilities(three)
    np.testing.assert_allclose(proba[~alone].sum(axis=1), 1, atol=1e-5)
    assert proba[alone].isna().all(axis=None)
    assert "not calibrated" in repr(sca.get.report(three))
    three.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    assert_same_tree(back.uns["annotation"], stored)
    pd.testing.assert_frame_equal(sca.get.evidence(back), sca.get.evidence(three))
    np.testing.assert_array_equal(three.X.toarray(), before.X.toarray())
    assert set(three.obs) - set(before.obs) == {f"annotation{end}" for end in ("", "_confidence", "_status", "_model")}


def test_genes_are_those_of_scanpys_test(three: AnnData) -> None:
    import scanpy as sc

    sca.tl.annotate_markers(three, LISTS, "cluster", by="wilcoxon", n_genes=7)
    kept = three[three.obs["cluster"] != "CD34+ / é"].copy()
    kept.obs["cluster"] = kept.obs["cluster"].astype("category")
    sc.tl.rank_genes_groups(kept, "cluster", method="wilcoxon", use_raw=False)
    table = sca.get.evidence(three)
    for group in kept.obs["cluster"].cat.categories:
        rows = table[(table["group"] == group) & (table["direction"] == "towards")]
        ranked = kept.uns["rank_genes_groups"]
        scores = dict(zip(ranked["names"][group], ranked["scores"][group], strict=True))
        np.testing.assert_allclose(rows["contribution"], ranked["scores"][group][:7], rtol=1e-4)
        np.testing.assert_allclose(rows["contribution"], [scores[gene] for gene in rows["gene"]], rtol=1e-4)


def test_the_picture_of_the_genes(three: AnnData) -> None:
    sca.tl.annotate_markers(three, LISTS, "cluster", by="wilcoxon")
    ax = sca.pl.evidence(three, n_genes=2, show=False)
    assert "CD19+ B / é: B" in [text.get_text() for text in ax.get_xticklabels()]
    assert "Wilcoxon score" in ax.get_title()
    with pytest.raises(StorageError, match="marker lists"):
        sca.tl.evidence(three)


def test_clusters_are_made_where_there_are_none(pbmc: AnnData) -> None:
    pytest.importorskip("igraph")
    sca.tl.annotate_markers(pbmc, LISTS, by="wilcoxon")
    made = pbmc.obs["annotation_clusters"]
    assert 3 < made.nunique() < 20
    assert pbmc.uns["annotation"]["markers"]["clusters"] == "annotation_clusters"
    again = pbmc.copy()
    again.obs["mine"] = made
    sca.tl.annotate_markers(again, LISTS, "mine", by="wilcoxon")
    same_labels(pbmc, again)
    assert "annotation_clusters" not in again.obs
    assert (sca.get.clusters(pbmc)["cluster_size"].groupby(sca.get.clusters(pbmc)["cluster"]).first() > 0).all()
    with pytest.raises(InputError, match="part of the result 'annotation' itself"):
        sca.tl.annotate_markers(pbmc, LISTS, "annotation_clusters", by="wilcoxon")


def test_where_the_values_are_does_not_matter(three: AnnData, tmp_path: Path) -> None:
    sca.tl.annotate_markers(three, LISTS, "cluster", by="wilcoxon")
    plain = ad.AnnData(three.X, obs=three.obs[["cluster"]], var=three.var)
    plain.write_h5ad(tmp_path / "x.h5ad")
    dense = ad.AnnData(three.X.toarray(), obs=plain.obs.copy(), var=three.var)
    for other in (ad.read_h5ad(tmp_path / "x.h5ad", backed="r"), dense):
        sca.tl.annotate_markers(other, LISTS, "cluster", by="wilcoxon")
        same_labels(other, three)
    da = pytest.importorskip("dask.array", reason="dask is not installed")
    lazy = ad.AnnData(da.from_array(three.X.toarray(), chunks=(100, three.n_vars)), obs=plain.obs.copy(), var=three.var)
    sca.tl.annotate_markers(lazy, LISTS, "cluster", by="wilcoxon")
    same_labels(lazy, three)


def test_sources_count(three: AnnData) -> None:
    """What two sources name weighs twice as much, not log2(3) times."""
    rows = [(name, gene, source) for name, genes in LISTS.items() for gene in genes for source in "xy"]
    table = pd.DataFrame(rows, columns=["type", "gene", "resource"])
    sca.tl.annotate_markers(three, {**LISTS, "Monocyte/any": list(LISTS["Monocyte/any"])}, "cluster", by="wilcoxon")
    one = three.uns["annotation"]["markers"]["groups"]["score"].to_numpy()
    sca.tl.annotate_markers(three, table, "cluster", by="wilcoxon")
    two = three.uns["annotation"]["markers"]["groups"]["score"].to_numpy()
    np.testing.assert_allclose(two, one * np.sqrt(2))


def test_clusters_of_one_broad_type_get_finer_types(three: AnnData) -> None:
    """Both halves of the monocytes fit their list best; what sets each half apart decides between the finer ones."""
    broad = {**LISTS, "monocyte": [*LISTS["Monocyte/any"], "FCN1", "LST1", "CST3", "TYROBP"]}
    del broad["Monocyte/any"]
    mono = (three.obs["cluster"] == "CD14+ Monocyte / é").to_numpy()
    first = mono & (np.cumsum(mono) % 2 == 0)
    own = [gene for gene in three.var_names[:20] if gene not in {g for one in broad.values() for g in one}][:3]
    values = three.X.toarray()
    values[np.ix_(first, three.var_names.get_indexer(own))] += 1
    three.X = values
    three.obs.loc[first, "cluster"] = "other"
    lists = {**broad, "odd monocyte": [*own, "LYZ"], "even monocyte": ["LYZ", "S100A8"]}
    sca.tl.annotate_markers(three, broad, "cluster", by="wilcoxon")
    assert three.uns["annotation"]["markers"]["groups"].set_index("group").loc["other", "type"] == "monocyte"
    assert (three.uns["annotation"]["markers"]["groups"]["finer_than"] == "").all()
    sca.tl.annotate_markers(three, lists, "cluster", by="wilcoxon")
    groups = three.uns["annotation"]["markers"]["groups"].set_index("group")
    assert groups.loc["other", ["type", "finer_than"]].tolist() == ["odd monocyte", "monocyte"]
    assert set(groups.loc["other", "genes"].split()) <= set(lists["odd monocyte"])
    assert groups.loc["other", "runner_up"] != "monocyte"
    assert any("got a finer list" in note for note in three.uns["annotation"]["input"]["notes"])
    proba = sca.get.probabilities(three)[(three.obs["cluster"] == "other").to_numpy()]
    assert (proba["monocyte"] == 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (lambda n: ["one"] * n, "there is 1 group of at least two cells"),
        (lambda n: [str(i) for i in range(n)], "there are 0 groups of at least two cells"),
        (lambda n: [None, *["b"] * (n - 1)], "missing for 1 cell"),
    ],
)
def test_groups_that_cannot_be_compared(three: AnnData, names: Any, match: str) -> None:
    three.obs["cluster"] = names(three.n_obs)
    before = three.copy()
    with pytest.raises(InputError, match=match):
        sca.tl.annotate_markers(three, LISTS, "cluster", by="wilcoxon")
    assert list(three.obs) == list(before.obs)
    assert "annotation" not in three.uns


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"by": "wilcoxon", "saliency": "attention"}, "saliency: says what a network looks at"),
        ({"saliency": "attention"}, "saliency: "),
        ({"n_genes": 3}, "n_genes: is of ranked genes"),
        ({"rng": 3}, "rng: by='zscore' draws no random numbers"),
        ({"by": "nact", "saliency": "gradient"}, "saliency must be"),
        ({"by": "wilcoxon", "n_genes": 0}, "n_genes must be a whole number"),
        ({"by": "wilcoxon", "rng": -1}, "rng must be"),
        ({"by": "t-test"}, "by must be 'zscore'"),
    ],
)
def test_arguments_of_other_ways_are_refused(pbmc: AnnData, kwargs: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        sca.tl.annotate_markers(pbmc, LISTS, "louvain", **kwargs)
    assert "annotation" not in pbmc.uns


@pytest.mark.parametrize(
    ("by", "where"),
    [
        ("wilcoxon", "sc_annotate.annotation.markers.ranked_genes.read_rows"),
        ("wilcoxon", "sc_annotate.annotation.markers.ranked.silent_cells"),
        ("nact", "sc_annotate.annotators.torch_nact.NACTAnnotator.fit"),
        ("nact", "sc_annotate.annotators.torch_nact.NACTAnnotator.gene_evidence"),
        ("cellassign", "sc_annotate.annotation.markers.assigned.assign"),
    ],
)
def test_an_interruption_leaves_the_object_as_it_was(
    three: AnnData, by: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by != "wilcoxon":
        pytest.importorskip("torch", reason="torch is not installed")

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    sca.tl.annotate_markers(three, LISTS, "cluster", by="wilcoxon")
    monkeypatch.setattr(where, stop)
    if where.endswith("gene_evidence"):
        monkeypatch.setattr("sc_annotate.annotators.torch_nact.NACTAnnotator.fit", lambda self, *_, **__: self)
    if by == "cellassign":
        monkeypatch.setattr("sc_annotate.annotation.markers.assigned.need_scvi", lambda: None)
        three.layers["counts"] = three.X.copy()
        three.layers["counts"].data = np.ceil(three.X.data)
    before = three.copy()
    with pytest.raises(KeyboardInterrupt):
        sca.tl.annotate_markers(three, LISTS, None if by == "cellassign" else "cluster", by=by)
    assert list(three.obs) == list(before.obs)
    assert list(three.obsm) == list(before.obsm)
    assert_same_tree(three.uns["annotation"], before.uns["annotation"])
    same_labels(three, before)


def test_without_torch(pbmc: AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match="torch"):
        sca.tl.annotate_markers(pbmc, LISTS, "louvain", by="nact")
    assert "annotation" not in pbmc.uns


@pytest.mark.slow
def test_a_network_names_clusters_and_the_test_stands_beside_it(three: AnnData, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    genes = three.var_names.isin([gene for genes in LISTS.values() for gene in genes])
    genes[:80] = True
    three = three[:, genes].copy()
    sca.tl.annotate_markers(three, LISTS, "cluster", by="nact", n_genes=10)
    stored = three.uns["annotation"]
    groups = stored["markers"]["groups"].set_index("group")
    assert groups["type"].to_dict() == groups["wilcoxon_type"].to_dict()
    assert groups.loc["CD19+ B / é", "type"] == "B"
    assert groups.loc["CD34+ / é", "type"] == ""
    assert stored["markers"]["n_agree"] == 4 == groups["agrees"].sum()
    assert stored["params"]["saliency"] == "integrated_gradients"
    assert set(stored["markers"]["wilcoxon_genes"]) == {"group", "rank", "gene", "score"}
    assert stored["evidence"]["unit"] == "log-odds"
    assert stored["evidence"]["faithfulness"]["drop"] > stored["evidence"]["faithfulness"]["random_drop"]
    three.write_h5ad(tmp_path / "x.h5ad")
    assert_same_tree(ad.read_h5ad(tmp_path / "x.h5ad").uns["annotation"], stored)
    again = three.copy()
    sca.tl.annotate_markers(again, LISTS, "cluster", by="nact", n_genes=10)
    assert_same_tree(again.uns["annotation"], stored)
    sca.tl.annotate_markers(again, LISTS, "cluster", by="nact", n_genes=10, saliency="attention", key_added="b")
    other = sca.get.evidence(again, "b")["gene"].tolist()
    assert other != sca.get.evidence(again)["gene"].tolist()


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("min_support", [2])
def test_clusters_of_pbmc3k(shared_data: Path, min_support: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The network names no fewer clusters rightly than the test on the same lists does, minus one."""
    pytest.importorskip("torch", reason="torch is not installed")
    adata = ad.read_h5ad(shared_data / "pbmc3k.h5ad")
    lists = pd.read_csv(shared_data / "resources" / "marker_genes_accordion.csv.gz")
    lists = lists[(lists["species"] == "Human") & (lists["Uberon_tissue"] == "blood")]
    sca.tl.annotate_markers(adata, lists, "cell_type", by="nact", min_support=min_support, min_genes=5)
    groups = adata.uns["annotation"]["markers"]["groups"].set_index("group")
    found = {name: judged(groups[name].to_dict(), "pbmc3k") for name in ("term_id", "wilcoxon_term_id")}
    (own, coarser), (tested, tested_coarser) = found["term_id"], found["wilcoxon_term_id"]
    with capsys.disabled():
        print(
            f"\npbmc3k: {len(own)} of 9 by the network, {len(own | coarser)} with parents; {len(tested)} by the test, "
            f"{len(tested | tested_coarser)} with parents"
        )
    assert len(own) >= len(tested) - 1
    assert len(own | coarser) >= max(7, len(tested | tested_coarser) - 1)
    assert len(tested) >= 7
    assert set(groups.index) == set(ACCEPTED["pbmc3k"])
