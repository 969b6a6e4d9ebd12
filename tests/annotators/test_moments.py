"""Means and spreads are those of the whole matrix, to the last bit, whatever its format and the size of the parts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

from sc_annotate.annotators import _moments


def simple(X, codes, means):
    """As written with the whole matrix at once."""
    squares = np.square(X, dtype=np.float64)
    spread = squares.mean(axis=0) - X.mean(axis=0, dtype=np.float64) ** 2
    within = squares.sum(axis=0) - np.bincount(codes) @ means**2
    return np.sqrt(np.maximum(spread, 0)), np.sqrt(np.maximum(within, 0) / len(codes))


@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, csr_matrix, csr_array])
@pytest.mark.parametrize("shape", [(1, 4), (40, 1), (60, 13), (5, 700)])
def test_parts_give_what_the_whole_gives(monkeypatch, kind, shape):
    rng = np.random.default_rng(0)
    dense = (rng.random(shape) * (rng.random(shape) < 0.4)).astype(np.float32)
    codes = np.arange(shape[0]) % min(3, shape[0])
    X = kind(dense)
    means = _moments.class_means(X, codes, codes.max() + 1)
    mean, sd = _moments.mean_and_sd(X)
    within = _moments.within_sd(X, codes, means)
    np.testing.assert_allclose(mean, dense.mean(axis=0, dtype=np.float64))
    expected = simple(dense, codes, means)
    np.testing.assert_allclose(sd, expected[0], atol=1e-6)
    np.testing.assert_allclose(within, expected[1], atol=1e-6)
    monkeypatch.setattr(_moments, "_VALUES", 50)
    for found, whole in zip(_moments.mean_and_sd(X), (mean, sd), strict=True):
        np.testing.assert_array_equal(found, whole)
    np.testing.assert_array_equal(_moments.within_sd(X, codes, means), within)


def test_the_matrix_is_not_copied():
    """The largest copy is of a part, 8 bytes a value."""
    import tracemalloc

    X = csr_array((np.ones(1_000_000, np.float32), (np.arange(1_000_000) // 1000, np.arange(1_000_000) % 1000)))
    for values in (X, np.ones((1000, 1000), np.float32)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_moments, "_VALUES", 50_000)
            tracemalloc.start()
            _moments.mean_and_sd(values)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 2_000_000
