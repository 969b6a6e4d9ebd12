"""LDA, nearest centroid and naive Bayes against scikit-learn or a plain transcription."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import softmax
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.naive_bayes import MultinomialNB

from sc_annotate.annotators import covariance as _covariance
from sc_annotate.annotators._moments import class_means, mean_and_sd, typical_sd, within_sd
from sc_annotate.annotators.lda import LDA
from sc_annotate.annotators.naive_bayes import NaiveBayes
from sc_annotate.annotators.nearest_centroid import NearestCentroid
from sc_annotate.errors import MatrixError, MethodError
from sc_annotate.testing import easy_task


@pytest.fixture(scope="module")
def task():
    """Without the genes that no training cell has: an oracle would divide by zero."""
    full = easy_task()
    seen = full.X.any(axis=0)
    return replace(full, X=full.X[:, seen], genes=full.genes[seen], test_X=full.test_X[:, seen])


def residuals(X, y):
    out = X.astype(np.float64)
    for label in np.unique(y):
        out[y == label] -= out[y == label].mean(axis=0)
    return out


def test_moments_against_numpy(task):
    codes = np.unique(task.y, return_inverse=True)[1]
    X64 = task.X.astype(np.float64)
    for X in (task.X, csr_matrix(task.X)):
        mean, sd = mean_and_sd(X)
        means = class_means(X, codes, 3)
        np.testing.assert_allclose(mean, X64.mean(axis=0))
        np.testing.assert_allclose(sd, X64.std(axis=0), rtol=1e-6)
        np.testing.assert_allclose(means, [X64[codes == k].mean(axis=0) for k in range(3)], rtol=1e-6)
        np.testing.assert_allclose(within_sd(X, codes, means), residuals(X64, task.y).std(axis=0), rtol=1e-6)


def test_lda_against_scikit_learn(task):
    codes = np.unique(task.y, return_inverse=True)[1]
    scale = 1 / typical_sd(task.X, codes, class_means(task.X, codes, 3))
    oracle = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3).fit(task.X * scale, task.y)
    model = LDA(shrinkage=0.3).fit(csr_matrix(task.X), task.y, genes=task.genes)
    np.testing.assert_allclose(model.predict_proba(task.test_X), oracle.predict_proba(task.test_X * scale), atol=1e-4)


@pytest.mark.parametrize("formed", [True, False])
def test_shrinkage_is_that_of_ledoit_and_wolf(task, formed, monkeypatch):
    if not formed:
        monkeypatch.setattr(_covariance, "_FORMED", 0)
    codes = np.unique(task.y, return_inverse=True)[1]
    means = class_means(task.X, codes, 3)
    within = _covariance.WithinCovariance(csr_matrix(task.X), codes, means, 0)
    inside = residuals(task.X, task.y)
    _, expected = ledoit_wolf(inside, assume_centered=True)
    # Where the matrix is not formed, random probes estimate its norm.
    assert within.ledoit_wolf() == pytest.approx(expected, rel=1e-5 if formed else 0.1)
    V = np.random.default_rng(0).normal(size=(len(task.genes), 2))
    np.testing.assert_allclose(within @ V, inside.T @ inside @ V / 150, rtol=1e-4, atol=1e-5)


def test_conjugate_gradients():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(30, 40))
    A = A @ A.T + np.eye(30)
    B = np.column_stack([rng.normal(size=30), np.zeros(30)])
    solved = _covariance.conjugate_gradients(lambda V: A @ V, B, tol=1e-10)
    np.testing.assert_allclose(solved, np.linalg.solve(A, B), atol=1e-8)


def test_nearest_centroid_is_the_softmax_of_distances(task):
    codes = np.unique(task.y, return_inverse=True)[1]
    means = class_means(task.X, codes, 3)
    sd = typical_sd(task.X, codes, means)
    model = NearestCentroid(shrink=0).fit(task.X, task.y, genes=task.genes)
    distance = (((task.test_X[:, None] - means) / sd) ** 2).sum(axis=2)
    expected = softmax(-0.5 * distance / np.sqrt(len(task.genes)), axis=1)
    np.testing.assert_allclose(model.predict_proba(task.test_X), expected, atol=1e-5)


def test_centroids_shrunk_away_leave_nothing(task):
    P = NearestCentroid(shrink=1e6).fit(task.X, task.y, genes=task.genes).predict_proba(task.test_X)
    np.testing.assert_allclose(P, 1 / 3, atol=1e-6)
    with pytest.raises(MethodError, match="shrink"):
        NearestCentroid(shrink=-1).fit(task.X, task.y, genes=task.genes)


def test_naive_bayes_against_scikit_learn(task):
    # As many cells of every type: then smoothing by the overall profile can be put in as further cells.
    rows = np.concatenate([np.flatnonzero(task.y == label)[:30] for label in np.unique(task.y)])
    X, y = task.X[rows].astype(np.float64), task.y[rows]
    expressed = X.sum(axis=0) > 0
    X = X[:, expressed]
    extra = np.repeat(0.1 * X.mean(axis=0)[None] * 30, 3, axis=0)
    oracle = MultinomialNB(alpha=1e-10, force_alpha=True, fit_prior=False)
    oracle.fit(np.vstack([X, extra]), np.concatenate([y, np.unique(y)]))
    model = NaiveBayes(evidence=1.0, priors="uniform")
    model.fit(X, y, genes=task.genes[expressed])
    test = task.test_X[:, expressed]
    np.testing.assert_allclose(model.predict_proba(test), oracle.predict_proba(test), atol=1e-4)
    tempered = NaiveBayes(evidence=0.1, priors="uniform").fit(X, y, genes=task.genes[expressed]).predict_proba(test)
    assert np.array_equal(tempered.argmax(axis=1), oracle.predict_proba(test).argmax(axis=1))
    with pytest.raises(MatrixError, match="negative"):
        model.fit(X - 1, y, genes=task.genes[expressed])


@pytest.mark.parametrize("shrinkage", [0, 1.5, "lw"])
def test_lda_refuses_other_shrinkage(task, shrinkage):
    with pytest.raises(MethodError, match="shrinkage"):
        LDA(shrinkage=shrinkage).fit(task.X, task.y, genes=task.genes)


@pytest.mark.parametrize("shrinkage", ["auto", 0.5, 1e-9])
@pytest.mark.parametrize("n_types", [2, 3])
def test_lda_learns_from_types_whose_cells_do_not_differ(shrinkage, n_types):
    profiles = np.random.default_rng(n_types).random((n_types, 40)).astype(np.float32) * 3
    y = np.repeat([f"type {k}" for k in range(n_types)], 7)
    genes = np.array([f"G{j}" for j in range(40)])
    model = LDA(shrinkage=shrinkage).fit(np.repeat(profiles, 7, axis=0), y, genes=genes)
    assert (model.classes_[model.predict_proba(profiles).argmax(axis=1)] == model.classes_).all()
