from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from sc_annotate.annotators._pca import fit_pca, project
from sc_annotate.annotators.knn import KNN, choose_landmarks
from sc_annotate.testing import easy_task


@pytest.mark.parametrize("shape", [(150, 60), (300, 120)])  # the exact and the iterative path
@pytest.mark.parametrize("sparse", [False, True])
def test_components_against_scikit_learn(shape, sparse):
    rng = np.random.default_rng(0)
    X = (rng.poisson(1.0, size=shape) * np.linspace(1, 5, shape[1])).astype(np.float32)
    X[: shape[0] // 2, :20] += rng.gamma(1.0, 3.0, size=20)
    loadings, shift = fit_pca(csr_array(X) if sparse else X, 5, 0)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    oracle = PCA(5, svd_solver="full").fit_transform(Z.astype(np.float64))
    ours = project(X, loadings, shift)
    np.testing.assert_allclose(ours * np.sign((ours * oracle).sum(axis=0)), oracle, atol=2e-3)
    assert np.array_equal(fit_pca(X, 5, 0)[0], fit_pca(X, 5, 0)[0])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_votes_against_a_plain_loop(metric):
    task = easy_task()
    model = KNN(n_neighbors=10, n_components=8, metric=metric).fit(task.X, task.y, genes=task.genes)
    place = project(task.test_X, model.loadings_, model.shift_).astype(np.float64)
    if metric == "cosine":
        place /= np.linalg.norm(place, axis=1, keepdims=True)
    distance, index = NearestNeighbors(n_neighbors=11).fit(model.landmarks_).kneighbors(place)
    types, counts = np.unique(task.y, return_counts=True)
    expected = np.zeros((len(place), 3))
    for i in range(len(place)):
        votes = np.zeros(3)
        for d, j in zip(distance[i], index[i], strict=True):
            k = np.searchsorted(types, task.y[j])
            votes[k] += (1 - d / distance[i, -1]) / np.sqrt(counts[k])
        expected[i] = (10 * votes / votes.sum() + counts / 150) / 11
    np.testing.assert_allclose(model.predict_proba(task.test_X), expected, atol=1e-4)


def test_landmarks_spare_rare_types():
    codes = np.repeat([0, 1, 2], [100, 40, 5])
    kept = choose_landmarks(codes, 35, 0)
    assert np.bincount(codes[kept]).tolist() == [15, 15, 5]
    assert np.array_equal(kept, np.sort(kept))
    assert choose_landmarks(codes, 145, 0).tolist() == list(range(145))


def test_thinned_types_keep_their_weight():
    task = easy_task()
    model = KNN(max_landmarks=90, class_weight=None).fit(task.X, task.y, genes=task.genes)
    assert model.landmarks_.shape[0] == 90
    np.testing.assert_allclose(model.vote_ * np.bincount(model.codes_), np.unique(task.y, return_counts=True)[1])
    assert (model.classes_[model.predict_proba(task.test_X).argmax(axis=1)] == task.test_y).mean() > 0.9


def test_cells_all_at_one_place():
    X = np.ones((6, 3), np.float32)
    model = KNN().fit(X, np.array(["a", "a", "a", "a", "b", "b"]), genes=np.array(["x", "y", "z"]))
    P = model.predict_proba(X)
    assert np.isfinite(P).all()
    assert (P.argmax(axis=1) == 0).all()
