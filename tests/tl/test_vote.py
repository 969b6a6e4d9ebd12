"""Votes of clusters, beside the labels of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@pytest.fixture
def query(pair: tuple[AnnData, AnnData]) -> AnnData:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0, trust=None)
    return query


def test_majority_of_each_cluster(query: AnnData) -> None:
    before = query.obs["annotation"].copy()
    sca.tl.vote(query, "louvain", guard=None)
    assert query.obs["annotation"].equals(before), "the raw label stays"
    for _, cells in query.obs.groupby("louvain", observed=True):
        counts = cells["annotation"].astype(str).value_counts()
        best = sorted(counts[counts == counts.max()].index)[0]
        assert (cells["annotation_voted"] == best).all()
        np.testing.assert_allclose(cells["annotation_voted_share"], counts.max() / len(cells), atol=1e-6)


def test_guard_keeps_a_small_type(query: AnnData) -> None:
    sca.tl.vote(query, "louvain", guard=None)
    lost = set(query.obs["annotation"].astype(str)) - set(query.obs["annotation_voted"].astype(str))
    assert lost, "without the guard some type is gone"
    sca.tl.vote(query, "louvain", guard=0.0, min_confidence=0.0)
    assert set(query.obs["annotation"].astype(str)) == set(query.obs["annotation_voted"].astype(str))
    assert set(query.uns["annotation"]["vote"]["guarded_types"]) >= lost


def test_round_trip_and_again(query: AnnData, tmp_path: Path) -> None:
    sca.tl.vote(query, "louvain")
    query.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    assert (back.obs["annotation_voted"].astype(str) == query.obs["annotation_voted"].astype(str)).all()
    sca.tl.vote(back, "louvain", min_share=0.9)
    assert back.uns["annotation"]["vote"]["min_share"] == 0.9
    assert list(sca.get.annotation(back))[-3:] == ["voted", "voted_share", "model"]


def test_given_labels_stay(pbmc: AnnData) -> None:
    truth = pbmc.obs["cell_type"].astype(str).to_numpy()
    pbmc.obs.loc[pbmc.obs_names[::3], "cell_type"] = np.nan
    sca.tl.annotate(pbmc, labels_key="cell_type", method="nearest_centroid", cv=0, trust=None)
    sca.tl.vote(pbmc, "louvain")
    assert (pbmc.obs["annotation_voted"].astype(str).to_numpy()[1::3] == truth[1::3]).all()


def test_annotating_again_drops_the_vote(query: AnnData, pair: tuple[AnnData, AnnData]) -> None:
    sca.tl.vote(query, "louvain")
    sca.tl.annotate(query, pair[0], "cell_type", method="nearest_centroid", cv=0, trust=None)
    assert "annotation_voted" not in query.obs
    assert "vote" not in query.uns["annotation"]


def test_bad_input(query: AnnData) -> None:
    with pytest.raises(InputError, match="groupby"):
        sca.tl.vote(query, "leiden")
    with pytest.raises(InputError, match="must be a number between 0 and 1"):
        sca.tl.vote(query, "louvain", min_share=2)
    query.obs["gaps"] = [None, *["a"] * 199]
    with pytest.raises(InputError, match="missing for 1 cell\\."):
        sca.tl.vote(query, "gaps")
    query.obs["annotation_voted"] = "mine"
    with pytest.raises(StorageError, match="not written by sc_annotate"):
        sca.tl.vote(query, "louvain")
    assert (query.obs["annotation_voted"] == "mine").all()


@pytest.mark.parametrize("column", ["annotation", "annotation_voted", "annotation_model", "annotation_status"])
def test_a_vote_by_the_result_itself_is_refused(pair: tuple[AnnData, AnnData], column: str) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0)
    sca.tl.vote(query, "louvain")
    before = query.obs.copy()
    with pytest.raises(InputError, match=rf"'{column}'.*part of the result 'annotation' itself.*'leiden'"):
        sca.tl.vote(query, column)
    pd.testing.assert_frame_equal(query.obs, before)
