"""Calibration errors against plain loops, scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve

from sc_annotate import metrics
from sc_annotate.errors import InputError

CLASSES = np.array(["B", "NK", "T"])


def example(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet([1, 1, 1], n)
    return CLASSES[(proba.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)], proba


def plain_error(y: np.ndarray, proba: np.ndarray, n_bins: int) -> float:
    confidence = proba.max(axis=1)
    right = CLASSES[proba.argmax(axis=1)] == y
    ranked = np.argsort(confidence)
    total, n = 0.0, len(y)
    for j in range(n_bins):
        cells = ranked[j * n // n_bins : (j + 1) * n // n_bins]
        total += len(cells) / n * abs(np.mean(confidence[cells]) - np.mean(right[cells]))
    return total


@pytest.mark.parametrize(("n", "n_bins"), [(90, 15), (100, 15), (7, 7), (50, 1)])
def test_error_equals_a_plain_loop(n: int, n_bins: int) -> None:
    y, proba = example(n)
    found = metrics.expected_calibration_error(y, proba, CLASSES, n_bins=n_bins)
    assert found == pytest.approx(plain_error(y, proba, n_bins), abs=1e-12)


def test_order_of_cells_and_ties() -> None:
    """Equal confidences share a bin, so the order of the cells cannot matter."""
    y, proba = example(300)
    proba = np.round(proba * 8) / 8
    proba = proba[np.isclose(proba.sum(axis=1), 1)]
    y = y[: len(proba)]
    order = np.random.default_rng(1).permutation(len(y))
    first = metrics.expected_calibration_error(y, proba, CLASSES)
    assert metrics.expected_calibration_error(y[order], proba[order], CLASSES) == pytest.approx(first, abs=1e-12)
    table = metrics.reliability(y, proba, CLASSES)
    assert (table["from"][1:] > table["to"][:-1]).all()


def test_more_bins_than_cells_and_one_cell() -> None:
    assert metrics.expected_calibration_error(["B"], [[0.7, 0.2, 0.1]], CLASSES) == pytest.approx(0.3)
    # A true type that is no column is a wrong call.
    assert metrics.expected_calibration_error(["plasma"], [[0.7, 0.2, 0.1]], CLASSES) == pytest.approx(0.7)
    assert len(metrics.reliability(["B"], [[0.7, 0.2, 0.1]], CLASSES)["n"]) == 1


def test_floor_is_what_perfect_probabilities_show() -> None:
    errors = [metrics.expected_calibration_error(*example(400, seed), CLASSES) for seed in range(100)]
    expected = [
        metrics.expected_calibration_error_if_calibrated(example(400, seed)[1].max(axis=1)) for seed in range(3)
    ]
    # The mean of 100 errors is known to about 1.5 %.
    assert np.mean(expected) == pytest.approx(np.mean(errors), rel=0.08)
    assert metrics.expected_calibration_error_if_calibrated(np.ones(50)) == 0


def test_reliability_equals_scikit_learn_and_scipy() -> None:
    y, proba = example(200)
    table = metrics.reliability(y, proba, CLASSES, n_bins=8)
    right = CLASSES[proba.argmax(axis=1)] == y
    accuracy, confidence = calibration_curve(right, proba.max(axis=1), n_bins=8, strategy="quantile")
    np.testing.assert_allclose(table["accuracy"], accuracy)
    np.testing.assert_allclose(table["confidence"], confidence)
    hits = np.rint(table["accuracy"] * table["n"]).astype(int)
    for i, (h, n) in enumerate(zip(hits, table["n"], strict=True)):
        interval = binomtest(int(h), int(n)).proportion_ci(0.95, method="wilson")
        assert (table["low"][i], table["high"][i]) == pytest.approx((interval.low, interval.high))
    error = np.sum(table["n"] * np.abs(table["accuracy"] - table["confidence"])) / 200
    assert metrics.expected_calibration_error(y, proba, CLASSES, n_bins=8) == pytest.approx(error)


def test_bad_input() -> None:
    y, proba = example(5)
    for call in (metrics.expected_calibration_error, metrics.reliability):
        with pytest.raises(InputError, match="n_bins"):
            call(y, proba, CLASSES, n_bins=0)
        with pytest.raises(InputError, match="rows that sum to 1"):
            call(y, proba / 2, CLASSES)
    with pytest.raises(InputError, match="level"):
        metrics.reliability(y, proba, CLASSES, level=1.0)
    for confidence in ([], [1.5], [np.nan], [[0.5]]):
        with pytest.raises(InputError, match="confidence"):
            metrics.expected_calibration_error_if_calibrated(confidence)
    with pytest.raises(InputError, match="n_simulations"):
        metrics.expected_calibration_error_if_calibrated([0.5], n_simulations=0)
