"""What passes over blocks of cells leave, against the whole matrix, scikit-learn and float64."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from sc_annotate._core import registry
from sc_annotate._core.registry import capabilities_of
from sc_annotate.annotators import _moments
from sc_annotate.annotators import covariance as _covariance
from sc_annotate.annotators import statistics as _statistics
from sc_annotate.annotators.covariance import Distances, components_from_statistics, within_covariance
from sc_annotate.annotators.lda import LDA
from sc_annotate.annotators.naive_bayes import NaiveBayes
from sc_annotate.annotators.nearest_centroid import NearestCentroid
from sc_annotate.annotators.statistics import Statistics, class_means, mean_and_sd, typical_sd
from sc_annotate.errors import GeneError, InputError, LabelError, MatrixError
from sc_annotate.testing import easy_task

FORMS = {"dense": np.asarray, "csr": csr_matrix}
ARRAYS = ("n", "sums", "nonzero", "squares", "negative", "gram")


@pytest.fixture(scope="module")
def task():
    return easy_task()


@pytest.fixture(scope="module")
def codes(task):
    return np.unique(task.y, return_inverse=True)[1]


def same(a, b, rtol=1e-10):
    for name in ARRAYS:
        left, right = getattr(a, name), getattr(b, name)
        # What cancels is as good as the terms were.
        atol = 0 if right.dtype.kind == "i" else rtol * np.abs(right).max(initial=1)
        np.testing.assert_allclose(left, right, rtol=rtol, atol=atol)


def learn(make, X, codes, classes, blocks):
    """Fit from blocks of rows."""
    model = make()
    statistics = Statistics.empty(len(classes), X.shape[1], gram=isinstance(model, LDA))
    for rows in blocks:
        statistics.update(X[rows], codes[rows])
    more = {}
    if isinstance(model, LDA) and model.shrinkage == "auto":
        more["distances"] = Distances.around(statistics)
        for rows in blocks:
            more["distances"].update(X[rows], codes[rows])
    return model.fit_statistics(statistics, classes=classes, **more)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("values", [1, 100, 10**6])
def test_against_float64(task, codes, form, values, monkeypatch):
    monkeypatch.setattr(_statistics, "_VALUES", values)
    columns = [7, 3, 50]
    found = Statistics.of(FORMS[form](task.X), codes, 3, gram=columns)
    X = task.X.astype(np.float64)
    expected = Statistics(
        n=np.bincount(codes),
        sums=np.array([X[codes == k].sum(axis=0) for k in range(3)]),
        nonzero=np.array([(X[codes == k] != 0).sum(axis=0) for k in range(3)]),
        squares=(X**2).sum(axis=0),
        negative=np.zeros(60, int),
        gram_genes=np.array(columns),
        gram=X[:, columns].T @ X[:, columns],
    )
    same(found, expected, 1e-12)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 150), max_size=12), st.integers(0, 2**31), st.booleans())
def test_any_blocks_in_any_order(cuts, seed, dense):
    task = easy_task()
    codes = np.unique(task.y, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    X = task.X if dense else csr_matrix(task.X)
    blocks = np.split(rng.permutation(150), np.sort(cuts).astype(int))  # some of them empty
    rng.shuffle(blocks)
    parts = [Statistics.of(X[rows], codes[rows], 3, gram=True) for rows in blocks]
    whole = Statistics.of(X, codes, 3, gram=True)
    same(reduce(lambda a, b: a + b, parts), whole)
    others = np.concatenate([np.array([], int), *blocks[1:]])
    same(whole - parts[0], Statistics.of(X[others], codes[others], 3, gram=True))


def test_a_difference_leaves_no_rounding(task, codes):
    X = task.X.copy()
    X[:, 0], X[:40, 0] = 0, np.linspace(0.1, 9, 40)
    whole, fold = (Statistics.of(X[:n], codes[:n], 3, gram=True) for n in (150, 40))
    noisy = whole.sums - fold.sums
    rest = whole - fold
    assert not rest.sums[:, 0].any()
    assert rest.squares[0] == 0
    assert not rest.gram[0].any()
    assert not rest.gram[:, 0].any()
    assert np.abs(noisy[:, 0]).max() < 1e-12
    with pytest.raises(InputError, match="include"):
        fold - whole


def test_adding_leaves_the_terms_alone(task, codes):
    first, second = (Statistics.of(task.X[r], codes[r], 3, gram=True) for r in (slice(0, 50), slice(50, 150)))
    before = {name: getattr(first, name).copy() for name in ARRAYS}
    same(first + second, Statistics.of(task.X, codes, 3, gram=True))
    assert all(np.array_equal(getattr(first, name), before[name]) for name in ARRAYS)
    assert first.merge(second) is first


def test_parts_of_threads(task, codes):
    X = csr_matrix(task.X)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda a: Statistics.of(X[a : a + 9], codes[a : a + 9], 3, gram=True), range(0, 150, 9)))
    same(reduce(Statistics.merge, parts), Statistics.of(X, codes, 3, gram=True))


def test_selected_genes(task, codes):
    whole = Statistics.of(task.X, codes, 3, gram=True)
    columns = np.array([9, 2, 30])
    same(whole.select(columns), Statistics.of(task.X[:, columns], codes, 3, gram=True))
    some = Statistics.of(task.X, codes, 3, gram=[30, 9, 2, 5])
    same(some.select(columns), whole.select(columns))
    assert some.select([1, 2]).gram is None
    # Nothing is shared: an update of the selection must not reach the whole.
    whole.select(columns).update(task.X[:, columns], codes)
    assert whole.n.sum() == 150


def test_moments_are_those_of_the_matrix(task, codes):
    whole = Statistics.of(csr_matrix(task.X), codes, 3, gram=True)
    means = _moments.class_means(task.X, codes, 3)
    np.testing.assert_allclose(class_means(whole), means, rtol=1e-10)
    for found, expected in zip(mean_and_sd(whole), _moments.mean_and_sd(task.X), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(typical_sd(whole), _moments.typical_sd(task.X, codes, means), rtol=1e-9)
    inside = task.X - means[codes]
    np.testing.assert_allclose(within_covariance(whole, np.full(60, 2.0)), 4 * inside.T @ inside / 150, atol=1e-10)


def test_a_constant_gene_does_not_vary(codes):
    X = np.random.default_rng(0).random((150, 4), dtype=np.float32)
    X[:, 1], X[:, 2] = 3.3, 0
    sd = mean_and_sd(Statistics.of(X, codes, 3) - Statistics.of(X[:50], codes[:50], 3))[1]
    assert (sd == 0).tolist() == [False, True, True, False]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("make", [LDA, lambda: LDA(shrinkage=0.3, priors="uniform"), NearestCentroid, NaiveBayes])
@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_blocks_give_the_model_of_the_whole(task, codes, form, make, size):
    X = FORMS[form](task.X)
    order = np.random.default_rng(size).permutation(150)
    blocks = [np.array([], int), *(order[a : a + size] for a in range(0, 150, size))]
    classes = np.unique(task.y)
    model = learn(make, X, codes, classes, blocks)
    whole = make().fit(X, task.y, genes=task.genes)
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-5, atol=1e-7 * np.abs(whole.coef_).max())
    np.testing.assert_allclose(model.intercept_, whole.intercept_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict_proba(task.test_X), whole.predict_proba(task.test_X), atol=1e-6)
    assert model.classes_.tolist() == whole.classes_.tolist()


@pytest.mark.parametrize("make", [LDA, NearestCentroid, NaiveBayes])
def test_folds_by_subtraction(task, codes, make):
    """Also where a class, and a gene, are in the fold alone."""
    X, y = task.X.copy(), codes.copy()
    y[:20] = 3
    X[:, 5], X[:20, 5] = 0, 4
    X, classes = csr_matrix(X), np.array(["a", "b", "c", "gone"])
    whole = Statistics.of(X, y, 4, gram=True)
    rest = whole - Statistics.of(X[:20], y[:20], 4, gram=True)
    more = {"distances": Distances.around(rest).update(X[20:], y[20:])} if make is LDA else {}
    model = make().fit_statistics(rest, classes=classes, **more)
    expected = make().fit(X[20:], classes[y[20:]], genes=task.genes)
    assert model.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-7 * np.abs(expected.coef_).max())
    np.testing.assert_allclose(model.predict_proba(task.test_X), expected.predict_proba(task.test_X), atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shrinkage", [0.3, "auto"])
def test_lda_of_more_genes_than_a_covariance_is_made_of(task, form, shrinkage, monkeypatch):
    X = FORMS[form](task.X)
    formed = LDA(shrinkage=shrinkage).fit(X, task.y, genes=task.genes).predict_proba(task.test_X)
    monkeypatch.setattr(_covariance, "_FORMED", 59)
    applied = LDA(shrinkage=shrinkage).fit(X, task.y, genes=task.genes).predict_proba(task.test_X)
    # Random probes estimate the shrinkage.
    np.testing.assert_allclose(applied, formed, atol=1e-5 if shrinkage == 0.3 else 0.02)


def test_lda_from_blocks_against_scikit_learn(task, codes):
    keep = task.X.any(axis=0)
    X, cells = task.X[:, keep], task.test_X[:, keep]
    model = learn(lambda: LDA(shrinkage=0.3), csr_matrix(X), codes, np.unique(task.y), [slice(0, 60), slice(60, 150)])
    scale = 1 / typical_sd(Statistics.of(X, codes, 3))
    oracle = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3).fit(X * scale, task.y)
    np.testing.assert_allclose(model.predict_proba(cells), oracle.predict_proba(cells * scale), atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_distances(task, codes, form):
    X = FORMS[form](task.X)
    statistics = Statistics.of(X, codes, 3)
    parts = [Distances.around(statistics).update(X[a : a + 40], codes[a : a + 40]) for a in range(0, 160, 40)]
    found = reduce(Distances.merge, parts)
    means, scale = class_means(statistics), 1 / np.maximum(typical_sd(statistics), 1e-300)
    scale[typical_sd(statistics) == 0] = 0
    square = (((task.X - means[codes]) * scale) ** 2).sum(axis=1)
    assert (found.n, found.second, found.fourth) == (
        150,
        pytest.approx(square.sum(), rel=1e-12),
        pytest.approx((square**2).sum(), rel=1e-12),
    )
    with pytest.raises(InputError, match="different means"):
        found.merge(replace(found, scale=2 * found.scale))
    with pytest.raises(InputError, match="60 genes"):
        found.update(task.X[:, 1:], codes)


@pytest.mark.parametrize("k", [1, 5, 59, 1000])
def test_components_against_scikit_learn(task, codes, k):
    keep = task.X.any(axis=0)
    X = task.X[:, keep].astype(np.float64)
    halves = (
        Statistics.of(csr_matrix(task.X[r][:, keep]), codes[r], 3, gram=True) for r in (slice(70), slice(70, 150))
    )
    found = components_from_statistics(next(halves) + next(halves), k)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    oracle = PCA(min(k, X.shape[1]), svd_solver="full").fit(scaled)
    signs = np.sign((found.loadings * oracle.components_.T).sum(axis=0))
    np.testing.assert_allclose(found.loadings * signs, oracle.components_.T, atol=1e-6)
    np.testing.assert_allclose(found.variances, oracle.explained_variance_, rtol=1e-6)
    np.testing.assert_allclose(found.mean, X.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(found.sd, X.std(axis=0), rtol=1e-6)
    largest = np.abs(found.loadings).argmax(axis=0)
    assert (found.loadings[largest, np.arange(len(largest))] > 0).all()


def test_components_where_cells_are_few_and_genes_silent(task, codes):
    X = np.hstack([task.X[:5], np.zeros((5, 1), np.float32)])
    found = components_from_statistics(Statistics.of(X, codes[:5], 3, gram=True), 10)
    assert found.loadings.shape == (61, 4)
    assert np.isfinite(found.loadings).all()
    np.testing.assert_allclose(found.loadings[-1], 0, atol=1e-12)
    with pytest.raises(InputError, match="two cells"):
        components_from_statistics(Statistics.of(X[:1], codes[:1], 3, gram=True), 10)


def test_what_does_not_fit_is_refused(task, codes):
    empty = Statistics.empty(3, 60)
    with pytest.raises(GeneError, match="59 columns"):
        empty.update(task.X[:, 1:], codes)
    for wrong in (codes[1:], codes[:, None]):
        with pytest.raises(LabelError, match="150 cells"):
            empty.update(task.X, wrong)
    for wrong in (codes - 1, codes + 1, codes.astype(float)):
        with pytest.raises(LabelError, match="from 0 to 2"):
            empty.update(task.X, wrong)
    with pytest.raises(GeneError, match="gram"):
        Statistics.empty(3, 60, gram=[60])
    for other in (Statistics.empty(3, 59), Statistics.empty(2, 60), Statistics.empty(3, 60, gram=True)):
        with pytest.raises(InputError, match="do not combine"):
            empty + other
    with pytest.raises(InputError, match="do not combine"):
        Statistics.empty(3, 60, gram=[1]) - Statistics.empty(3, 60, gram=[2])


def test_fits_refuse_what_fit_refuses(task, codes):
    classes = np.unique(task.y)
    good = Statistics.of(task.X, codes, 3, gram=True)
    nan = Statistics.of(np.where(task.X > 5, np.nan, task.X), codes, 3)
    with pytest.raises(MatrixError, match="NaN"):
        NearestCentroid().fit_statistics(nan, classes=classes)
    with pytest.raises(MatrixError, match="negative"):
        NaiveBayes().fit_statistics(Statistics.of(csr_matrix(task.X - 1), codes, 3), classes=classes)
    for n, found in ((0, "none"), (1, "only")):
        with pytest.raises(LabelError, match=found):
            NaiveBayes().fit_statistics(Statistics.of(task.X[:n], codes[:n], 3), classes=classes)
    with pytest.raises(LabelError, match="3 classes"):
        NaiveBayes().fit_statistics(good, classes=classes[1:])
    with pytest.raises(GeneError, match="no genes"):
        NearestCentroid().fit_statistics(good.select([]), classes=classes)
    with pytest.raises(InputError, match="Gram"):
        LDA().fit_statistics(Statistics.of(task.X, codes, 3), classes=classes)
    for distances in (None, Distances.around(good)):
        with pytest.raises(InputError, match="second pass"):
            LDA().fit_statistics(good, classes=classes, distances=distances)


def test_methods_that_stream_say_so():
    methods = (m for m in registry.table("annotation").values() if m.source == "sc_annotate" and m.extra is None)
    streaming = {m.name for m in methods if capabilities_of(registry.load(m)).streams}
    assert streaming == {"lda", "nearest_centroid", "naive_bayes"}
    assert all(hasattr(cls, "fit_statistics") for cls in (LDA, NearestCentroid, NaiveBayes))
    assert "streams" not in LDA().params()
