"""Whether marker lists agree with labels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from comparing import assert_same_tree
from sc_annotate.errors import InputError, LabelError, StorageError
from sc_annotate.metrics.probabilities import wilson

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

pytest.importorskip("decoupler", minversion="2", reason="markers are scored by decoupler 2")

TYPES = {"CD19+ B": "B cell", "CD56+ NK": "natural killer cell", "CD14+ Monocyte": "classical monocyte"}


@pytest.fixture(scope="module")
def _query(_pbmc: AnnData) -> AnnData:
    order = np.random.default_rng(0).permutation(_pbmc.n_obs)
    reference, query = _pbmc[order[:350]].copy(), _pbmc[order[350:]].copy()
    reference.obs["swapped"] = (
        reference.obs["cell_type"].astype(str).replace({"CD19+ B": "CD56+ NK", "CD56+ NK": "CD19+ B"})
    )
    for key, labels in (("annotation", "cell_type"), ("swapped", "swapped")):
        sca.tl.annotate(query, reference, labels, method="nearest_centroid", cv=0, trust=None, key_added=key)
    return query


@pytest.fixture
def query(_query: AnnData) -> AnnData:
    """350 real PBMCs, annotated with a reference and with one whose B and NK labels were exchanged."""
    return _query.copy()


def test_right_labels_agree_and_exchanged_ones_are_contradicted(query: AnnData) -> None:
    for key in ("annotation", "swapped"):
        sca.tl.markers_agree(query, key, markers="pbmc", types=TYPES)
    right = query.uns["annotation"]["markers_agree"]["table"].set_index("type")
    assert right["agreement"].to_dict() == {"CD14+ Monocyte": "contradict", "CD19+ B": "agree", "CD56+ NK": "agree"}
    wrong = query.uns["swapped"]["markers_agree"]["table"].set_index("type")
    assert (wrong["agreement"] == "contradict").all()
    assert wrong["rival"][["CD19+ B", "CD56+ NK"]].tolist() == ["natural killer cell", "B cell"]
    assert (wrong["high"][["CD19+ B", "CD56+ NK"]] < 0).all()
    assert wrong["difference"].is_monotonic_increasing


def test_labels_that_are_contradicted_with_reason(query: AnnData) -> None:
    """The cells labelled CD14+ monocytes in this data set express CD16: its labels were made by similarity to sorted cells."""
    sca.tl.markers_agree(query, markers="pbmc", types=TYPES)
    table = query.uns["annotation"]["markers_agree"]["table"].set_index("type")
    assert table.loc["CD14+ Monocyte", "rival"] == "non-classical monocyte"
    cells = (query.obs["annotation"] == "CD14+ Monocyte").to_numpy()
    fcgr3a = query[:, "FCGR3A"].X.toarray().ravel()
    assert fcgr3a[cells].mean() > 4 * fcgr3a[~cells].mean()


def test_every_cell_by_the_rule(query: AnnData) -> None:
    sca.tl.markers_agree(query, "swapped", markers="pbmc", types=TYPES)
    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate.annotation.markers.markers_request import MarkersRequest
    from sc_annotate.annotation.markers.scored import score_cells

    request = MarkersRequest()
    found = score_cells(query, request.lists("pbmc"), request, MatrixRequest())
    place = {name: j for j, name in enumerate(found.matched.types.tolist())}
    for label, scores, agreement in zip(
        query.obs["swapped"].astype(str), found.scores, query.obs["swapped_markers_agree"].astype(object), strict=True
    ):
        if label not in TYPES:
            assert pd.isna(agreement)
            continue
        own, best = scores[place[TYPES[label]]], np.delete(scores, place[TYPES[label]]).max()
        wanted = "silent"
        if own >= best and own > 1.644854:
            wanted = "agree"
        if best > 1.644854 and best - own > 1.644854 * 2**0.5:
            wanted = "contradict"
        assert agreement == wanted
    assert set(query.obs["swapped_markers_agree"].dropna()) == {"agree", "contradict", "silent"}


def test_table_counts_the_cells(query: AnnData) -> None:
    sca.tl.markers_agree(query, markers="pbmc", types=TYPES, groupby="louvain")
    table = query.uns["annotation"]["markers_agree"]["table"]
    assert (table["group"] == "").sum() == 3 < len(table)
    for _, row in table.iterrows():
        cells = query.obs["annotation"].astype(str) == row["type"]
        if row["group"]:
            cells &= query.obs["louvain"].astype(str) == row["group"]
        said = query.obs["annotation_markers_agree"][cells]
        assert row["n_cells"] == len(said) > 0
        assert row["agree"] == pytest.approx((said == "agree").mean())
        low, high = wilson([(said == "contradict").sum()], [len(said)], 0.95)
        assert (row["contradict_low"], row["contradict_high"]) == pytest.approx((low[0], high[0]))
        assert row["difference"] == pytest.approx(row["score"] - row["score_rival"])
        assert row["low"] <= row["difference"] <= row["high"]
    one = table[table["n_cells"] == 1]
    assert (one["agreement"] == "silent").all()
    assert np.isinf(one["high"]).all()


def test_names_are_matched(query: AnnData) -> None:
    lists = {"B Cells (CD19+)": ["CD79A"], "cd56 nk": ["GNLY", "NKG7"], "Dendritic": ["FCER1A", "CST3"]}
    query.obs["annotation"] = query.obs["annotation"].cat.rename_categories({"CD19+ B": "b cell CD19"})
    sca.tl.markers_agree(query, markers=lists)
    found = query.uns["annotation"]["markers_agree"]
    matched = dict(zip(found["labels"], found["list_of_label"], strict=True))
    assert matched == {"b cell CD19": "B Cells (CD19+)", "CD56+ NK": "cd56 nk", "Dendritic": "Dendritic"}
    assert set(found["unmatched"]) == set(query.obs["annotation"].astype(str)) - set(matched)


def test_a_warning_where_most_labels_have_no_list(query: AnnData, caplog: pytest.LogCaptureFixture) -> None:
    few = {"CD19+ B": ["CD79A"], "T cells": ["CD3D", "CD3E"], "No such": ["ALB_X"], "monocytes": ["LYZ"]}
    sca.tl.markers_agree(query, markers=few)
    (said,) = [text for text in caplog.messages if "no list" in text]
    missing = query.obs["annotation_markers_agree"].isna().to_numpy()
    labels = query.obs["annotation"].astype(str)
    n, of, cells = map(int, re.match(r"(\d+) of (\d+) labels \((\d+) cells\)", said).groups())
    assert (n, of, cells) == (labels[missing].nunique(), labels.nunique(), missing.sum())
    assert all(repr(label) in said for label in labels[missing].unique())
    assert "Lists without a label: 'T cells', 'monocytes'" in said
    assert any("'No such'" in text for text in caplog.messages)
    assert query.uns["annotation"]["markers_agree"]["matched_by"].tolist() == ["name"]


def test_no_warning_where_most_labels_have_a_list(query: AnnData, caplog: pytest.LogCaptureFixture) -> None:
    labels = query.obs["annotation"].astype(str).unique()
    sca.tl.markers_agree(query, markers={label: [query.var_names[i]] for i, label in enumerate(labels)})
    assert not any("no list" in text for text in caplog.messages)


@pytest.mark.slow
def test_round_trip_and_again(query: AnnData, tmp_path: Path) -> None:
    sca.tl.markers_agree(query, markers="pbmc", types=TYPES, groupby="louvain")
    query.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    assert_same_tree(back.uns["annotation"], query.uns["annotation"])
    column = "annotation_markers_agree"
    assert (back.obs[column].astype(object).fillna("") == query.obs[column].astype(object).fillna("")).all()
    sca.tl.markers_agree(back, markers="pbmc", types=TYPES)
    assert_same_tree(
        back.uns["annotation"]["markers_agree"]["scores"], query.uns["annotation"]["markers_agree"]["scores"]
    )
    sca.tl.annotate_markers(back, "pbmc")
    assert column not in back.obs
    assert "markers_agree" not in back.uns["annotation"]


def test_the_same_lists_agree_with_their_own_labels(pbmc: AnnData) -> None:
    sca.tl.annotate_markers(pbmc, "pbmc")
    sca.tl.markers_agree(pbmc, markers="pbmc")
    said = pbmc.obs["annotation_markers_agree"].astype(object)
    fits = (pbmc.obs["annotation_status"].isin(["confident", "ambiguous"])).to_numpy()
    assert (said[fits] == "agree").all()
    assert (said != "contradict").all()
    assert len(pbmc.uns["annotation"]["markers_agree"]["unmatched"]) == 0


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"markers": "pbmc", "types": {"CD19 B": "B cell"}}, LabelError, r"Did you mean 'CD19\+ B'"),
        ({"markers": "pbmc", "types": {"CD19+ B": "B cells"}}, LabelError, "Did you mean 'B cell'"),
        ({"markers": "pbmc", "types": ["B cell"]}, InputError, "types must be a dict"),
        ({"markers": "pbmc"}, LabelError, "no label has a list"),
        ({"markers": "pbmc", "types": {"CD19+ B": ["B cell"]}}, LabelError, "does not exist"),
        ({"markers": None}, InputError, "must be a dict of genes"),
        ({"markers": "pbmc", "types": TYPES, "groupby": "leiden"}, InputError, "groupby"),
        ({"key": "nothing", "markers": "pbmc"}, StorageError, "no annotation 'nothing'"),
    ],
)
def test_bad_input(query: AnnData, kwargs: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        sca.tl.markers_agree(query, **kwargs)
    assert "annotation_markers_agree" not in query.obs


def test_a_group_without_a_name(query: AnnData) -> None:
    """The table has "" for all cells of a label."""
    query.obs["sample"] = np.where(np.arange(query.n_obs) < 100, "", "a")
    with pytest.raises(InputError, match="empty name"):
        sca.tl.markers_agree(query, markers="pbmc", types=TYPES, groupby="sample")
    assert "annotation_markers_agree" not in query.obs


def test_a_foreign_column_stays(query: AnnData) -> None:
    query.obs["annotation_markers_agree"] = "mine"
    with pytest.raises(StorageError, match="not written by sc_annotate"):
        sca.tl.markers_agree(query, markers="pbmc", types=TYPES)
    assert (query.obs["annotation_markers_agree"] == "mine").all()
