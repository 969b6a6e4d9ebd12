"""Deleting named genes against deleting random ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from sc_annotate.errors import InputError
from sc_annotate.metrics import deletion_curve

WEIGHTS = np.array([3.0, 2.0, 1.0, 0.0, 0.0, -1.0])


def model(X):
    """Two types; the log-odds are linear in the genes."""
    score = np.asarray(X @ WEIGHTS) - 2
    p = 1 / (1 + np.exp(-score))
    return np.column_stack([p, 1 - p])


def test_drop_is_what_deleting_by_hand_gives():
    rng = np.random.default_rng(0)
    X = rng.poisson(1.0, (30, 6)).astype(np.float32)
    codes = model(X).argmax(axis=1)
    ranked = rng.permuted(np.tile(np.arange(6), (30, 1)), axis=1)
    found = deletion_curve(model, X, ranked, codes, steps=[1, 3, 6], n_random=2)
    before = model(X)[np.arange(30), codes]
    np.testing.assert_allclose(found.before, before)
    for j, step in enumerate([1, 3, 6]):
        changed = X.copy()
        np.put_along_axis(changed, ranked[:, :step], 0, axis=1)
        np.testing.assert_allclose(found.drop[:, j], before - model(changed)[np.arange(30), codes], atol=1e-12)
    np.testing.assert_array_equal(found.n_expressed, (X > 0).sum(axis=1))


def test_random_drop_is_the_mean_over_expressed_genes():
    X = np.array([[1, 1, 1, 0, 0, 1]], dtype=np.float32)
    found = deletion_curve(model, X, [0, 1], [0], steps=[1], n_random=4000)
    each = [model(X)[0, 0] - model(np.where(np.arange(6) == j, 0, X))[0, 0] for j in (0, 1, 2, 5)]
    # The mean of 4,000 draws of one of four numbers.
    assert abs(found.random_drop[0, 0] - np.mean(each)) < 4 * np.std(each) / np.sqrt(4000)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 6))
def test_sparse_and_dense_agree_and_nothing_is_modified(seed, n, step):
    rng = np.random.default_rng(seed)
    X = rng.poisson(0.5, (n, 6)).astype(np.float32)
    sparse = csr_matrix(X)
    kept = sparse.copy()
    ranked = rng.permutation(6)
    codes = rng.integers(0, 2, n)
    a = deletion_curve(model, X, ranked, codes, steps=[step], rng=seed)
    b = deletion_curve(model, sparse, ranked, codes, steps=[step], rng=seed)
    np.testing.assert_allclose(a.drop, b.drop, atol=1e-12)
    np.testing.assert_allclose(a.random_drop, b.random_drop, atol=1e-12)
    assert (sparse != kept).nnz == 0
    # With all expressed genes gone, random and ranked end at the same empty cell.
    whole = deletion_curve(model, X, ranked, codes, steps=[6])
    np.testing.assert_allclose(whole.drop, whole.random_drop, atol=1e-12)


def test_no_gene_and_genes_named_twice():
    X = np.ones((2, 6), dtype=np.float32)
    ranked = np.array([[-1, 0], [0, 0]])
    found = deletion_curve(model, X, ranked, [0, 0], steps=[1, 2])
    assert found.drop[0, 0] == 0
    assert found.drop[0, 1] == found.drop[1, 0] == found.drop[1, 1] > 0


def test_same_rng_same_result():
    X = np.random.default_rng(0).poisson(1.0, (10, 6)).astype(np.float32)
    curves = [deletion_curve(model, X, [0, 1], [0] * 10, steps=[2], rng=seed).random_drop for seed in (1, 1, 2)]
    np.testing.assert_array_equal(curves[0], curves[1])
    assert not np.array_equal(curves[0], curves[2])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ranked": [0, 6]}, "X has 6 genes"),
        ({"ranked": [0.5, 1]}, "column numbers"),
        ({"ranked": np.zeros((3, 2), int)}, "column numbers"),
        ({"codes": [0]}, "one a cell"),
        ({"codes": [0, 2]}, "one column a type"),
        ({"steps": [2, 1]}, "ascending"),
        ({"steps": []}, "ascending"),
        ({"steps": [3]}, "Give smaller steps"),
        ({"n_random": 0}, "n_random"),
    ],
)
def test_bad_input(changed, message):
    arguments = {"ranked": [0, 1], "codes": [0, 0], "steps": [1]} | changed
    with pytest.raises(InputError, match=message):
        deletion_curve(model, np.ones((2, 6), dtype=np.float32), **arguments)


@pytest.mark.parametrize("rng", [None, "0", -1])
def test_a_seed_is_a_number(rng):
    with pytest.raises(InputError, match="rng must be a whole number"):
        deletion_curve(model, np.ones((1, 6)), [0], [0], steps=[1], rng=rng)


def test_the_highest_values_are_a_control_too():
    X = np.array([[1, 5, 2, 0, 0, 1], [3, 1, 0, 0, 0, 2]], dtype=np.float32)
    found = deletion_curve(model, X, [0, 1], [0, 0], steps=[1, 2])
    for i, order in enumerate([[1, 2], [0, 5]]):
        for step in (1, 2):
            changed = X[i : i + 1].copy()
            changed[0, order[:step]] = 0
            assert found.highest_drop[i, step - 1] == pytest.approx(found.before[i] - model(changed)[0, 0])


def test_difference_to_a_control_has_an_interval():
    rng = np.random.default_rng(0)
    X = rng.poisson(2.0, (200, 6)).astype(np.float32)
    found = deletion_curve(model, X, [0, 1], np.zeros(200, dtype=int), steps=[1, 2])
    gap = found.drop[:, 0] - found.highest_drop[:, 0]
    mean, low, high = found.difference("highest", step=1)
    assert mean == pytest.approx(gap.mean())
    half = 1.96 * gap.std() / np.sqrt(200)
    assert (mean - low, high - mean) == (pytest.approx(half, rel=0.2), pytest.approx(half, rel=0.2))
    assert found.difference()[0] == pytest.approx((found.drop - found.random_drop)[:, 1].mean())
    assert found.difference(rng=3) == found.difference(rng=3) != found.difference(rng=4)
    with pytest.raises(InputError, match="control must be"):
        found.difference("none")
    with pytest.raises(InputError, match="step must be 1 or 2, not 5"):
        found.difference(step=5)
    empty = deletion_curve(model, X[:0], [0, 1], np.zeros(0, dtype=int), steps=[1])
    assert np.isnan(empty.difference()).all()
