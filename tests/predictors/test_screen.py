"""Screens and embeddings: what is checked, what is cut, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from sc_annotate.errors import GeneError, InputError, MatrixError, MethodError
from sc_annotate.predictors import Cells, Embedding, Screen, screen_embedding
from sc_annotate.predictors.mean import Mean

GENES = np.array(["A", "B", "C"])
MEAN = np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0], [2.0, 2.0, 2.0]])
TARGETS = [("A",), ("B", "A"), ("Z",)]


def screen(**change):
    parts = {"genes": GENES, "control": np.ones(3), "mean": MEAN, "targets": TARGETS, **change}
    return Screen(**parts)


def test_delta_and_sorted_targets():
    plain = screen()
    assert plain.targets == [("A",), ("A", "B"), ("Z",)]
    np.testing.assert_array_equal(plain.delta, MEAN - 1)
    matched = screen(controls=2 * np.ones((3, 3)))
    np.testing.assert_array_equal(matched.delta, MEAN - 2)
    assert plain.mean.dtype == plain.control.dtype == np.float64
    assert screen(mean=MEAN.astype(np.float32)).mean.dtype == np.float64


def test_select_cuts_everything_alike():
    condition = np.array([-1, 2, 0, 1, 2, -1, 1])
    cells = Cells(csr_matrix(np.arange(21, dtype=np.float32).reshape(7, 3)), condition, np.array(list("abcdefg")))
    whole = screen(controls=MEAN / 2, n_cells=[5, 6, 7], cells=cells)
    part = whole.select([2, 1])
    assert part.targets == [("Z",), ("A", "B")]
    np.testing.assert_array_equal(part.mean, MEAN[[2, 1]])
    np.testing.assert_array_equal(part.controls, MEAN[[2, 1]] / 2)
    assert part.n_cells.tolist() == [7, 6]
    assert part.cells.condition.tolist() == [-1, 0, 1, 0, -1, 1]
    assert "".join(part.cells.batch) == "abdefg"
    np.testing.assert_array_equal(part.cells.X.toarray()[:, 0], [0, 3, 9, 12, 15, 18])
    assert whole.select(np.array([True, False, False])).targets == [("A",)]
    assert whole.select(np.array([0])).cells.condition.tolist() == [-1, 0, -1]


@pytest.mark.parametrize("rows", [[], [3], [-1], [0, 0], [0.5], np.zeros(3, bool), [[0]], ["A"]], ids=str)
def test_select_refuses(rows):
    with pytest.raises(InputError, match="rows must be"):
        screen().select(rows)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"genes": ["A", "B", "A"]}, GeneError, "genes must be there once each, but A"),
        ({"genes": []}, GeneError, "at least one gene"),
        ({"targets": []}, InputError, "at least one condition"),
        ({"targets": [("A",), (), ("B",)]}, InputError, "the control goes into"),
        ({"targets": [("A", "B"), ("B", "A"), ("C",)]}, InputError, "conditions must be there once each, but A\\+B"),
        ({"targets": ["A", "B", "C"]}, InputError, r"write \('A',\) instead of 'A'"),
        ({"targets": "A"}, InputError, "not the text 'A'"),
        ({"targets": [("A",), ("B", None), ("C",)]}, InputError, "must be gene names"),
        ({"control": np.ones(2)}, InputError, r"control has the shape \(2,\), but must have \(3,\)"),
        ({"mean": MEAN[:2]}, InputError, r"mean has the shape \(2, 3\), but must have \(3, 3\)"),
        ({"mean": MEAN * np.nan}, MatrixError, "mean has NaN"),
        ({"control": [1, np.inf, 1]}, MatrixError, "control has NaN or infinite"),
        ({"mean": [["a"] * 3] * 3}, MatrixError, "cannot be read as numbers"),
        ({"controls": np.ones(3)}, InputError, "controls has the shape"),
        ({"n_cells": [1, 2]}, InputError, "n_cells has the shape"),
        ({"cells": Cells(np.ones((2, 2)), np.zeros(2, int))}, InputError, "X of the cells has the shape"),
        ({"cells": Cells(np.ones((2, 3)), np.array([0, 3]))}, InputError, "must be -1"),
        ({"cells": Cells(np.ones((2, 3)), np.array([0, 1]), np.array(["a"]))}, InputError, "batch has 1"),
    ],
)
def test_what_is_no_screen(change, kind, message):
    with pytest.raises(kind, match=message):
        screen(**change)


def test_large_finite_values_are_not_taken_for_infinite():
    assert screen(mean=np.full((3, 3), 1e308)).mean[0, 0] == 1e308


def test_embedding():
    embedding = Embedding(["x", "y"], [[1, 2], [3, 4]])
    assert embedding.rows(["y", "q", "x"]).tolist() == [1, -1, 0]
    assert embedding.rows([]).dtype == np.intp
    for names, values, message in (
        (["x", "x"], np.ones((2, 2)), "once each"),
        (["x"], np.ones((2, 2)), "shape"),
        (["x"], [[np.nan]], "NaN"),
        (["x"], np.ones((1, 0)), "no columns"),
        ([["x"]], [[1.0]], "one dimension"),
    ):
        with pytest.raises(InputError, match=message):
            Embedding(names, values)


def test_screen_embedding_is_the_pca_of_the_conditions_with_the_control():
    rng = np.random.default_rng(0)
    targets = [("A",), ("B",), ("C",), ("D",), ("A", "B")]
    mean = rng.normal(size=(5, 12))
    theirs = Screen([f"g{i}" for i in range(12)], rng.normal(size=12), mean, targets)
    embedding = screen_embedding(theirs, 3)
    assert embedding.names.tolist() == ["A", "B", "C", "D", ""]
    rows = np.vstack([mean[:4], theirs.control])
    u, s, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(embedding.values), np.abs(u[:, :3] * s[:3]), atol=1e-10)
    assert (embedding.values[np.abs(embedding.values).argmax(axis=0), np.arange(3)] > 0).all()
    assert screen_embedding(theirs, 50).values.shape == (5, 4)
    for change, message in (
        ({"n_components": 0}, "1 or more"),
        ({"screen": theirs.select([0, 4])}, "at least two single"),
        ({"screen": Screen(["a"], [1.0], [[1.0], [1.0]], [("A",), ("B",)])}, "do not differ"),
    ):
        with pytest.raises(InputError, match=message):
            screen_embedding(**{"screen": theirs, **change})


def test_what_predictors_refuse():
    with pytest.raises(MethodError, match="not fitted"):
        Mean().predict([("A",)])
    with pytest.raises(InputError, match="learns from a Screen, not from ndarray"):
        Mean().fit(MEAN)
    with pytest.raises(InputError, match=r"write \('A',\)"):
        Mean().fit(screen()).predict(["A"])
