"""The scores of marker lists, as arrays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from sc_annotate.annotators.marker_scores import fits_none, marker_scores, shares, standardise
from sc_annotate.errors import MethodError

pytest.importorskip("decoupler", minversion="2", reason="markers are scored by decoupler 2")


@pytest.fixture
def Z() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2_000, 400))


@pytest.fixture
def weights() -> np.ndarray:
    """400 genes x 3 lists of 20 genes; the last has markers against it."""
    w = np.zeros((400, 3))
    for j in range(3):
        w[20 * j : 20 * (j + 1), j] = 1
    w[60:70, 2] = -1
    return w


@pytest.mark.slow
@pytest.mark.parametrize("score", ["zscore", "ulm", "mlm"])
def test_standard_normal_where_lists_say_nothing(Z: np.ndarray, weights: np.ndarray, score: str) -> None:
    scores = marker_scores(Z, weights[:, :2], score)
    assert abs(scores.mean()) < 0.1
    assert scores.std() == pytest.approx(1, abs=0.1)
    share = (fits_none(scores[:, :1])).mean()
    assert share == pytest.approx(norm.cdf(1.644854), abs=0.02)


@pytest.mark.parametrize("score", ["zscore", "ulm", "mlm"])
def test_lists_that_are_there_win(Z: np.ndarray, weights: np.ndarray, score: str) -> None:
    Z = Z.copy()
    Z[:1000, 20:40] += 2
    Z[1000:, 60:70] += 3
    scores = marker_scores(Z, weights, score)
    assert (scores[:1000].argmax(axis=1) == 1).mean() > 0.99
    assert scores[1000:, 2].mean() < -2, "markers against a type lower it"
    p = shares(scores)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (p.argmax(axis=1) == scores.argmax(axis=1)).all()


def test_order_of_many_lists_is_kept(Z: np.ndarray) -> None:
    """decoupler sorts the names of lists as text, where 10 comes before 2."""
    weights = np.zeros((400, 30))
    for j in range(30):
        weights[10 * j : 10 * j + 10, j] = 1
    cells = Z[:30] + 5 * weights.T
    assert marker_scores(cells, weights).argmax(axis=1).tolist() == list(range(30))


def test_rows_without_variance_score_nothing(Z: np.ndarray, weights: np.ndarray) -> None:
    Z = Z[:5].copy()
    Z[2] = 0.5
    scores = marker_scores(Z, weights)
    assert (scores[2] == 0).all()
    np.testing.assert_allclose(scores[[0, 1, 3, 4]], marker_scores(Z[[0, 1, 3, 4]], weights))
    assert (marker_scores(Z[2:3], weights) == 0).all()


def test_lists_that_cannot_be_told_apart_are_refused_by_mlm(Z: np.ndarray) -> None:
    with pytest.raises(MethodError, match="zscore"):
        marker_scores(Z[:5, :20], np.eye(20)[:, :19] + 0.0, "mlm")


def test_standardise() -> None:
    out = standardise(np.array([[1.0, 2.0]], np.float32), np.array([0.5, 2.0]), np.array([0.2, 0.0]))
    np.testing.assert_allclose(out, [[1.0, 0.0]])
