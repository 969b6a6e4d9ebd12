"""Several methods together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from comparing import assert_same_results, same, snapshot
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

METHODS = ["nearest_centroid", "naive_bayes", "majority"]


@pytest.mark.slow
def test_average_of_the_methods(pair: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    reference, query = pair
    before = snapshot(query)
    sca.tl.annotate(query, reference, "cell_type", method=METHODS, cv=0)
    assert same(before, snapshot(query))
    proba = sca.get.probabilities(query)
    probabilities = [sca.get.probabilities(query, f"annotation_{m}") for m in METHODS]
    weights = query.uns["annotation"]["weights"]
    assert weights.sum() == pytest.approx(1)
    assert weights.argmin() == 2, "the method that knows nothing counts least"
    np.testing.assert_allclose(proba, sum(w * m for w, m in zip(weights, probabilities, strict=True)), atol=1e-6)
    labels = np.stack([sca.get.annotation(query, f"annotation_{m}")["label"].astype(str) for m in METHODS], axis=1)
    own = query.obs["annotation"].astype(str).to_numpy()
    np.testing.assert_array_equal(query.obsm["annotation_disagrees"], labels != own[:, None])
    np.testing.assert_array_equal(
        query.uns["annotation"]["disagreements"]["n_disagreements"], (labels != own[:, None]).sum(axis=0)
    )
    assert query.uns["annotation"]["methods"].tolist() == [f"annotation_{m}" for m in METHODS]
    # Where the methods disagree, the label is not confident.
    differ = (labels != own[:, None]).any(axis=1)
    assert not (query.obs["annotation_status"][differ] == "confident").any()
    assert query.uns["annotation_colors"]
    query.write_h5ad(tmp_path / "x.h5ad")
    assert_same_results(query, ad.read_h5ad(tmp_path / "x.h5ad"))


@pytest.mark.slow
def test_of_stored_results(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    other = query.copy()
    sca.tl.annotate(query, reference, "cell_type", method=METHODS[:2], cv=0)
    for method in METHODS[:2]:
        sca.tl.annotate(other, reference, "cell_type", method=method, key_added=f"annotation_{method}", cv=0)
    keys = [f"annotation_{m}" for m in METHODS[:2]]
    weights = query.uns["annotation"]["weights"].tolist()
    sca.tl.consensus(other, keys, weights=weights, key_added="annotation")
    assert_same_results(query, other)
    sca.tl.consensus(other, keys, key_added="equal")
    probabilities = [sca.get.probabilities(other, key) for key in keys]
    np.testing.assert_allclose(sca.get.probabilities(other, "equal"), sum(probabilities) / 2, atol=1e-6)
    with pytest.raises(InputError, match="weights must be 2 numbers"):
        sca.tl.consensus(other, keys, weights=[1.0], key_added="odd")


@pytest.mark.slow
def test_methods_with_different_types(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    few = reference[reference.obs["cell_type"] != "CD19+ B"].copy()
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0, key_added="all")
    sca.tl.annotate(query, few, "cell_type", method="nearest_centroid", cv=0, key_added="few")
    sca.tl.consensus(query, ["all", "few"])
    table = query.uns["consensus"]["disagreements"].set_index("key")
    assert table.loc["few", "n_unknown_types"] == 1
    assert table.loc["all", "n_unknown_types"] == 0
    assert "CD19+ B" in set(query.obs["consensus"].astype(str))


@pytest.mark.slow
def test_given_labels(pbmc: AnnData) -> None:
    truth = pbmc.obs["cell_type"].astype(str).to_numpy()
    pbmc.obs.loc[pbmc.obs_names[::3], "cell_type"] = np.nan
    sca.tl.annotate(pbmc, labels_key="cell_type", method=METHODS[:2], cv=0)
    assert (pbmc.obs["annotation_status"][1::3] == "given").all()
    assert (pbmc.obs["annotation"].astype(str).to_numpy()[1::3] == truth[1::3]).all()
    assert pbmc.obs["annotation_disagreement"][1::3].isna().all()
    assert pbmc.obs["annotation_disagreement"][::3].between(0, 1).all()


def test_a_failure_leaves_nothing_behind(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    query.obs["annotation_naive_bayes"] = "mine"
    columns = list(query.obs)
    with pytest.raises(StorageError, match="annotation_naive_bayes"):
        sca.tl.annotate(query, reference, "cell_type", method=METHODS, cv=0)
    assert list(query.obs) == columns


@pytest.mark.slow
def test_without_probabilities(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", method=METHODS[:2], cv=0, store_proba=False)
    assert not [k for k in query.obsm if k.endswith("_proba")]
    assert isinstance(query.obs["annotation"].dtype, pd.CategoricalDtype)
    with pytest.raises(StorageError, match="store_proba"):
        sca.tl.consensus(query, [f"annotation_{m}" for m in METHODS[:2]])
