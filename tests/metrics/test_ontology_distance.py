"""Scores on a tree, against sets written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sc_annotate as sca
from sc_annotate import metrics
from sc_annotate.errors import InputError

TREE = sca.pp.read_ontology({"CD4": "T", "CD8": "T", "T": "lymph", "B": "lymph", "lymph": "cell", "mono": "cell"})
IDS = TREE.ids.tolist()
SETS = {
    "CD4": {"CD4", "T", "lymph"},
    "CD8": {"CD8", "T", "lymph"},
    "T": {"T", "lymph"},
    "B": {"B", "lymph"},
    "lymph": {"lymph"},
    "mono": {"mono"},
    "cell": set(),
}


def test_distance_and_match() -> None:
    truth = ["CD4"] * 6 + ["T", "CD4"]
    called = ["CD4", "CD8", "T", "B", "mono", "cell", "CD4", None]
    np.testing.assert_array_equal(metrics.ontology_distance(truth, called, TREE), [0, 2, 1, 3, 4, 3, 1, np.nan])
    assert metrics.ontology_match(truth, called, TREE).tolist() == [
        "exact",
        "other",
        "ancestor",
        "other",
        "other",
        "ancestor",
        "descendant",
        "",
    ]


@given(st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from([*IDS, None])), min_size=1, max_size=12))
def test_sets_of_ancestors(pairs: list[tuple[str, str | None]]) -> None:
    truth, called = [t for t, _ in pairs], [c for _, c in pairs]
    said = [SETS[c] if c else set() for c in called]
    both = sum(len(SETS[t] & s) for t, s in zip(truth, said, strict=True))
    n_said, n_true = sum(map(len, said)), sum(len(SETS[t]) for t in truth)
    pooled = metrics.hierarchical_precision_recall_f1(truth, called, TREE)
    np.testing.assert_equal(pooled.precision, both / n_said if n_said else np.nan)
    np.testing.assert_equal(pooled.recall, both / n_true if n_true else np.nan)
    assert pooled.f1 == pytest.approx(2 * both / (n_said + n_true) if n_said + n_true else 0.0)
    cells = metrics.hierarchical_precision_recall_f1(truth, called, TREE, per_cell=True)
    for i, (t, c) in enumerate(pairs):
        n = len(SETS[t] & said[i])
        np.testing.assert_equal(cells.precision[i], n / len(said[i]) if said[i] else np.nan)
        np.testing.assert_equal(cells.recall[i], n / len(SETS[t]) if SETS[t] else np.nan)
        total = len(said[i]) + len(SETS[t])
        assert cells.f1[i] == pytest.approx(2 * n / total if total else float(t == c))
    # A call on the line of the truth counts by its F1, and an exact one fully.
    match = metrics.ontology_match(truth, called, TREE)
    line = np.isin(match, ["ancestor", "descendant"])
    expected = np.where(match == "exact", 1.0, np.where(line, cells.f1, 0.0)).mean()
    score = metrics.ontology_accuracy(truth, called, TREE)
    assert score == pytest.approx(expected)
    assert score >= np.mean([t == c for t, c in pairs]) - 1e-12


def test_the_root_is_worth_nothing() -> None:
    assert metrics.ontology_accuracy(["CD4", "mono"], ["cell", "cell"], TREE) == 0
    assert metrics.ontology_match(["CD4"], ["cell"], TREE).tolist() == ["ancestor"]


def test_bad_input() -> None:
    with pytest.raises(InputError, match="no term 'X'"):
        metrics.ontology_distance(["CD4"], ["X"], TREE)
    with pytest.raises(InputError, match="no term 'X'"):
        metrics.ontology_distance(["CD4", "X"], ["CD4", None], TREE)
    with pytest.raises(InputError, match="same cells"):
        metrics.ontology_match(["CD4"], ["CD4", "T"], TREE)
    with pytest.raises(InputError, match="missing"):
        metrics.ontology_accuracy(["CD4", None], ["CD4", "T"], TREE)
