"""Labels as people have them: types of one cell, words for no type, at one level or several; each fact said once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate.errors import LabelError

if TYPE_CHECKING:
    from anndata import AnnData

FAST: dict[str, Any] = {"method": "nearest_centroid", "cv": 0}
LEVELS = ["cell_type_broad", "cell_type"]


@pytest.fixture
def simulated() -> tuple[AnnData, AnnData]:
    """A reference of four types under broader ones, whose labels are plain strings, and a query."""
    cells = sca.datasets.simulate_reference(600, 200, 4)
    for name in LEVELS:
        cells.obs[name] = cells.obs[name].astype(str).astype(object)
    return cells[:400].copy(), cells[400:].copy()


def relabel(adata: AnnData, column: str, rows: Any, label: str) -> None:
    values = adata.obs[column].to_numpy(dtype=object).copy()
    values[rows] = label
    adata.obs[column] = values


def said_of(caplog: pytest.LogCaptureFixture, word: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if word in record.getMessage()]


@pytest.mark.parametrize("labels_key", ["cell_type", LEVELS], ids=["one level", "two levels"])
def test_a_type_of_one_cell_is_left_out(
    simulated: tuple[AnnData, AnnData], labels_key: Any, caplog: pytest.LogCaptureFixture
) -> None:
    reference, query = simulated
    without = query.copy()
    sca.tl.annotate(without, reference[1:].copy(), labels_key, **FAST)
    relabel(reference, "cell_type", 0, "rare")
    sca.tl.annotate(query, reference, labels_key, **FAST)
    (said,) = said_of(caplog, "'rare'")
    assert said.startswith(
        "1 type of reference.obs['cell_type'] with fewer than min_cells=2 cells was left out (1 cell)"
    )
    assert said in query.uns["annotation"]["reference"]["notes"].tolist()
    assert query.uns["annotation"]["reference"]["n_cells"] == 399
    assert "rare" not in query.uns["annotation"]["classes"]
    np.testing.assert_array_equal(
        query.obs["annotation_confidence"].to_numpy(), without.obs["annotation_confidence"].to_numpy()
    )
    with pytest.raises(LabelError, match="one cell only is labelled 'rare'"):
        sca.tl.annotate(query, reference, labels_key, min_cells=1, **FAST)


def test_a_coarser_label_of_one_cell_is_left_out(
    simulated: tuple[AnnData, AnnData], caplog: pytest.LogCaptureFixture
) -> None:
    reference, query = simulated
    relabel(reference, "cell_type_broad", 0, "rare")
    sca.tl.annotate(query, reference, LEVELS, **FAST)
    (said,) = said_of(caplog, "'rare'")
    assert said.startswith("left out, 1 cell: fewer than min_cells=2 cells of reference have the label 'rare'")
    assert query.uns["annotation"]["reference"]["n_cells"] == 399
    with pytest.raises(LabelError, match="lies under more than one label"):
        sca.tl.annotate(query, reference, LEVELS, min_cells=1, **FAST)


def test_a_rare_type_that_is_alone_at_every_level(simulated: tuple[AnnData, AnnData]) -> None:
    reference, query = simulated
    for name in LEVELS:
        relabel(reference, name, 0, "rare")
    sca.tl.annotate(query, reference, LEVELS, **FAST)
    assert query.uns["annotation"]["reference"]["n_cells"] == 399
    assert not query.uns["annotation"]["levels"].isin(["rare"]).to_numpy().any()


@pytest.mark.parametrize("column", LEVELS)
def test_words_for_no_type_are_warned_of_at_any_level(
    simulated: tuple[AnnData, AnnData], column: str, caplog: pytest.LogCaptureFixture
) -> None:
    reference, query = simulated
    broad, fine = ("Unknown ", "rest") if column == "cell_type_broad" else ("rest", "Unknown ")
    relabel(reference, "cell_type_broad", slice(0, 30), broad)
    relabel(reference, "cell_type", slice(0, 30), fine)
    relabel(reference, "cell_type", slice(30, 33), "")
    sca.tl.annotate(query, reference, LEVELS, **FAST)
    (words,) = said_of(caplog, "stand for no type")
    assert f"reference.obs[{column!r}]" in words
    assert [int(n) for n in re.findall(r"'Unknown ' \((\d+)\)", words)] == [
        int((reference.obs[column] == "Unknown ").sum())
    ]
    (empty,) = said_of(caplog, "empty label")
    assert empty.startswith(f"{(reference.obs['cell_type'] == '').sum()} cells have an empty label")


def test_a_fact_is_said_once_and_not_for_each_method(
    simulated: tuple[AnnData, AnnData], caplog: pytest.LogCaptureFixture
) -> None:
    reference, query = simulated
    relabel(reference, "cell_type", slice(0, 3), "rare")
    for _ in range(2):
        caplog.clear()
        sca.tl.annotate(query, reference, "cell_type", method=["nearest_centroid", "naive_bayes"], cv=0)
        assert len(said_of(caplog, "rare (3)")) == 1
        assert len(caplog.messages) == len(set(caplog.messages))
    for key in ("annotation_nearest_centroid", "annotation_naive_bayes"):
        assert any("rare (3)" in problem for problem in query.uns[key]["reference"]["notes"])
