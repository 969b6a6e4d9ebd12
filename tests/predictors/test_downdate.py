"""Eigenvectors after a rank-one downdate, against the dense way."""

from __future__ import annotations

import numpy as np
import pytest

from sc_annotate.predictors._double_ridge import GenePCA
from sc_annotate.predictors._downdate import downdated, thin_svd


def dense(values, z, k):
    found, vectors = np.linalg.eigh(np.diag(values) - np.outer(z, z))
    return found[::-1][:k], vectors[:, ::-1][:, :k]


def same(values, z, k, tolerance=1e-10):
    got, vectors = downdated(values, z, k)
    expected, reference = dense(values, z, k)
    expected, reference = expected[: len(got)], reference[:, : len(got)]
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * values[0])
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(len(got)), atol=1e-8)
    matrix = np.diag(values) - np.outer(z, z)
    np.testing.assert_allclose(matrix @ vectors, vectors * got, rtol=0, atol=tolerance * values[0])
    return got


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("k", [1, 4, 11])
def test_any_column_of_any_matrix(seed, k):
    rng = np.random.default_rng(seed)
    s = np.sort(10.0 ** rng.uniform(-2, 2, 12))[::-1]
    v = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    got = same(s**2, s * v[:, 3], k)
    assert len(got) == k


@pytest.mark.parametrize("zeros", [[0], [1], [0, 1], [3, 4], list(range(1, 8)), list(range(8))])
def test_entries_of_zero_leave_their_eigenvalues(zeros):
    values = np.array([9.0, 7.0, 4.0, 3.0, 2.0, 1.0, 0.5, 0.1])
    z = np.sqrt(values / 10)
    z[zeros] = 0
    got = same(values, z, 5)
    for i in zeros:
        assert np.abs(got - values[i]).min() < 1e-12 or i >= 5


@pytest.mark.parametrize("tiny", [1e-4, 1e-8, 1e-12, 1e-15, 1e-20])
def test_tiny_entries(tiny):
    values = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    for i in range(5):
        z = np.full(5, 0.3)
        z[i] = tiny
        same(values, z, 4)


def test_poles_that_meet():
    values = np.array([5.0, 5.0, 3.0, 3.0 - 1e-15, 1.0])
    same(values, np.full(5, 0.3), 4)


def test_a_whole_spectrum_loses_the_rank_that_the_column_had():
    s, v = np.array([3.0, 2.0, 1.0]), np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    got, vectors = downdated(s**2, s * v[0], 3)
    assert got.shape == (2,)
    assert vectors.shape == (3, 2)


@pytest.mark.parametrize("shape", [(50, 8), (8, 50), (9, 9)])
def test_thin_svd(shape):
    X = np.random.default_rng(0).normal(size=shape) @ np.diag(10.0 ** np.linspace(3, -3, shape[1]))
    for k in (None, 3):
        u, s, v = thin_svd(X, k)
        reference = np.linalg.svd(X, compute_uv=False)[: len(s)]
        np.testing.assert_allclose(s, reference, rtol=1e-9)
        np.testing.assert_allclose(u.T @ u, np.eye(len(s)), atol=1e-7)
        np.testing.assert_allclose(X @ v, u * s, atol=1e-9 * s[0])


def test_profiles_without_any_spread_have_no_components():
    from sc_annotate.predictors import Screen

    flat = Screen(["a", "b"], [1.0, 1.0], [[2.0, 2.0], [3.0, 3.0]], [("a",), ("b",)])
    pca = GenePCA.of(flat)
    assert pca.basis.shape == (2, 0)
    assert pca.without(0, 3).shape == (0, 0)
