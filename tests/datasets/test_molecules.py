"""Drawing molecules: the right distribution, every molecule once, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.sparse import csr_matrix

from sc_annotate.datasets import _molecules
from sc_annotate.datasets._molecules import alias_table, draw_counts

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "p",
    [
        np.ones(7) / 7,
        np.array([1.0]),
        np.array([0.0, 1.0, 0.0]),
        np.array([0.97, 0.01, 0.01, 0.01]),
        np.array([0.4, 0.4, 0.05, 0.05, 0.05, 0.05]),
        np.array([0.26, 0.26, 0.25, 0.23, 0.0]),
        # Exactly average outcomes, and sums that tie, before and after rounding.
        np.array([0.25, 0.5, 0.0, 0.25]),
        np.array([4, 1, 3, 1, 1, 4, 0]) / 14,
        *(p / p.sum() for p in RNG.integers(0, 5, (100, 8)) + np.eye(8, dtype=int)[0]),
        *(RNG.dirichlet(np.full(200, a)) for a in (0.01, 0.3, 50.0)),
    ],
)
def test_alias_table_stands_for_the_distribution(p: np.ndarray) -> None:
    threshold, alias = alias_table(p)
    assert threshold.min() >= 0
    assert threshold.max() <= 1
    implied = threshold.copy()
    np.add.at(implied, alias, 1 - threshold)
    np.testing.assert_allclose(implied / p.size, p, atol=1e-14)


@pytest.mark.parametrize("block", [1, 500, 1 << 17])
def test_counts_follow_the_profiles(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(_molecules, "_BLOCK", block)
    profiles = RNG.dirichlet(np.full(30, 0.5), 3)
    which = RNG.integers(0, 3, 600)
    n = RNG.integers(0, 80, 600)
    X = draw_counts(profiles, [which], [n], dropout=0, rng=np.random.default_rng(4))
    assert isinstance(X, csr_matrix)
    assert X.dtype == np.float32
    assert X.indices.dtype == X.indptr.dtype == np.int32
    np.testing.assert_array_equal(X.sum(axis=1).A1 if hasattr(X.sum(axis=1), "A1") else X.sum(axis=1), n)
    for k in range(3):
        observed = np.asarray(X[which == k].sum(axis=0)).ravel()
        expected = profiles[k] * n[which == k].sum()
        common = expected > 5
        chi2 = ((observed - expected)[common] ** 2 / expected[common]).sum()
        assert stats.chi2.sf(chi2, common.sum()) > 1e-4
        assert (observed[expected == 0] == 0).all()


@pytest.mark.parametrize("block", [1, 100, 1 << 17])
def test_the_matrix_is_what_it_says_it_is(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(_molecules, "_BLOCK", block)
    n = np.array([0, 50, 0, 0, 3, 1000, 0])
    X = draw_counts(np.full((1, 20), 0.05), [np.zeros(7, dtype=int)], [n], dropout=0, rng=np.random.default_rng(1))
    # A matrix without our claims about its order finds the same.
    again = csr_matrix((X.data, X.indices, X.indptr), shape=X.shape)
    again.check_format(full_check=True)
    assert again.has_canonical_format
    assert X.data.size == X.indices.size == X.indptr[-1]
    assert X.data.min() > 0
    np.testing.assert_array_equal(X.toarray().sum(axis=1), n)


def test_a_second_source_adds_its_molecules() -> None:
    profiles = np.eye(3)
    first, second = np.array([0, 1, 2]), np.array([1, 1, 0])
    X = draw_counts(profiles, [first, second], [np.array([5, 5, 5]), np.array([2, 0, 9])], dropout=0, rng=RNG)
    np.testing.assert_array_equal(X.toarray(), [[5, 2, 0], [0, 5, 0], [9, 0, 5]])


def test_dropout_loses_whole_counts() -> None:
    args = (np.full((1, 50), 0.02), [np.zeros(400, dtype=int)], [np.full(400, 500)])
    full = draw_counts(*args, dropout=0, rng=np.random.default_rng(2))
    part = draw_counts(*args, dropout=0.3, rng=np.random.default_rng(2))
    # About 20,000 entries: the share that is left has a standard error of 0.003.
    assert part.nnz / full.nnz == pytest.approx(0.7, abs=0.02)
    assert part.data.mean() == pytest.approx(full.data.mean(), rel=0.02)
    assert draw_counts(*args, dropout=1, rng=np.random.default_rng(2)).nnz == 0
