"""Tables of stored results, and when they are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from anndata import AnnData

FAST = {"method": "nearest_centroid", "cv": 0, "trust": None}


def test_tables_hold_what_is_stored(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", key_added="mine", **FAST)
    table, proba = sca.get.annotation(query, "mine"), sca.get.probabilities(query, "mine")
    assert list(table.index) == list(proba.index) == list(query.obs_names)
    assert list(table) == ["label", "confidence", "model"]
    np.testing.assert_array_equal(proba.to_numpy(), query.obsm["mine_proba"])
    assert (proba.idxmax(axis=1) == table["label"].astype(str)).all()
    # The table is a copy: writing to it must not reach the object.
    table.loc[:, "confidence"] = 0
    assert (query.obs["mine_confidence"] > 0).all()


@pytest.mark.parametrize("join", ["inner", "outer"])
def test_concat_does_not_mislead(pair: tuple[AnnData, AnnData], join: str) -> None:
    reference, query = pair
    a, b = query[:100].copy(), query[100:].copy()
    sca.tl.annotate(a, reference, "cell_type", **FAST)
    sca.tl.annotate(b, reference[:, :400].copy(), "cell_type", **FAST)
    stacked = ad.concat([a, b], join=join)
    with pytest.raises(StorageError, match="uns"):
        sca.get.probabilities(stacked)
    stacked = ad.concat([a, b], join=join, uns_merge="first")
    with pytest.raises(StorageError, match="different models"):
        sca.get.probabilities(stacked)
    table = sca.get.annotation(stacked)
    assert table["model"].astype(str).nunique() == 2
    # Parts of one object are of one model, and may be put together again.
    whole = ad.concat([a[:50], a[50:]], join=join, uns_merge="first")
    pd.testing.assert_frame_equal(sca.get.probabilities(whole), sca.get.probabilities(a))


def test_tables_say_what_is_missing(named_query: AnnData) -> None:
    query = named_query
    query.obsm["annotation_proba"] = query.obsm["annotation_proba"][:, :3]
    with pytest.raises(StorageError, match="names 10 types"):
        sca.get.probabilities(query)
    query.obs["annotation_model"] = pd.Categorical(["other"] * 200)
    with pytest.raises(StorageError, match="different models"):
        sca.get.probabilities(query)
    del query.obs["annotation_model"]
    with pytest.raises(StorageError, match="deleted"):
        sca.get.annotation(query)


def test_levels_stand_beside_the_labels(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    for name in ("lineage", "label"):
        reference.obs[name] = ["T" if str(t)[:3] in ("CD4", "CD8") else "other" for t in reference.obs["cell_type"]]
    sca.tl.annotate(query, reference, ["label", "lineage", "cell_type"], **FAST)
    table = sca.get.annotation(query)
    # "label" is the finest label; a level of that name keeps the name of its column.
    more = ["annotation_label", "label_confidence", "lineage", "lineage_confidence"]
    assert list(table) == ["label", "confidence", "model", *more]
    np.testing.assert_array_equal(table["lineage"].astype(str), query.obs["annotation_lineage"].astype(str))
    np.testing.assert_array_equal(table["label"].astype(str), query.obs["annotation"].astype(str))
