"""Temperature against scikit-learn and a plain minimisation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from probabilities import simulate
from sc_annotate.errors import InputError
from sc_annotate.trust import Temperature


class Passing(ClassifierMixin, BaseEstimator):
    """Its features are the probabilities."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Passing:
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X.argmax(axis=1)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return X


@pytest.mark.parametrize("k", [2, 4])
def test_equals_scikit_learn(k: int) -> None:
    try:
        CalibratedClassifierCV(method="temperature")._validate_params()
    except ValueError:
        pytest.skip("this scikit-learn has no temperature scaling")
    proba, codes = simulate(500, k)
    # scikit-learn adds 2e-16 before the logarithm.
    proba = np.clip(proba, 1e-6, None)
    proba /= proba.sum(axis=1, keepdims=True)
    oracle = CalibratedClassifierCV(FrozenEstimator(Passing().fit(proba, codes)), method="temperature")
    expected = oracle.fit(proba, codes).predict_proba(proba)
    np.testing.assert_allclose(Temperature(prior=None).fit(proba, codes).transform(proba), expected, atol=2e-6)


@pytest.mark.parametrize("prior", [None, 1.0, 0.1])
def test_equals_a_plain_minimisation(prior: float | None) -> None:
    proba, codes = simulate(60)

    def loss(log_t: float) -> float:
        powered = proba ** np.exp(-log_t)
        penalty = 0 if prior is None else log_t**2 / (2 * prior**2)
        return penalty - np.log((powered / powered.sum(axis=1, keepdims=True))[np.arange(60), codes]).sum()

    expected = np.exp(minimize_scalar(loss, bracket=(-1, 1)).x)
    assert Temperature(prior=prior).fit(proba, codes).temperature_ == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_undoes_a_temperature(sharpness: float) -> None:
    assert Temperature().fit(*simulate(5000, sharpness=sharpness)).temperature_ == pytest.approx(sharpness, rel=0.06)


def test_extremes() -> None:
    """Zeros, ones, a single cell, nothing but right or wrong calls: finite, in bounds, and probabilities."""
    sure = np.array([[1.0, 0.0, 0.0]])
    for proba, codes in (
        (sure, [0]),
        (sure, [2]),
        (np.repeat(sure, 50, axis=0), [1] * 50),
        (np.repeat(sure, 50, axis=0), [0] * 50),
        (np.full((3, 3), 1 / 3), [0, 1, 1]),
    ):
        for prior in (1.0, None):
            model = Temperature(prior).fit(proba, np.array(codes))
            assert 0.05 <= model.temperature_ <= 100
            out = model.transform(np.vstack([proba, np.full((1, 3), 1 / 3)]))
            assert np.isfinite(out).all()
            np.testing.assert_allclose(out.sum(axis=1), 1, atol=1e-6)
    # A few right calls are no proof of certainty.
    few = np.array([[0.6, 0.4]] * 3)
    assert Temperature().fit(few, np.zeros(3, int)).transform(few)[0, 0] < 0.8
    assert Temperature(prior=None).fit(few, np.zeros(3, int)).transform(few)[0, 0] > 0.99


def test_tiny_probabilities_keep_their_order() -> None:
    """A linear model's 1e-20 says more than its 1e-9; exact zeros say no more than the smallest of all."""
    proba = np.array([[1.0, 1e-9, 1e-20], [1.0, 1e-20, 1e-9]] * 20)
    codes = np.array([0, 0] * 18 + [1, 2] * 2)
    out = Temperature().fit(proba, codes).transform(proba)
    assert out[0, 0] > out[0, 1] > out[0, 2]
    zeros = np.array([[0.5, 0.5, 0.0]] * 4)
    assert Temperature().fit(zeros, np.array([0, 1, 0, 2])).floor_ == 1e-7


def test_order_of_classes_stays_and_absent_classes_are_harmless() -> None:
    proba, codes = simulate(300)
    present = codes < 3
    model = Temperature().fit(proba[present], codes[present])
    out = model.transform(proba)
    np.testing.assert_array_equal(out.argmax(axis=1), proba.argmax(axis=1))
    assert out.dtype == np.float32
    assert model.transform(proba[:0]).shape == (0, 4)


def test_bad_prior() -> None:
    with pytest.raises(InputError, match="prior"):
        Temperature(prior=0).fit(*simulate(5))
