"""The single parts of familiarity against scikit-learn and plain computations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors

from sc_annotate.trust import Familiarity
from sc_annotate.trust._scales import fit_tail, tail
from sc_annotate.trust._space import Space, choose_landmarks


def cells(n: int = 300, p: int = 60, k: int = 3, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % k
    X = np.maximum(rng.normal(0, 1.5, (k, p))[codes] + rng.normal(0, 1, (n, p)), 0)
    return X.astype(np.float32), codes


def space(X: Any, codes: Any, **kwargs: Any) -> Space:
    return Space.fit(X, codes, **{"n_components": 10, "n_neighbors": 7, "max_landmarks": 100, "rng": 0} | kwargs)


def test_landmarks_are_neighbours_by_scikit_learn() -> None:
    X, codes = cells()
    here = space(X, codes)
    place = here.components.place(X) @ here.within
    near = NearestNeighbors(n_neighbors=7).fit(here.landmarks)
    want = near.kneighbors(place)[0].mean(axis=1)
    np.testing.assert_allclose(here.measure(here.see(X), ["landmark"])["landmark"], want, atol=5e-3)


def test_landmarks_keep_rare_types() -> None:
    codes = np.repeat([0, 1, 2], [500, 480, 5])
    kept = choose_landmarks(codes, 50, np.random.default_rng(0))
    assert np.bincount(codes[kept]).tolist() in ([22, 23, 5], [23, 22, 5])
    assert (np.diff(kept) > 0).all()
    assert choose_landmarks(codes, 2000, np.random.default_rng(0)).size == 985


def test_relative_is_a_difference_of_two_distances() -> None:
    X, codes = cells()
    here = space(X, codes)
    parts, place = here.measure(here.see(X), ["mahalanobis", "relative"]), here.components.place(X).astype(np.float64)
    inverse = np.linalg.inv(ledoit_wolf(place, assume_centered=True)[0])
    want = parts["mahalanobis"] ** 2 - np.einsum("ij,jk,ik->i", place, inverse, place)
    np.testing.assert_allclose(parts["relative"], want, atol=2e-2)


def test_energy_is_that_of_a_logistic_regression() -> None:
    X, codes = cells()
    here = space(X, codes)
    place = here.components.place(X).astype(np.float64)
    Z = place / np.sqrt(np.square(place).mean(axis=0))
    oracle = LogisticRegression(C=0.1, tol=1e-8, max_iter=5000).fit(Z, codes)
    want = -np.log(np.exp(oracle.decision_function(Z)).sum(axis=1))
    np.testing.assert_allclose(here.measure(here.see(X), ["energy"])["energy"], want, atol=1e-2)


def test_tail_is_minus_log_of_the_share_beyond() -> None:
    values = np.random.default_rng(0).exponential(2.0, 5000)
    fitted = fit_tail(values)
    at = np.quantile(values, [0.1, 0.5, 0.9, 0.94])
    np.testing.assert_allclose(tail(at, fitted), -np.log([0.9, 0.5, 0.1, 0.06]), atol=0.02)
    # An exponential goes on as it began: far out, a step of 2 is a step of 1 in the log.
    far = tail(np.array([20.0, 22.0, 40.0]), fitted)
    np.testing.assert_allclose(np.diff(far), [1, 9], rtol=0.15)
    assert (np.diff(tail(np.sort(values), fitted)) >= 0).all()
    assert tail(np.array([-5.0]), fitted)[0] == 0


def test_tail_of_a_constant_and_of_ties() -> None:
    np.testing.assert_array_equal(tail(np.array([1.0, 2.0, 9.0]), fit_tail(np.full(30, 2.0))), 0)
    tied = fit_tail(np.repeat([0.0, 1.0], [900, 100]))
    assert tail(np.array([0.0]), tied)[0] == 0
    assert tail(np.array([1.0]), tied)[0] == pytest.approx(-np.log(0.1), abs=0.1)


def test_components_are_fewer_where_there_is_less() -> None:
    X, codes = cells(n=8, p=5)
    here = space(X, codes)
    assert here.components.loadings.shape[1] <= 5
    # All directions are taken, so nothing is left over.
    assert here.measure(here.see(X), ["residual"]) == {}
    rank_two = np.outer(np.arange(20), np.ones(6)) + np.outer(np.arange(20) % 3, np.arange(6))
    assert space(rank_two.astype(np.float32), np.arange(20) % 2).components.loadings.shape[1] == 2


def test_an_embedding_has_no_residual() -> None:
    X, codes = cells(p=12)
    model = Familiarity().fit(X, codes)
    assert set(model.parts(X)) == {"mahalanobis", "relative", "energy", "shared_within"}
    far = X[codes == 0] + 20
    assert (model.p_values(model.score(far)) < 0.02).all()


def test_large_references_are_sampled_and_rare_types_kept() -> None:
    X, codes = cells(n=1200)
    codes = np.where(np.arange(1200) < 6, 3, codes)
    model = Familiarity(n_components=10, max_cells=200).fit(X, codes)
    assert model.reference(1200).size <= 200
    assert len(model.space_.means) == 4
    p = model.p_values(model.score(X))
    assert abs((p < 0.1).mean() - 0.1) < 0.06


def test_p_values_by_hand() -> None:
    X, codes = cells()
    model = Familiarity().fit(X, codes)
    reference = model.reference(4)
    scores = np.concatenate([reference[[0, 150, 299]], [np.float32(99)]])
    want = [(1 + (reference >= s).sum()) / 301 for s in scores]
    np.testing.assert_allclose(model.p_values(scores), want, rtol=1e-12)
