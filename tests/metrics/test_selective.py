"""Risk against coverage, and that rejecting cells cannot flatter."""

from __future__ import annotations

import numpy as np
import pytest

from sc_annotate import metrics
from sc_annotate.errors import InputError

TYPES = np.array(["B", "NK", "T"])


def example(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = TYPES[rng.choice(3, n, p=[0.6, 0.3, 0.1])]
    labels = np.where(rng.random(n) < 0.7, y, TYPES[rng.integers(0, 3, n)])
    confidence = np.where(labels == y, 0.2, 0) + rng.random(n) * 0.8
    return y, labels, confidence


@pytest.mark.parametrize("seed", range(3))
def test_area_equals_a_plain_loop(seed: int) -> None:
    y, labels, confidence = example(seed)
    ranked = np.argsort(-confidence)
    wrong = (y != labels)[ranked]
    risks = [wrong[:i].mean() for i in range(1, len(y) + 1)]
    best = [np.sort(wrong)[:i].mean() for i in range(1, len(y) + 1)]
    found = metrics.risk_coverage(y, labels, confidence)
    np.testing.assert_allclose(found["risk"], risks)
    np.testing.assert_allclose(found["coverage"], np.arange(1, len(y) + 1) / len(y))
    assert found["area"] == pytest.approx(np.mean(risks))
    assert found["excess_area"] == pytest.approx(np.mean(risks) - np.mean(best))
    assert metrics.risk_coverage(y, labels, (y == labels).astype(float))["excess_area"] >= 0


def test_ties_come_together() -> None:
    y, labels, confidence = example(0)
    rounded = np.round(confidence, 1)
    order = np.random.default_rng(0).permutation(len(y))
    a = metrics.risk_coverage(y, labels, rounded)
    b = metrics.risk_coverage(y[order], labels[order], rounded[order])
    assert a["area"] == pytest.approx(b["area"])
    assert len(a["threshold"]) == len(np.unique(rounded))
    for threshold, coverage, risk in zip(a["threshold"], a["coverage"], a["risk"], strict=True):
        taken = rounded >= threshold
        assert (coverage, risk) == pytest.approx((taken.mean(), (y != labels)[taken].mean()))
    # Confidence that says nothing: the risk of all cells, whatever is accepted.
    same = metrics.risk_coverage(y, labels, np.ones(len(y)))
    assert same["area"] == same["risk"][0] == np.mean(y != labels)
    one = metrics.risk_coverage(["B"], ["T"], [0.5])
    assert (one["area"], one["excess_area"]) == (1.0, 0.0)


def test_another_rule_is_a_point() -> None:
    y, labels, confidence = example(1)
    accept = confidence > 0.5
    point = metrics.risk_coverage(y, labels, confidence, accept=accept)["accepted"]
    wrong = y != labels
    assert point == pytest.approx(
        {"coverage": accept.mean(), "risk": wrong[accept].mean(), "rejected_risk": wrong[~accept].mean()}
    )
    none = metrics.risk_coverage(y, labels, confidence, accept=np.zeros(len(y), bool))["accepted"]
    assert np.isnan(none["risk"])
    assert none["coverage"] == 0


def test_rejecting_hard_cells_cannot_raise_a_score_silently() -> None:
    """Dropping what was called wrongly makes any method perfect; every number on all cells says otherwise."""
    for seed in range(20):
        y, labels, _ = example(seed)
        labels = np.where(y == "T", "B", labels)  # a type that is never found
        accept = labels == y
        found = metrics.with_rejection(y, labels, accept)
        assert found["accepted"]["macro_f1"] == found["accepted"]["accuracy"] == 1.0
        # It comes with what it hides ...
        assert found["coverage"] == accept.mean() < 1
        assert found["n_rejected"] == (~accept).sum()
        assert found["types_lost"] == ["T"]
        # ... and beside the scores on all cells, which know better, as do those of the plain functions.
        rejected = np.where(accept, labels, "")
        share = found["type_coverage"]
        assert found["all"]["macro_f1"] == metrics.macro_f1(y, rejected) <= np.mean(2 * share / (1 + share)) + 1e-12
        assert found["all"]["accuracy"] == metrics.accuracy(y, rejected) == metrics.accuracy(y, labels)
        assert found["all"]["balanced_accuracy"] == metrics.balanced_accuracy(y, rejected)


@pytest.mark.parametrize("seed", range(10))
def test_what_rejecting_can_do_to_all_cells(seed: int) -> None:
    """Whatever is rejected: accuracy and recall do not rise, and each F1 is bounded by the share that is kept."""
    rng = np.random.default_rng(seed)
    y, labels, confidence = example(seed)
    for accept in (rng.random(len(y)) < 0.6, confidence > 0.6, labels == y, labels != y):
        found = metrics.with_rejection(y, labels, accept)
        assert found["all"]["accuracy"] <= metrics.accuracy(y, labels)
        assert found["all"]["balanced_accuracy"] <= metrics.balanced_accuracy(y, labels)
        table = metrics.per_type(y, np.where(accept, labels, ""))
        share = found["type_coverage"]
        assert (table["f1"] <= 2 * share / (1 + share) + 1e-12).all()
        np.testing.assert_array_equal(found["type_n"], table["n"])
    nothing = metrics.with_rejection(y, labels, np.zeros(len(y), bool))
    assert nothing["all"]["macro_f1"] == 0
    assert np.isnan(nothing["accepted"]["macro_f1"])
    everything = metrics.with_rejection(y, labels, np.ones(len(y), bool))
    assert everything["all"] == everything["accepted"]


def test_a_cell_without_a_call_is_rejected() -> None:
    found = metrics.with_rejection(["B", "B"], ["B", None], [True, True])
    assert (found["coverage"], found["accepted"]["accuracy"], found["all"]["accuracy"]) == (0.5, 1.0, 0.5)


def test_bad_input() -> None:
    y, labels, confidence = example(0, 4)
    with pytest.raises(InputError, match="NaN"):
        metrics.risk_coverage(y, labels, [np.nan, 1, 1, 1])
    with pytest.raises(InputError, match="4 cells"):
        metrics.risk_coverage(y, labels, confidence[:3])
    for accept in ([1, 0, 1, 1], [True, False]):
        with pytest.raises(InputError, match="True or False"):
            metrics.with_rejection(y, labels, accept)
        with pytest.raises(InputError, match="True or False"):
            metrics.risk_coverage(y, labels, confidence, accept=accept)
