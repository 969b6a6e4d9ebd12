"""The annotator in CellTypist's form: its formula, the clip, genes that are not there, and calls that saturate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.special import expit

from sc_annotate._core import registry
from sc_annotate.annotators.celltypist import CellTypist, shared_out
from sc_annotate.errors import LabelError, MethodError
from sc_annotate.testing import easy_task


def make(k: int = 4, n: int = 30, seed: int = 0, size: float = 1.0, joint: bool = False) -> CellTypist:
    """A model of random numbers."""
    generator = np.random.default_rng(seed)
    arrays = {
        "weights": generator.normal(size=(1 if k == 2 else k, n)) * size,
        "offset": generator.normal(size=1 if k == 2 else k),
        "mean": generator.gamma(0.5, size=n),
        "scale": generator.gamma(2.0, size=n) / 20,
    }
    return CellTypist().given(np.array([f"T{i}" for i in range(k)]), **arrays, joint=joint)


def cells(n: int = 50, genes: int = 30, seed: int = 1) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return np.log1p(generator.poisson(0.7, size=(n, genes)) * 3).astype(np.float32)


def by_definition(model: CellTypist, X: np.ndarray, present: np.ndarray | None = None) -> np.ndarray:
    """What CellTypist does, line by line, on the genes that are present."""
    keep = np.arange(X.shape[1]) if present is None else present
    scaled = (X[:, keep].astype(np.float64) - model.mean_[keep]) / model.scale_[keep]
    scaled[scaled > 10] = 10
    return scaled @ model.weights_[:, keep].T + model.offset_


@pytest.mark.parametrize("k", [2, 3, 6])
@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
def test_scores_are_the_definition(k: int, form) -> None:
    model, X = make(k), cells()
    odds = by_definition(model, X)
    clipped = (X - model.mean_) / model.scale_ > 10
    assert 0.05 < clipped.mean() < 0.9, "the clip has to matter for this test"
    np.testing.assert_allclose(model.log_odds(form(X)), odds, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(model.scores(form(X)), expit(odds), atol=1e-9)
    assert np.array_equal(model.predict_proba(form(X)).argmax(axis=1), odds.argmax(axis=1))
    if k == 2:
        np.testing.assert_allclose(model.scores(X).sum(axis=1), 1)


def test_genes_at_the_mean_drop_out_to_the_last_digit() -> None:
    """The fill of a missing gene is the float32 of its mean, and large weights must not see the rounding."""
    model, X = make(size=1e4), cells()
    present = np.arange(0, 30, 3)
    missing = np.setdiff1d(np.arange(30), present)
    X[:, missing] = model.mean_[missing].astype(np.float32)
    for form in (np.asarray, csr_matrix):
        np.testing.assert_allclose(model.log_odds(form(X)), by_definition(model, X, present), rtol=1e-9, atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 1e4), st.sampled_from([2, 3, 12]))
def test_the_call_is_the_largest_log_odds(seed: int, size: float, k: int) -> None:
    model, X = make(k, seed=seed, size=size), cells(seed=seed + 1)
    P, odds = model.predict_proba(X), model.log_odds(X)
    assert np.array_equal(P.argmax(axis=1), odds.argmax(axis=1))
    assert P.dtype == np.float32
    np.testing.assert_allclose(P.sum(axis=1), 1, atol=1e-6)
    assert (P >= 0).all()
    assert (P <= 1).all()


def test_calls_that_saturate_are_told_apart() -> None:
    """Sigmoids of 50 and of 60 are both 1, those of -800 and -900 both 0, in float64 too."""
    arrays = {"weights": np.eye(3), "offset": np.zeros(3), "mean": np.zeros(3), "scale": np.ones(3)}
    arrays["offset"] = np.array([50.0, 60.0, 55.0])
    saturated = CellTypist().given(np.array(["a", "b", "c"]), **arrays)
    P = saturated.predict_proba(np.zeros((1, 3), np.float32))
    assert P.argmax() == 1
    np.testing.assert_allclose(P, 1 / 3, atol=1e-6)
    arrays["offset"] = np.array([-900.0, -800.0, -1e6])
    nothing = CellTypist().given(np.array(["a", "b", "c"]), **arrays)
    P = nothing.predict_proba(np.zeros((1, 3), np.float32))
    assert P.argmax() == 1
    np.testing.assert_allclose(P, 1 / 3, atol=1e-6)


def test_scores_that_sum_to_less_than_one_stay_low() -> None:
    scores = np.array([[0.9, 0.9, 0.0], [0.5, 0.2, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    expected = np.array([[0.5, 0.5, 0.0], [0.6, 0.3, 0.1], [1 / 3] * 3, [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(shared_out(scores), expected)


@pytest.mark.parametrize("k", [2, 4])
def test_joint_scores_are_a_softmax(k: int) -> None:
    model, X = make(k, joint=True), cells()
    odds = by_definition(model, X)
    expected = np.exp(odds - odds.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-6)
    arrays, meta = model.to_arrays()
    again = CellTypist.from_arrays(arrays, meta, model.classes_)
    assert again.joint
    assert not CellTypist.joint
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


def test_coefficients_on_plain_values_are_right_below_the_clip() -> None:
    model, X = make(), cells() * 0.1
    assert ((X - model.mean_) / model.scale_).max() < 10
    coef, intercept = model.coefficients()
    np.testing.assert_allclose(X @ coef.T + intercept, model.log_odds(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
def test_evidence_stops_at_the_clip(form) -> None:
    """A gene far above its clip pushes as much as one at it."""
    model, X = make(), cells()
    high = X.copy()
    above = (X - model.mean_) / model.scale_ > 10
    high[above] += 3
    codes = np.zeros(len(X), dtype=int)
    near, far = (model.gene_evidence(form(x), codes) for x in (X, high))
    near, far = (e.toarray() if hasattr(e, "toarray") else e for e in (near, far))
    assert above.any()
    np.testing.assert_allclose(near, far, rtol=1e-3, atol=1e-3)


def test_fit_is_one_against_the_rest() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    task = easy_task()
    model = CellTypist().fit(csr_matrix(task.X), task.y, genes=task.genes)
    scaler = StandardScaler().fit(task.X)
    X, new = (np.minimum(scaler.transform(x), 10) for x in (task.X, task.test_X))
    expected = np.column_stack(
        [LogisticRegression(max_iter=1000).fit(X, task.y == name).decision_function(new) for name in model.classes_]
    )
    np.testing.assert_allclose(model.log_odds(task.test_X), expected, atol=0.02)


def test_the_registry_knows_it() -> None:
    assert registry.load(registry.get("annotation", "celltypist")) is CellTypist
    with pytest.raises(MethodError, match="C must be a positive number"):
        CellTypist(C=0).fit(cells(), ["a", "b"] * 25, genes=np.arange(30).astype(str))
    with pytest.raises(LabelError, match="only 'a'"):
        CellTypist().fit(cells(), ["a"] * 50, genes=np.arange(30).astype(str))
