"""What each gene pushes: slopes of linear models, and genes deleted one by one for all others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix, issparse

from sc_annotate._core import registry
from sc_annotate.annotators.occlusion import log_odds, occlusion
from sc_annotate.annotators.stored_coefficients import stored_coefficients
from sc_annotate.errors import InputError, MethodError
from sc_annotate.testing import easy_task

LINEAR = ["logreg", "linear_svm", "lda", "nearest_centroid", "naive_bayes"]


def fitted(method):
    task = easy_task()
    cls = registry.load(registry.get("annotation", method))
    return cls().fit(task.X, task.y, genes=task.genes), task.test_X


def exact_log_odds(model, X, codes):
    """In float64 from the scores, which probabilities in float32 cannot give."""
    coef, intercept = model.coefficients()
    score = np.asarray(X, np.float64) @ np.asarray(coef, np.float64).T + intercept
    p = np.exp(score - score.max(axis=1, keepdims=True)) if model.link == "softmax" else 1 / (1 + np.exp(-score))
    rows = np.arange(len(codes))
    own = p[rows, codes].copy()
    p[rows, codes] = 0
    return np.log(own) - np.log(p.sum(axis=1))


@pytest.mark.parametrize("method", LINEAR)
def test_evidence_is_the_slope_of_the_log_odds_times_the_value(method):
    model, X = fitted(method)
    X = X[:25].astype(np.float64)
    codes = np.random.default_rng(0).integers(0, len(model.classes_), len(X))
    found = model.gene_evidence(X.astype(np.float32), codes)
    assert found.shape == X.shape
    assert found.dtype == np.float32
    assert (found[X == 0] == 0).all()
    step = 1e-5
    for j in range(0, X.shape[1], 7):
        up, down = X.copy(), X.copy()
        up[:, j] *= 1 + step
        down[:, j] *= 1 - step
        slope = (exact_log_odds(model, up, codes) - exact_log_odds(model, down, codes)) / (2 * step)
        np.testing.assert_allclose(found[:, j], slope, rtol=1e-3, atol=1e-4 * np.abs(found).max())


@pytest.mark.parametrize("method", LINEAR)
def test_sparse_and_dense_agree(method):
    model, X = fitted(method)
    codes = model.predict_proba(X).argmax(axis=1)
    dense, sparse = model.gene_evidence(X, codes), model.gene_evidence(csr_matrix(X), codes)
    assert issparse(sparse)
    np.testing.assert_allclose(sparse.toarray(), dense, rtol=1e-4, atol=1e-6)
    assert model.gene_evidence(X[:0], codes[:0]).shape == (0, X.shape[1])
    assert model.gene_evidence(csr_matrix(X)[:0], codes[:0]).shape == (0, X.shape[1])


def test_it_does_not_fade_where_the_call_is_certain():
    """The slope of the log probability would be 0 there, and rank rounding errors."""
    model = stored_coefficients([[50.0, 0.0], [0.0, 50.0]], [0, 0], ["B", "T"], link="softmax")
    X = np.array([[3, 1]], dtype=np.float32)
    assert model.predict_proba(X)[0, 0] == 1
    np.testing.assert_allclose(model.gene_evidence(X, [0]), [[150, -50]])


def test_two_types_deleting_is_exact():
    model = stored_coefficients([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]], [0.1, 0], ["B", "T"], link="softmax")
    X = np.array([[2, 1, 0], [0, 0.5, 3]], dtype=np.float32)
    codes = np.array([0, 1])
    np.testing.assert_allclose(
        occlusion(model.predict_proba, X, codes).toarray(), model.gene_evidence(X, codes), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("link", ["softmax", "sigmoid"])
def test_kept_coefficients_say_the_same(link):
    model, X = fitted("logreg" if link == "softmax" else "linear_svm")
    again = stored_coefficients(*model.coefficients(), model.classes_, link=link)
    np.testing.assert_allclose(again.predict_proba(X), model.predict_proba(X), atol=1e-5)
    codes = model.predict_proba(X).argmax(axis=1)
    np.testing.assert_allclose(again.gene_evidence(X, codes), model.gene_evidence(X, codes), rtol=1e-3, atol=1e-5)
    with pytest.raises(MethodError, match="cannot be fitted"):
        again.fit(X, codes.astype(str), genes=np.arange(X.shape[1]).astype(str))


def test_occlusion_of_any_model():
    model, X = fitted("knn")
    X = X[:8]
    codes = model.predict_proba(X).argmax(axis=1)
    found = occlusion(model.predict_proba, X, codes, block_size=100)
    before = log_odds(model.predict_proba(X)[np.arange(8), codes])
    for i in (0, 5):
        for j in np.flatnonzero(X[i])[:5]:
            changed = X[i : i + 1].copy()
            changed[0, j] = 0
            after = log_odds(model.predict_proba(changed)[0, codes[i]])
            assert found[i, j] == pytest.approx(before[i] - after, abs=1e-4)
    among = np.arange(X.shape[1]) < 10
    some = occlusion(model.predict_proba, csr_matrix(X), codes, among=among).toarray()
    np.testing.assert_allclose(some[:, :10], found.toarray()[:, :10], atol=1e-4)
    assert (some[:, 10:] == 0).all()


@pytest.mark.parametrize("codes", [[0], [0, 9], [0.0, 1.0], [-1, 0]])
def test_codes_that_do_not_fit(codes):
    model, X = fitted("nearest_centroid")
    with pytest.raises(InputError, match="codes must"):
        model.gene_evidence(X[:2], codes)
