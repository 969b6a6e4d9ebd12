"""Intervals from errors of models that had not seen what they predicted."""

from __future__ import annotations

import numpy as np
import pytest

from sc_annotate.errors import InputError
from sc_annotate.evaluation import cv_coverage, cv_plus, error_quantile


def by_the_book(R: np.ndarray, at: np.ndarray, P: np.ndarray, coverage: float) -> tuple[float, float]:
    """Barber et al. 2021, equation for CV+: order statistics of prediction minus and plus residual."""
    n, alpha = len(R), 1 - coverage
    low = sorted(P[at[i]] - R[i] for i in range(n))
    high = sorted(P[at[i]] + R[i] for i in range(n))
    first, last = int(np.floor(alpha * (n + 1) + 1e-9)), int(np.ceil((1 - alpha) * (n + 1) - 1e-9))
    return (low[first - 1], high[last - 1]) if first >= 1 and last <= n else (-np.inf, np.inf)


@pytest.mark.parametrize("n", [3, 8, 9, 10, 19, 40])
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_as_the_paper_says(n: int, coverage: float) -> None:
    rng = np.random.default_rng(n)
    R, at, P = rng.exponential(size=(n, 7)), rng.integers(0, 4, n), rng.normal(size=(4, 7))
    lower, upper = cv_plus(R, at, P, coverage)
    for g in range(7):
        assert (lower[g], upper[g]) == by_the_book(R[:, g], at, P[:, g], coverage)


def test_one_model_makes_it_symmetric() -> None:
    R = np.random.default_rng(0).exponential(size=(30, 5))
    lower, upper = cv_plus(R, np.zeros(30, int), np.ones((1, 5)), 0.9)
    np.testing.assert_allclose(upper - 1, error_quantile(R, 0.9))
    np.testing.assert_allclose(1 - lower, error_quantile(R, 0.9))
    assert np.isinf(error_quantile(R[:8], 0.9)).all()


def test_covers_what_it_should() -> None:
    """The mean as a predictor of normal draws: exchangeable, so the coverage is what was asked."""
    rng = np.random.default_rng(1)
    held = []
    for _ in range(200):
        y = rng.normal(size=(21, 20))
        leave = np.stack([np.delete(y[:20], i, axis=0).mean(axis=0) for i in range(20)])
        lower, upper = cv_plus(np.abs(y[:20] - leave), np.arange(20), leave, 0.9)
        held.append((lower <= y[20]) & (y[20] <= upper))
    assert np.mean(held) == pytest.approx(0.9, abs=0.02)


def test_measured_coverage_sees_narrow_errors_of_others() -> None:
    errors = np.ones((20, 10))
    errors[::2] = 3
    fold = np.arange(20) % 2  # one fold has only large errors, the other only small ones
    found = cv_coverage(errors, fold, 0.9)
    assert (found[::2] == 0).all()
    assert (found[1::2] == 1).all()
    assert np.isnan(cv_coverage(np.ones((6, 3)), np.arange(6) % 2, 0.9)).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"coverage": 1.0},
        {"coverage": 0},
        {"fold": np.array([0, 1, 9])},
        {"fold": np.array([0])},
        {"predictions": np.zeros((2, 4))},
        {"residuals": np.zeros(3)},
    ],
)
def test_bad_input(wrong: dict[str, object]) -> None:
    given = {
        "residuals": np.ones((3, 2)),
        "fold": np.array([0, 1, 1]),
        "predictions": np.zeros((2, 2)),
        "coverage": 0.9,
    }
    with pytest.raises(InputError):
        cv_plus(**{**given, **wrong})  # type: ignore[arg-type]
