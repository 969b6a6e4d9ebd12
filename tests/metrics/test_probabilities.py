"""Log loss, Brier score and coverage of sets against scikit-learn, scipy and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as oracle

from sc_annotate import metrics
from sc_annotate.errors import InputError, LabelError

CLASSES = ["T", "B", "NK"]


def example(seed: int, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.array(CLASSES)[rng.integers(0, 3, 50)], rng.dirichlet([1, 1, 1], 50).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_equals_scikit_learn(dtype: type) -> None:
    y, proba = example(0, dtype)
    order = np.argsort(CLASSES)
    expected = oracle.log_loss(y, example(0)[1][:, order], labels=np.sort(CLASSES))
    assert metrics.log_loss(y, proba, CLASSES) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_brier_equals_its_definition(dtype: type) -> None:
    y, proba = example(1, dtype)
    expected = np.mean([sum((proba[i, j] - (CLASSES[j] == y[i])) ** 2 for j in range(3)) for i in range(50)])
    assert metrics.brier(y, proba, CLASSES) == pytest.approx(expected, rel=1e-5)


def test_certainty_and_a_type_that_no_column_has() -> None:
    sure = [[1.0, 0.0, 0.0]]
    assert metrics.log_loss(["T"], sure, CLASSES) == 0
    assert metrics.brier(["T"], sure, CLASSES) == 0
    for truth in ("B", "plasma"):
        assert metrics.log_loss([truth], sure, CLASSES) == pytest.approx(-np.log(1e-6))
    assert metrics.brier(["B"], sure, CLASSES) == 2
    # The squared length of the probabilities, plus 1 for the truth that got nothing.
    assert metrics.brier(["plasma"], [[0.5, 0.5, 0.0]], CLASSES) == pytest.approx(1.5)


@pytest.mark.parametrize("score", [metrics.log_loss, metrics.brier])
def test_what_are_no_probabilities_is_refused(score) -> None:
    with pytest.raises(InputError, match="rows that sum to 1"):
        score(["T"], [[0.5, 0.2, 0.1]], CLASSES)
    with pytest.raises(InputError, match="0 or more"):
        score(["T"], [[1.5, -0.5, 0.0]], CLASSES)
    with pytest.raises(InputError, match="NaN"):
        score(["T"], [[np.nan, 0.5, 0.5]], CLASSES)
    with pytest.raises(InputError, match=r"\(1, 2\).*3 types"):
        score(["T"], [[0.5, 0.5]], CLASSES)
    with pytest.raises(InputError, match="y has 2 cells but proba has 1"):
        score(["T", "B"], [[1, 0, 0]], CLASSES)
    with pytest.raises(LabelError, match="twice"):
        score(["T"], [[0.5, 0.5]], ["T", "T"])
    with pytest.raises(LabelError, match="missing"):
        score([None], [[1, 0, 0]], CLASSES)


def test_coverage_equals_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    y = rng.choice([*CLASSES, "plasma"], 80)
    batch = rng.choice(["b1", "b2"], 80)
    sets = rng.random((80, 3)) < 0.5
    hits = np.array([t in CLASSES and bool(s[CLASSES.index(t)]) for t, s in zip(y, sets, strict=True)])
    sizes = np.array([sum(s) for s in sets])
    found = metrics.set_coverage(y, sets, CLASSES, batch=batch)
    assert found["coverage"] == hits.mean()
    interval = binomtest(int(hits.sum()), 80).proportion_ci(0.95, method="wilson")
    assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high))
    assert found["mean_size"] == sizes.mean()
    assert (found["singletons"], found["empty"]) == ((sizes == 1).mean(), (sizes == 0).mean())
    for name, of in (("type", y), ("batch", batch)):
        table = found[f"by_{name}"]
        assert table[name].tolist() == sorted(set(of))
        for i, value in enumerate(table[name]):
            here = of == value
            assert table["coverage"][i] == hits[here].mean()
            assert table["n"][i] == here.sum()
            assert table["mean_size"][i] == sizes[here].mean()
            interval = binomtest(int(hits[here].sum()), int(here.sum())).proportion_ci(0.95, method="wilson")
            assert (table["low"][i], table["high"][i]) == pytest.approx((interval.low, interval.high), abs=1e-12)
    # A type that no column has is never covered, and so the worst.
    assert (found["worst_type"], found["worst_coverage"]) == ("plasma", 0)


def test_one_cell_and_no_batch() -> None:
    found = metrics.set_coverage(["B"], np.array([[False, True, False]]), CLASSES)
    assert (found["coverage"], found["high"], found["mean_size"], found["worst_type"]) == (1, 1, 1, "B")
    assert "by_batch" not in found


def test_what_are_no_sets_is_refused() -> None:
    sets = np.ones((2, 3), dtype=bool)
    with pytest.raises(InputError, match="bool"):
        metrics.set_coverage(["B", "T"], sets.astype(int), CLASSES)
    with pytest.raises(InputError, match="3 classes"):
        metrics.set_coverage(["B", "T"], sets[:, :2], CLASSES)
    with pytest.raises(InputError, match="y has 1 cells but sets has 2"):
        metrics.set_coverage(["B"], sets, CLASSES)
    with pytest.raises(InputError, match="batch has 1"):
        metrics.set_coverage(["B", "T"], sets, CLASSES, batch=["b1"])
    with pytest.raises(LabelError, match="twice"):
        metrics.set_coverage(["B", "T"], sets, ["B", "T", "T"])
