"""Isotonic calibration against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from probabilities import simulate
from sc_annotate.trust import Isotonic


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("decimals", [2, 9])
def test_equals_scikit_learn(k: int, decimals: int) -> None:
    proba, codes = simulate(300, k, decimals=decimals)
    new, _ = simulate(200, k, seed=1)
    expected = np.empty_like(new)
    for j in range(k):
        oracle = IsotonicRegression(out_of_bounds="clip").fit(proba[:, j], codes == j)
        # No surer than 300 cells can tell.
        oracle.f_.y = np.clip(oracle.f_.y, 1 / 302, 301 / 302)
        expected[:, j] = oracle.predict(new[:, j])
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Isotonic().fit(proba, codes).transform(new), expected, atol=1e-6)


def test_never_zero() -> None:
    proba = np.array([[0.9, 0.1]] * 5 + [[0.1, 0.9]] * 5)
    out = Isotonic().fit(proba, np.repeat([0, 1], 5)).transform(np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(out, [[11 / 12, 1 / 12]], atol=1e-6)
