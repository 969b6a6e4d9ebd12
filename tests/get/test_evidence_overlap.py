"""How far the genes of the evidence are those of a test and of marker lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import scanpy as sc

import sc_annotate as sca
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from anndata import AnnData


@pytest.fixture
def query(pair: tuple[AnnData, AnnData]) -> AnnData:
    sca.tl.annotate(pair[1], pair[0], "cell_type", method="nearest_centroid", cv=0, trust=None)
    sca.tl.evidence(pair[1], n_genes=10)
    return pair[1]


@pytest.mark.filterwarnings("ignore")
def test_the_test_is_that_of_scanpy_without_labels_of_one_cell(query: AnnData) -> None:
    labels = query.obs["annotation"].astype(str)
    first = labels == "CD19+ B"
    query = query[~first | (np.cumsum(first) == 1)].copy()
    sca.tl.evidence(query, n_genes=10)
    before = query.uns.copy()
    found = sca.get.evidence_overlap(query, max_cells=None).set_index("type")
    assert list(before) == list(query.uns)
    assert np.isnan(found.loc["CD19+ B", "n_tested"])
    many = query[query.obs["annotation"] != "CD19+ B"].copy()
    counts = many.obs["annotation"].value_counts()
    many = many[many.obs["annotation"].isin(counts[counts > 1].index)].copy()
    many.obs["label"] = many.obs["annotation"].astype(str).astype("category")
    sc.tl.rank_genes_groups(many, "label", method="wilcoxon", use_raw=False)
    table = sca.get.evidence(query)
    for name in many.obs["label"].cat.categories:
        own = set(table.loc[(table["type"] == name) & (table["direction"] == "towards"), "gene"])
        tested = set(many.uns["rank_genes_groups"]["names"][name][:10])
        assert found.loc[name, "n_tested"] == len(own & tested)
        assert found.loc[name, "by_chance"] == pytest.approx(100 / query.n_vars)


def test_labels_and_lists_without_a_match_are_named(query: AnnData, caplog: pytest.LogCaptureFixture) -> None:
    sca.get.evidence_overlap(query)
    assert caplog.text == ""
    lists = {"CD19+ B": ["CD79A", "MS4A1"], "neuron": ["CD3E", "CD3D"], "glia": ["NOPE"]}
    sca.get.evidence_overlap(query, markers=lists)
    n = query.obs["annotation"].nunique()
    assert f"{n - 1} of {n} labels have no list of genes of adata" in caplog.text
    assert "'Dendritic'" in caplog.text
    assert "Lists without a label: 'neuron'. Say which" in caplog.text
    assert "1 list of a dict without any gene of adata: 'glia'" in caplog.text


def test_genes_of_the_list_are_counted(query: AnnData) -> None:
    table = sca.get.evidence(query, group="CD19+ B")
    own = table.loc[table["direction"] == "towards", "gene"].tolist()
    absent = [gene for gene in query.var_names if gene not in own][:3]
    lists = {"CD19+ B": [*own[:4], *absent], "CD56+ NK": absent}
    found = sca.get.evidence_overlap(query, markers=lists).set_index("type")
    assert found.loc["CD19+ B", ["list", "n_list", "n_listed"]].tolist() == ["CD19+ B", 7, 4]
    assert found.loc["CD19+ B", "listed_by_chance"] == pytest.approx(10 * 7 / query.n_vars)
    assert found.loc["Dendritic", "list"] == ""
    assert np.isnan(found.loc["Dendritic", "n_listed"])


def test_genes_that_are_gone_are_named(query: AnnData) -> None:
    gone = sca.get.evidence(query)["gene"][0]
    with pytest.raises(StorageError, match="are not in adata.X any more"):
        sca.get.evidence_overlap(query[:, query.var_names != gone].copy())


def test_what_deleting_the_genes_costs(query: AnnData) -> None:
    stored = query.uns["annotation"]["evidence"]["faithfulness"]
    found = sca.get.faithfulness(query).set_index("deleted")
    assert found.index.tolist() == ["first", "random", "highest"]
    np.testing.assert_allclose(found["drop"], [stored[name] for name in ("drop", "random_drop", "highest_drop")])
    np.testing.assert_allclose(found["before"] - found["after"], found["drop"])
    assert np.isnan(found.loc["first", "first_minus"])
    row = found.loc["highest"]
    assert row["first_minus"] == pytest.approx(found.loc["first", "drop"] - row["drop"])
    assert row["low"] < row["first_minus"] < row["high"]
    del query.uns["annotation"]["evidence"]["faithfulness"]
    with pytest.raises(StorageError, match="was not tested by deleting genes"):
        sca.get.faithfulness(query)
