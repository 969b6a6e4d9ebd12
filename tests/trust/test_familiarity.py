"""Distances to the reference, against plain computations."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA

from sc_annotate.errors import InputError
from sc_annotate.trust import Familiarity


def cells(n: int = 240, p: int = 40, k: int = 3, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    centers = rng.normal(0, 1.5, (k, p))
    codes = np.arange(n) % k
    X = np.maximum(centers[codes] + rng.normal(0, 1, (n, p)) * np.linspace(0.3, 2, p), 0).astype(np.float32)
    X[:, 5] = 1.0  # a constant gene
    return X, codes


@pytest.mark.parametrize("n", [240, 30])
def test_mahalanobis_by_the_book(n: int) -> None:
    """Scaled PCA by scikit-learn, distance by scipy; more cells than genes, and fewer."""
    X, codes = cells(n=n)
    model = Familiarity(n_components=8).fit(X, codes)
    sd = X.std(axis=0, dtype=np.float64)
    scaled = (X - X.mean(axis=0, dtype=np.float64)) * np.where(sd > 1e-6, 1 / np.maximum(sd, 1e-6), 0)
    pcs = PCA(8, svd_solver="full").fit_transform(scaled)
    means = np.stack([pcs[codes == i].mean(axis=0) for i in range(3)])
    inverse = np.linalg.inv(ledoit_wolf(pcs - means[codes], assume_centered=True)[0])
    want = [min(mahalanobis(row, m, inverse) for m in means) for row in pcs]
    np.testing.assert_allclose(model.measures(X)["mahalanobis"], want, rtol=5e-3)


def test_residual_is_what_the_components_leave() -> None:
    """Ranks of cells with equally many detected genes follow scikit-learn's reconstruction error."""
    X, codes = cells()
    X = X + 1  # all genes detected in all cells, so that the correction for their number is one constant
    model = Familiarity(n_components=8).fit(X, codes)
    sd = X.std(axis=0, dtype=np.float64)
    scaled = (X - X.mean(axis=0, dtype=np.float64)) * np.where(sd > 1e-6, 1 / np.maximum(sd, 1e-6), 0)
    pca = PCA(8, svd_solver="full").fit(scaled)
    error = ((scaled - pca.inverse_transform(pca.transform(scaled))) ** 2).sum(axis=1)
    got = model.measures(X)["residual"]
    np.testing.assert_allclose(got - got.mean(), np.log(error) - np.log(error).mean(), atol=5e-3)


@pytest.mark.once
@pytest.mark.slow
def test_p_values_of_known_cells_keep_their_level() -> None:
    p = []
    for seed in range(12):
        X, codes = cells(n=500, seed=seed)
        known = Familiarity().fit(X[:400], codes[:400], rng=seed)
        p.append(known.p_values(known.score(X[400:])))
    p = np.concatenate(p)
    # 1,200 cells: a standard error of 0.006 and 0.012, and some more between references.
    assert abs((p < 0.05).mean() - 0.05) < 0.02
    assert abs((p < 0.2).mean() - 0.2) < 0.05


def test_another_type_is_far() -> None:
    X, codes = cells(n=600, k=4)
    known = Familiarity().fit(X[codes < 3], codes[codes < 3])
    p = known.p_values(known.score(X[codes == 3]))
    assert (p < 0.05).mean() > 0.9


def test_line_agrees_with_the_p_values() -> None:
    X, codes = cells()
    known = Familiarity().fit(X, codes)
    reference = known.reference(480)
    scores = np.concatenate([reference, reference + np.float32(1e-4)])
    for level in (0.01, 0.05, 0.1, 0.37):
        np.testing.assert_array_equal(known.p_values(scores) < level, scores > known.threshold(level, scores.size))
    assert known.threshold(0.001, 480) == np.inf


def test_sparse_equals_dense_and_nothing_is_changed() -> None:
    X, codes = cells()
    before = X.copy()
    a, b = Familiarity().fit(X, codes), Familiarity().fit(sparse.csr_matrix(X), codes)
    dense, csr = a.measures(X), b.measures(sparse.csr_matrix(X))
    for name in dense:
        np.testing.assert_allclose(dense[name], csr[name], atol=2e-3, err_msg=name)
    np.testing.assert_array_equal(X, before)
    again = Familiarity().fit(X, codes)
    np.testing.assert_array_equal(a.reference(240), again.reference(240))
    np.testing.assert_array_equal(a.score(X), again.score(X))


def test_stored_and_rebuilt() -> None:
    X, codes = cells()
    model = Familiarity(n_neighbors=4).fit(X, codes)
    arrays, meta = model.to_arrays()
    back = Familiarity.from_arrays(arrays, json.loads(json.dumps(meta)))
    np.testing.assert_array_equal(back.score(X), model.score(X))
    for name in ("reference_0", "tail_mahalanobis", "align_shared_within_48"):
        with pytest.raises(InputError, match="Fit again"):
            Familiarity.from_arrays({k: v for k, v in arrays.items() if k != name}, meta)
    with pytest.raises(InputError, match="Fit again"):
        Familiarity.from_arrays(arrays | {"reference_48": arrays["reference_48"][::-1].copy()}, meta)


def test_small_and_odd_references() -> None:
    X, codes = cells(n=9)
    known = Familiarity().fit(X, codes)
    assert np.isfinite(known.score(np.vstack([X, np.zeros((1, 40), np.float32)]))).all()
    few = Familiarity().fit(X[:6, :2], np.array([0, 0, 0, 0, 1, 1]))
    assert np.isfinite(few.score(X[:, :2])).all()
    with pytest.raises(InputError, match="four or more"):
        Familiarity().fit(X[:3], codes[:3])


def test_whole_batches_are_held_out() -> None:
    X, codes = cells(n=600)
    batch = np.repeat(["a", "b", "c"], 200)
    shifted = X + 1.5 * (batch == "c")[:, None].astype(np.float32)
    within, between = Familiarity().fit(shifted, codes), Familiarity().fit(shifted, codes, batch=batch)
    new = X[:200] + 1.0
    assert (between.p_values(between.score(new)) < 0.05).mean() <= (within.p_values(within.score(new)) < 0.05).mean()


def test_stored_zeros_are_no_detected_genes() -> None:
    X, codes = cells()
    full = sparse.csr_matrix(np.ones_like(X))
    full.data = X.ravel().copy()
    model = Familiarity(n_components=10).fit(X, codes)
    np.testing.assert_array_equal(model.score(full), model.score(sparse.csr_matrix(X)))
    assert full.nnz == X.size
