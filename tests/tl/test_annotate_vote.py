"""Votes in one word: over-clustering, or the groups of a column, in every mode of `annotate`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest

import sc_annotate as sca
from comparing import same, snapshot
from sc_annotate.annotation import over_clusters
from sc_annotate.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from sc_annotate.tl import AnnotationModel

FAST: dict[str, Any] = {"method": "nearest_centroid", "cv": 0}
pytestmark = pytest.mark.filterwarnings("ignore:n_jobs value")


@pytest.fixture(autouse=True)
def _igraph() -> None:
    pytest.importorskip("igraph")


@pytest.mark.slow
def test_as_the_two_calls(pair: tuple[AnnData, AnnData], pair_model: AnnotationModel, tmp_path: Path):
    query = pair[1]
    before = snapshot(query)
    sca.tl.annotate(query, pair_model, vote="leiden")
    assert same(snapshot(query), before)
    found = query.uns["annotation"]["vote"]
    assert (found["groupby"], found["resolution"]) == ("annotation_clusters", 5.0)
    clusters = query.obs["annotation_clusters"]
    assert 5 < clusters.nunique() < 100
    assert clusters.cat.categories.tolist() == [str(i) for i in range(clusters.nunique())]
    voted = query.obs[["annotation_voted", "annotation_voted_share"]].copy()
    sca.tl.vote(query, "annotation_clusters")
    assert voted.equals(query.obs[list(voted)])
    raw = pair[1].copy()
    sca.tl.annotate(raw, pair_model)
    assert raw.obs["annotation"].equals(query.obs["annotation"])
    assert "annotation_clusters" not in raw.obs, "the clusters go with the result that they belong to"
    assert {"clusters", "voted"} <= set(sca.get.annotation(query))
    query.write_h5ad(tmp_path / "a.h5ad")
    assert ad.read_h5ad(tmp_path / "a.h5ad").obs["annotation_clusters"].astype(str).equals(clusters.astype(str))


@pytest.mark.slow
def test_the_same_every_time(pair: tuple[AnnData, AnnData], pair_model: AnnotationModel):
    np.random.seed(1)  # noqa: NPY002
    state = np.random.get_state()  # noqa: NPY002
    seen = []
    for rng in (0, 0, 1, np.random.default_rng(3), np.random.default_rng(3)):
        query = pair[1].copy()
        sca.tl.annotate(query, pair_model, vote="leiden", rng=rng)
        seen.append(query.obs["annotation_clusters"].astype(str).tolist())
    assert seen[0] == seen[1]
    assert seen[3] == seen[4]
    assert all(np.array_equal(a, b) for a, b in zip(state[1:2], np.random.get_state()[1:2], strict=True))  # noqa: NPY002


def test_a_column(pair: tuple[AnnData, AnnData], pair_model: AnnotationModel):
    query, other = pair[1], pair[1].copy()
    sca.tl.annotate(query, pair_model, vote="louvain")
    sca.tl.annotate(other, pair_model)
    sca.tl.vote(other, "louvain")
    assert "annotation_clusters" not in query.obs
    assert query.obs["annotation_voted"].equals(other.obs["annotation_voted"])
    assert query.uns["annotation"]["vote"]["groupby"] == "louvain"
    assert query.uns["annotation"]["params"]["vote"] == "louvain"


@pytest.mark.slow
@pytest.mark.parametrize(
    "mode", ["several", "levels", "representation", "within", "backed", "dask", "topk", "untrusted"]
)
def test_modes(pair: tuple[AnnData, AnnData], pair_model: AnnotationModel, mode: str, tmp_path: Path):
    reference, query = pair
    keys = ["annotation"]
    if mode == "several":
        sca.tl.annotate(query, reference, "cell_type", method=["nearest_centroid", "naive_bayes"], cv=0, vote="leiden")
        keys += ["annotation_nearest_centroid", "annotation_naive_bayes"]
    elif mode == "levels":
        reference.obs["broad"] = np.where(reference.obs["cell_type"].astype(str).str.startswith("CD14"), "M", "other")
        sca.tl.annotate(query, reference, ["broad", "cell_type"], vote="leiden", **FAST)
    elif mode == "representation":
        sca.tl.annotate(query, reference, "cell_type", use_rep="pca", vote="leiden", **FAST)
    elif mode == "within":
        query = reference
        query.obs["some"] = query.obs["cell_type"].astype(object).where(np.arange(500) % 3 > 0)
        sca.tl.annotate(query, labels_key="some", vote="leiden", **FAST)
        given = query.obs["some"].notna()
        assert (query.obs["annotation_voted"][given].astype(str) == query.obs["some"][given]).all()
    elif mode in ("backed", "dask"):
        plain = query.copy()
        sca.tl.annotate(plain, pair_model, vote="leiden")
        if mode == "backed":
            query.write_h5ad(tmp_path / "a.h5ad")
            query = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
        else:
            query.X = pytest.importorskip("dask.array").from_array(query.X, chunks=(50, -1), asarray=False)
        sca.tl.annotate(query, pair_model, vote="leiden")
        assert query.obs["annotation_clusters"].astype(str).equals(plain.obs["annotation_clusters"].astype(str))
        if mode == "backed":
            query.file.close()
    elif mode == "topk":
        sca.tl.annotate(query, pair_model, vote="leiden", store_proba="topk")
    else:
        sca.tl.annotate(query, reference, "cell_type", trust=None, vote="leiden", **FAST)
    for key in keys:
        assert f"{key}_clusters" in query.obs
        assert query.uns[key]["vote"]["groupby"] == f"{key}_clusters"
        table = query.uns[key]["vote"]["table"]
        for group, winner in zip(table["group"], table["winner"], strict=True):
            cells = query.obs[query.obs[f"{key}_clusters"] == group]
            assert winner in set(cells[key].astype(str))


def test_components_of_a_sample(
    pair: tuple[AnnData, AnnData], pair_model: AnnotationModel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(over_clusters, "MAX_SAMPLE", 100)
    query = pair[1]
    sca.tl.annotate(query, pair_model, vote="leiden")
    assert 5 < query.obs["annotation_clusters"].nunique() < 100


@pytest.mark.parametrize("n", [1, 2, 5, 11, 12])
def test_few_cells(pair: tuple[AnnData, AnnData], pair_model: AnnotationModel, n: int):
    query = pair[1][:n].copy()
    sca.tl.annotate(query, pair_model, vote="leiden")
    assert query.obs["annotation_voted"].notna().all()


@pytest.mark.parametrize(
    ("vote", "match"),
    [
        (True, "vote must be 'leiden' for a majority vote of small clusters, the name of a column"),
        ("no such", r"no column 'no such' \(vote\)"),
        ("gaps", r"\(vote\) is missing for 1 cell"),
        ("annotation_voted", "is part of the result"),
    ],
)
def test_refused(named_query: AnnData, pair_model: AnnotationModel, vote: Any, match: str):
    named_query.obs["gaps"] = [None, *["a"] * 199]
    sca.tl.vote(named_query, "louvain")
    before = named_query.obs.copy()
    with pytest.raises(InputError, match=match):
        sca.tl.annotate(named_query, pair_model, vote=vote)
    assert named_query.obs.equals(before)


def test_without_igraph(pair: tuple[AnnData, AnnData], pair_model: AnnotationModel, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(over_clusters, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'needs igraph, .*pip install "igraph>=0.10.8".*name of their column'):
        sca.tl.annotate(pair[1], pair_model, vote="leiden")
    assert "annotation" not in pair[1].obs


def test_own_clusters_of_that_name(
    pair: tuple[AnnData, AnnData], pair_model: AnnotationModel, caplog: pytest.LogCaptureFixture
):
    query = pair[1]
    query.obs["leiden"] = query.obs["louvain"]
    before = query.obs["leiden"].copy()
    with caplog.at_level(logging.INFO, logger="sc_annotate"):
        sca.tl.annotate(query, pair_model, vote="leiden")
    assert any("sca.tl.vote(adata, 'leiden')" in message for message in caplog.messages)
    assert query.obs["leiden"].equals(before)
    assert query.obs["annotation_clusters"].nunique() != before.nunique()


def test_labels_of_digits_of_any_kind(pair: tuple[AnnData, AnnData]):
    """Numbers are in the order of their values; what looks like one and is none stays a text."""
    reference, query = pair
    types = reference.obs["cell_type"].astype(str)
    for names, order in ((["²", "10", "9"], ["10", "9", "²"]), (["2", "10", "9"], ["2", "9", "10"])):
        reference.obs["n"] = types.map({name: names[i % 3] for i, name in enumerate(sorted(set(types)))})
        sca.tl.annotate(query, reference, "n", method="nearest_centroid", cv=0, trust=None, vote="louvain")
        found = query.obs["annotation_voted"].cat.categories.tolist()
        assert set(found) <= set(names)
        assert found == [name for name in order if name in found]
