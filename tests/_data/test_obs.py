"""Labels as plain strings, whatever the column holds; which of them can be learned from."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from sc_annotate._data.obs import is_no_type, no_type_notes, read_batches, read_labels, usable
from sc_annotate.errors import InputError, LabelError


def _adata(column: Any) -> ad.AnnData:
    obs = pd.DataFrame(index=[f"c{i}" for i in range(len(column))])
    obs["x"] = column
    return ad.AnnData(np.ones((len(column), 1), np.float32), obs=obs)


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        (["B", "T", "B"], ["B", "T", "B"]),
        (np.array(["B", "T/∆", " x"]), ["B", "T/∆", " x"]),
        (pd.Categorical(["B", "T", "B"], categories=["unused", "T", "B"]), ["B", "T", "B"]),
        (pd.Categorical([3, 1, 3]), ["3", "1", "3"]),
        (np.array([3, 1, 3]), ["3", "1", "3"]),
        (np.array([3.0, 1.5, 3.0]), ["3", "1.5", "3"]),
        (np.array([True, False, True]), ["True", "False", "True"]),
        (["B", None, "T"], ["B", None, "T"]),
        (["B", np.nan, "T"], ["B", None, "T"]),
        (["B", "", "  "], ["B", None, None]),
        (pd.Categorical(["B", None, "T"]), ["B", None, "T"]),
        (pd.Categorical([3.0, np.nan, 1.0]), ["3", None, "1"]),
        (np.array([3.0, np.nan, np.inf]), ["3", None, "inf"]),
        (pd.array(["B", None, "T"], dtype="string"), ["B", None, "T"]),
        (pd.array([3, None, 1], dtype="Int64"), ["3", None, "1"]),
        (np.array([3, "B", None], dtype=object), ["3", "B", None]),
    ],
    ids=str,
)
def test_read_labels(column: Any, labels: list[str | None]):
    adata = _adata(column)
    before = adata.obs.copy()
    found, present = read_labels(adata, "x", what="q")
    assert found.dtype.kind == "U"
    assert present.tolist() == [label is not None for label in labels]
    assert found[present].tolist() == [label for label in labels if label is not None]
    pd.testing.assert_frame_equal(adata.obs, before)


@pytest.mark.parametrize(
    "column", [[None, None], [np.nan, np.nan], ["", " "], pd.Categorical([None, None], categories=["B"])]
)
def test_no_label_at_all(column: Any):
    with pytest.raises(LabelError, match=r"q\.obs\['x'\] holds no label at all"):
        read_labels(_adata(column), "x", what="q")


@pytest.mark.parametrize("key", ["y", None, 3])
def test_no_such_column(key: Any):
    with pytest.raises(InputError, match=r"q\.obs has no column .*labels_key.*There are: 'x'"):
        read_labels(_adata(["B"]), key, what="q")
    with pytest.raises(InputError, match="There are: none"):
        read_labels(ad.AnnData(np.ones((2, 2), np.float32)), "y", what="q")


def _usable(sizes: dict[str, int], missing: int = 0, min_cells: Any = 2) -> tuple[np.ndarray, list[str]]:
    labels = np.repeat([*sizes, ""], [*sizes.values(), missing])
    return usable(labels, labels != "", min_cells=min_cells, key="x", what="q")


def test_usable():
    kept, notes = _usable({"A": 12, "B": 10}, missing=5)
    assert kept.tolist() == [True] * 22 + [False] * 5
    assert notes == []


def test_small_types_are_reported():
    kept, notes = _usable({"A": 12, "B": 9, "C": 2})
    assert kept.all()
    assert len(notes) == 1
    assert "C (2), B (9)" in notes[0]


@pytest.mark.parametrize("min_cells", [2, 3])
def test_types_of_too_few_cells_are_left_out(min_cells: int):
    kept, notes = _usable({"A": 12, "B": 9, "C": min_cells - 1, "D": 1}, missing=1, min_cells=min_cells)
    assert kept.tolist() == [True] * 21 + [False] * (min_cells + 1)
    assert notes[0].startswith(f"2 types of q.obs['x'] with fewer than min_cells={min_cells} cells were left out")
    assert f"({min_cells} cells): 'C', 'D'; cells of these types" in notes[0]
    assert "B (9)" in notes[1]
    assert _usable({"A": 12, "B": 10}, min_cells=10)[1] == []


def test_one_type_of_one_cell_is_left_out_in_the_singular():
    assert _usable({"A": 12, "B": 10, "C": 1})[1] == [
        "1 type of q.obs['x'] with fewer than min_cells=2 cells was left out (1 cell): 'C'; cells of this type will get another "
        "label"
    ]


@pytest.mark.parametrize(
    ("sizes", "min_cells", "message"),
    [
        ({"A": 12, "B": 1}, 1, "one cell only is labelled 'B' in q.*min_cells=2"),
        ({"A": 2, "B": 2, "C": 1}, 1, "one cell only is labelled 'C'"),
        ({"A": 12}, 2, r"1 usable type \(A\); at least two"),
        ({"A": 12, "B": 1}, 2, r"1 usable type \(A\); at least two are needed .*of 2 cells"),
        ({"A": 4, "B": 4}, 5, r"0 usable types \(none\); at least two are needed .*of 5 cells"),
        ({f"cell{i}": 1 for i in range(100)}, 1, "100 different labels for 100 cells.*names or numbers"),
        ({f"cell{i}": 1 for i in range(100)}, 2, "100 different labels for 100 cells.*names or numbers"),
        ({f"cell{i}": 1 for i in range(100)} | {"A": 50}, 2, "101 different labels for 150 cells"),
    ],
)
def test_not_usable(sizes: dict[str, int], min_cells: int, message: str):
    with pytest.raises(LabelError, match=message):
        _usable(sizes, min_cells=min_cells)


@pytest.mark.parametrize("min_cells", [0, -1, 2.0, True, "2", None])
def test_min_cells_is_a_number(min_cells: Any):
    with pytest.raises(InputError, match="min_cells must be a whole number"):
        _usable({"A": 12, "B": 12}, min_cells=min_cells)


@pytest.mark.parametrize(
    "label",
    [
        *(
            "NA",
            "nan",
            "N/A",
            "unassigned",
            "Unknown",
            "UNKNOWN cells",
            " unknown ",
            "doublet",
            "Doublets",
            "low quality",
        ),
        *(
            "low_quality",
            "Low-Quality cells",
            "unclassified",
            "ambiguous",
            "Unknown_cell",
            "-",
            "?",
            "none",
            "not assigned",
        ),
    ],
)
def test_labels_that_stand_for_no_type(label: str):
    assert is_no_type(label)
    adata = _adata(["B", "B", label, label, label, "", " ", None])
    adata.obs["x"] = adata.obs["x"].astype("category")
    words, empty = no_type_notes(adata, "x", what="q")
    assert f"taken as types like the others: {label!r} (3);" in words
    assert empty.startswith("2 cells have an empty label in q.obs['x']")


@pytest.mark.parametrize(
    "label", ["B", "B cell", "Nanog+ cells", "non-classical monocyte", "natural killer", "Unknown T"]
)
def test_labels_that_are_types(label: str):
    assert not is_no_type(label)
    assert no_type_notes(_adata([label, label, None]), "x", what="q") == []


def test_read_batches():
    assert read_batches(_adata(["a", "b"]), None, what="q") is None
    for column in (["a", "b", "a"], pd.Categorical(["a", "b", "a"]), pd.array(["a", "b", "a"], dtype="string")):
        found = read_batches(_adata(column), "x", what="q")
        assert found is not None
        assert found.dtype.kind == "U"
        assert found.tolist() == ["a", "b", "a"]
    numbers = read_batches(_adata(np.array([1, 2, 1])), "x", what="q")
    assert numbers is not None
    assert numbers.tolist() == ["1", "2", "1"]


def test_batches_must_be_there():
    with pytest.raises(InputError, match=r"q\.obs has no column 'y' \(batch_key\)"):
        read_batches(_adata(["a"]), "y", what="q")
    with pytest.raises(InputError, match=r"\(batch_key\) is missing for 2 cells"):
        read_batches(_adata(["a", None, None]), "x", what="q")
