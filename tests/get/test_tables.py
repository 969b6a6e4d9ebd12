"""Which cluster is what, and several results side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def by_hand(
    labels: list[Any], confidence: list[float], status: list[Any] | None = None, key: str = "annotation"
) -> AnnData:
    """Cells with the columns of a result alone, as ``ad.concat`` leaves them."""
    obs = pd.DataFrame(
        {key: pd.Categorical(labels), f"{key}_confidence": np.float32(confidence), f"{key}_model": "m"},
        index=[f"c{i}" for i in range(len(labels))],
    )
    if status is not None:
        obs[f"{key}_status"] = pd.Categorical(status)
    return ad.AnnData(np.zeros((len(labels), 1), dtype=np.float32), obs=obs)


@pytest.fixture
def clustered() -> AnnData:
    adata = by_hand(
        ["T", "T", "B", "T", "B/plasma", "B/plasma", "T", "T"],
        [0.9, 0.7, 0.6, np.nan, 0.5, 0.3, 0.9, 0.9],
        ["confident", "confident", "unfamiliar", "given", "low_quality", "unfamiliar", "confident", "confident"],
    )
    adata.obs["cluster"] = pd.Categorical(["10", "10", "10", "10", "9", "9", "9", None])
    return adata


def test_clusters(clustered: AnnData) -> None:
    expected = pd.DataFrame(
        {
            "cluster": ["9", "9", "10", "10"],
            "cluster_size": [3, 3, 4, 4],
            "rank": [1, 2, 1, 2],
            "label": ["B/plasma", "T", "T", "B"],
            "n_cells": [2, 1, 3, 1],
            "share": [2 / 3, 1 / 3, 0.75, 0.25],
            # The pre-labelled cell has no confidence.
            "confidence": [0.4, 0.9, 0.8, 0.6],
            "unfamiliar": [1 / 3, 1 / 3, 0.25, 0.25],
            "low_quality": [1 / 3, 1 / 3, 0.0, 0.0],
        }
    )
    found = sca.get.clusters(clustered, groupby="cluster")
    pd.testing.assert_frame_equal(found, expected, rtol=1e-6, check_dtype=False)
    first = sca.get.clusters(clustered, "annotation", groupby="cluster", top=1)
    pd.testing.assert_frame_equal(first, found[found["rank"] == 1].reset_index(drop=True))


def test_clusters_that_voted_are_the_default(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0)
    with pytest.raises(InputError, match=r"groupby is needed, as no groups that voted .*'annotation'"):
        sca.get.clusters(query)
    sca.tl.vote(query, "louvain")
    pd.testing.assert_frame_equal(sca.get.clusters(query), sca.get.clusters(query, groupby="louvain"))


def test_sums_over_clusters_are_those_over_cells(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0)
    before = query.obs.copy()
    found = sca.get.clusters(query, groupby="louvain")
    counts = pd.crosstab(query.obs["louvain"].astype(str), query.obs["annotation"].astype(str))
    wide = found.pivot(index="cluster", columns="label", values="n_cells").fillna(0)
    pd.testing.assert_frame_equal(wide, counts.loc[wide.index, wide.columns], check_dtype=False, check_names=False)
    np.testing.assert_allclose(found.groupby("cluster")["share"].sum(), 1)
    total = (found["n_cells"] * found["confidence"]).sum()
    assert total == pytest.approx(query.obs["annotation_confidence"].sum(), rel=1e-5)
    pd.testing.assert_frame_equal(query.obs, before)


@pytest.mark.parametrize("values", [[3, 3, 3, 3, 20, 20, 20, 20], [3.0, 3, 3, 3, 20, 20, 20, np.nan]])
def test_clusters_of_numbers(clustered: AnnData, values: list[float]) -> None:
    clustered.obs["number"] = values
    assert sca.get.clusters(clustered, groupby="number", top=1)["cluster"].astype(float).tolist() == [3, 20]


def test_without_a_status(clustered: AnnData) -> None:
    del clustered.obs["annotation_status"]
    assert list(sca.get.clusters(clustered, groupby="cluster"))[-1] == "confidence"


def test_a_cluster_of_unlabelled_cells_and_more_clusters_than_cells(clustered: AnnData) -> None:
    clustered.obs["annotation"] = clustered.obs["annotation"].where(clustered.obs["cluster"] != "9")
    clustered.obs["cluster"] = clustered.obs["cluster"].cat.add_categories(["12", "13"])
    assert set(sca.get.clusters(clustered, groupby="cluster")["cluster"]) == {"10"}


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"groupby": "clster"}, InputError, r"no column 'clster' \(groupby\). Did you mean 'cluster'"),
        ({"groupby": "empty"}, InputError, "no value in any cell"),
        ({"groupby": "cluster", "top": 0}, InputError, "top must be a whole number, 1 or more"),
        ({"groupby": "cluster", "key": "other"}, StorageError, "no annotation 'other'"),
    ],
)
def test_refused_clusters(clustered: AnnData, kwargs: dict[str, Any], error: type[Exception], message: str) -> None:
    clustered.obs["empty"] = pd.Categorical([None] * 8)
    with pytest.raises(error, match=message):
        sca.get.clusters(clustered, **kwargs)


@pytest.fixture
def three() -> AnnData:
    adata = by_hand(["T", "T", "B", None], [0.9, 0.8, 0.7, np.nan], key="a")
    for key, labels in {"b": ["T", "B", "NK", None], "c": ["T", "B", "T", "B"]}.items():
        other = by_hand(labels, [0.5] * 4, ["confident"] * 4, key)
        adata.obs = adata.obs.join(other.obs)
    return adata


def test_results_side_by_side(three: AnnData) -> None:
    found = sca.get.annotations(three)
    first = ["a", "a_confidence", "b", "b_confidence", "b_status", "c", "c_confidence", "c_status"]
    assert list(found) == [*first, "n_labels", "agreement", "commonest"]
    assert list(found.index) == list(three.obs_names)
    assert found["n_labels"].tolist() == [1, 2, 3, 1]
    np.testing.assert_allclose(found["agreement"], [1, 2 / 3, 1 / 3, 1])
    # Three labels, each once: that of the first result.
    assert found["commonest"].tolist() == ["T", "B", "B", "B"]
    for key in "abc":
        pd.testing.assert_series_equal(found[key], three.obs[key])


def test_some_results_in_the_order_of_the_caller(three: AnnData) -> None:
    found = sca.get.annotations(three, ["c", "a"])
    assert [c for c in found if len(c) == 1] == ["c", "a"]
    assert found["commonest"].tolist() == ["T", "B", "T", "B"]
    one = sca.get.annotations(three, ["a"])
    np.testing.assert_array_equal(one["agreement"], [1, 1, 1, np.nan])
    assert one["n_labels"].tolist() == [1, 1, 1, 0]
    assert one["commonest"].isna().tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        (["a", "a"], InputError, "each once"),
        ([], InputError, "at least one"),
        (["a", "other"], StorageError, "no annotation 'other'"),
        ([3], InputError, "list of names of results"),
    ],
)
def test_refused_results(three: AnnData, keys: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sca.get.annotations(three, keys)


def test_no_result_at_all() -> None:
    with pytest.raises(StorageError, match=r"no annotation\. Run"):
        sca.get.annotations(ad.AnnData(np.zeros((2, 2), dtype=np.float32)))


@pytest.mark.parametrize("how", ["backed", "lazy"])
def test_of_files(three: AnnData, clustered: AnnData, tmp_path: Path, how: str) -> None:
    three.obs["cluster"] = ["0", "0", "1", "1"]
    three.write_h5ad(tmp_path / "a.h5ad")
    if how == "lazy":
        pytest.importorskip("xarray")
        adata = ad.experimental.read_lazy(tmp_path / "a.h5ad")
    else:
        adata = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    expected = sca.get.annotations(three)
    pd.testing.assert_frame_equal(sca.get.annotations(adata), expected, check_dtype=False, check_categorical=False)
    expected = sca.get.clusters(three, "b", groupby="cluster")
    pd.testing.assert_frame_equal(sca.get.clusters(adata, "b", groupby="cluster"), expected, check_dtype=False)
