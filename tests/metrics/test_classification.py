"""Scores against scikit-learn, and what they say of cells without a label."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle

from sc_annotate import metrics
from sc_annotate.errors import InputError, LabelError

SCORES = [metrics.accuracy, metrics.macro_f1, metrics.balanced_accuracy]


def example(seed: int, n: int = 300, extra: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Skewed types that include a rare one; calls with a type that the truth lacks."""
    rng = np.random.default_rng(seed)
    y = np.array(["B", "CD4+/CD25 T Reg", "NK", "T"])[rng.choice(4, n, p=[0.5, 0.3, 0.19, 0.01])]
    y[:4] = ["B", "CD4+/CD25 T Reg", "NK", "T"]
    other = np.array(["B", "NK", "T", "plasma" if extra else "T"])[rng.integers(0, 4, n)]
    return y, np.where(rng.random(n) < 0.6, y, other)


@pytest.mark.parametrize("seed", range(5))
def test_scores_equal_scikit_learn(seed: int) -> None:
    y, labels = example(seed)
    types = np.unique(y)
    assert metrics.accuracy(y, labels) == pytest.approx(oracle.accuracy_score(y, labels))
    of_truth = oracle.f1_score(y, labels, labels=types, average="macro", zero_division=0)
    assert metrics.macro_f1(y, labels) == pytest.approx(of_truth)
    of_both = oracle.f1_score(y, labels, average="macro", zero_division=0)
    assert metrics.macro_f1(y, labels, over="union") == pytest.approx(of_both)
    assert of_both < of_truth
    recall = oracle.recall_score(y, labels, labels=types, average="macro", zero_division=0)
    assert metrics.balanced_accuracy(y, labels) == pytest.approx(recall)


@pytest.mark.parametrize("seed", range(3))
def test_tables_equal_scikit_learn(seed: int) -> None:
    y, labels = example(seed)
    table = metrics.per_type(y, labels)
    p, r, f, n = oracle.precision_recall_fscore_support(y, labels, labels=table["type"], zero_division=0)
    assert table["type"].tolist() == sorted(set(y))
    np.testing.assert_allclose(table["precision"], p)
    np.testing.assert_allclose(table["recall"], r)
    np.testing.assert_allclose(table["f1"], f)
    np.testing.assert_array_equal(table["n"], n)
    # Rows and columns in the order asked for, sorted or not.
    classes = ["plasma", "T", "NK", "B", "CD4+/CD25 T Reg"]
    ours = metrics.confusion(y, labels, classes)
    np.testing.assert_array_equal(ours, oracle.confusion_matrix(y, labels, labels=classes))
    assert ours.dtype == np.int64


def test_a_type_that_is_never_called_and_one_that_is_never_true() -> None:
    table = metrics.per_type(["B", "T"], ["B", "NK"], over="union")
    assert table["type"].tolist() == ["B", "NK", "T"]
    np.testing.assert_array_equal(table["precision"], [1, 0, np.nan])
    np.testing.assert_array_equal(table["recall"], [1, np.nan, 0])
    np.testing.assert_array_equal(table["f1"], [1, 0, 0])


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("seed", range(3))
def test_rejecting_a_right_call_lowers_every_score_and_a_wrong_one_never_pays_like_dropping(score, seed: int) -> None:
    y, labels = example(seed)
    before = score(y, labels)
    right = np.flatnonzero(y == labels)[:10]
    rejected = labels.astype(object)
    rejected[right] = None
    assert score(y, rejected) < before
    # Rejecting all wrong calls: as good as can be would be 1 if those cells were dropped.
    wrong = y != labels
    rejected = np.where(wrong, None, labels)
    assert score(y[~wrong], labels[~wrong]) == 1
    assert score(y, rejected) < 1
    if score is not metrics.macro_f1:
        assert score(y, rejected) == pytest.approx(before)
    else:
        # F1 written out: rejected cells are false negatives of their type and false positives of none.
        by_hand = [2 * t / (2 * t + m) for t, m in ((sum((y == k) & ~wrong), sum((y == k) & wrong)) for k in set(y))]
        assert score(y, rejected) == pytest.approx(np.mean(by_hand))


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, pd.NaT, ""])
@pytest.mark.parametrize("kind", [list, "object", "series", "categorical"])
def test_every_way_of_saying_no_call_is_the_same(nothing, kind) -> None:
    labels = ["B", nothing, "T", nothing]
    if kind == "object":
        labels = np.array(labels, dtype=object)
    elif kind == "series":
        labels = pd.Series(labels, dtype=object)
    elif kind == "categorical":
        labels = pd.Categorical.from_codes([0, -1, 1, -1], ["B", "T"])
    y = ["B", "B", "T", "T"]
    assert metrics.accuracy(y, labels) == 0.5
    assert metrics.macro_f1(y, labels) == pytest.approx(2 / 3)
    assert metrics.macro_f1(y, labels, over="union") == pytest.approx(2 / 3)
    np.testing.assert_array_equal(metrics.confusion(y, labels, ["B", "T"], rejected=True), [[1, 0, 1], [0, 1, 1]])
    with pytest.raises(LabelError, match="2 of 4 cells have no label"):
        metrics.confusion(y, labels, ["B", "T"])
    with pytest.raises(LabelError, match="2 of 4 entries of y are missing"):
        metrics.accuracy(labels, y)


def test_all_cells_rejected() -> None:
    y, labels = ["B", "T"], [None, None]
    assert [score(y, labels) for score in SCORES] == [0, 0, 0]


def test_pandas_strings_integers_and_numpy_strings_are_labels_too() -> None:
    y = pd.Series(["B", "T", "T"], dtype="string")
    assert metrics.accuracy(y, np.array(["B", "T", "B"])) == pytest.approx(2 / 3)
    assert metrics.accuracy([0, 1, 2], ["0", "1", "1"]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("score", [*SCORES, metrics.per_type])
def test_what_cannot_be_scored_is_refused(score) -> None:
    with pytest.raises(InputError, match="y is empty"):
        score([], [])
    with pytest.raises(InputError, match="y has 2 cells but labels has 3"):
        score(["B", "T"], ["B", "T", "T"])
    with pytest.raises(InputError, match="one entry a cell"):
        score([["B"], ["T"]], ["B", "T"])


def test_unknown_types_and_options_are_refused() -> None:
    with pytest.raises(InputError, match="over must be"):
        metrics.macro_f1(["B"], ["B"], over="all")  # type: ignore[arg-type]
    with pytest.raises(LabelError, match="classes lacks types.*'T'"):
        metrics.confusion(["B", "T"], ["B", "B"], ["B"])
    with pytest.raises(LabelError, match="twice"):
        metrics.confusion(["B"], ["B"], ["B", "B"])
