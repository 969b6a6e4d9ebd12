"""`logreg_pca` against a plain transcription, and what cells without a label do to it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn.linear_model import LogisticRegression

from sc_annotate.annotators.linear_svm import LinearSVM
from sc_annotate.annotators.logreg import LogReg
from sc_annotate.annotators.logreg_pca import LogRegPCA
from sc_annotate.errors import GeneError, InputError, MatrixError, MethodError
from sc_annotate.testing import easy_task

TASK = easy_task()


def fit(X=TASK.X, y=TASK.y, unlabelled=None, **params):
    more = {} if unlabelled is None else {"unlabelled": unlabelled}
    return LogRegPCA(**params).fit(X, y, genes=TASK.genes, **more)


def transcription(X, y, test, unlabelled=None, *, n_components, sd_floor, clip, C):
    """The same with full matrices, a full decomposition and scikit-learn."""
    cells = np.asarray(X, dtype=float) if unlabelled is None else np.vstack([X, unlabelled]).astype(float)
    mean, sd = cells.mean(axis=0), cells.std(axis=0)
    unit = np.where(sd > 0, np.maximum(sd, sd_floor), 1)
    most = mean + clip * unit
    kept = np.minimum(cells, most)
    scaled = np.where(sd > 0, (kept - kept.mean(axis=0)) / unit, 0)
    vt = np.linalg.svd(scaled, full_matrices=False)[2][: min(n_components, len(cells) - 1)]
    spread = np.sqrt(np.mean((scaled @ vt.T) ** 2))
    new = np.where(sd > 0, (np.minimum(test, most) - kept.mean(axis=0)) / unit, 0)
    sizes = dict(zip(*np.unique(y, return_counts=True), strict=True))
    weight = np.array([1 / sizes[label] for label in y])
    model = LogisticRegression(C=C, max_iter=10_000, tol=1e-10)
    model.fit(scaled[: len(y)] @ vt.T / spread, y, sample_weight=weight / weight.mean())
    return model.predict_proba(new @ vt.T / spread)


@pytest.mark.parametrize("types", [2, 3])
@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    "params",
    [
        {"n_components": 10, "sd_floor": 0.1, "clip": 8.0, "C": 0.2},
        {"n_components": 5, "sd_floor": 2.5, "clip": 0.5, "C": 3.0},
        {"n_components": 59, "sd_floor": 0.0, "clip": 100.0, "C": 0.2},
    ],
)
def test_equals_a_plain_transcription(types: int, beside: bool, params):
    known = np.isin(TASK.y, np.unique(TASK.y)[:types])
    few = np.flatnonzero(known)[::3]
    X, y, rest = TASK.X[few], TASK.y[few], (np.delete(TASK.X, few, axis=0) if beside else None)
    expected = transcription(X, y, TASK.test_X, rest, **params)
    found = fit(X, y, rest, tol=1e-8, **params).predict_proba(TASK.test_X)
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_with_all_components_and_no_clip_it_is_logreg_of_the_same_penalty():
    # Of genes with a variance of 1, as many components have the same in the mean.
    own = fit(n_components=60, clip=1e6, sd_floor=0.0, C=0.2, tol=1e-8)
    other = LogReg(C=0.2, tol=1e-8).fit(TASK.X, TASK.y, genes=TASK.genes)
    np.testing.assert_allclose(own.predict_proba(TASK.test_X), other.predict_proba(TASK.test_X), atol=2e-3)


def test_cells_without_a_label_change_the_components_and_help():
    few = np.concatenate([np.flatnonzero(TASK.y == name)[:2] for name in np.unique(TASK.y)])
    rest = np.delete(TASK.X, few, axis=0)
    alone, beside = fit(TASK.X[few], TASK.y[few]), fit(TASK.X[few], TASK.y[few], rest)
    assert not np.allclose(alone.coef_, beside.coef_)
    right = [
        float((m.classes_[m.predict_proba(TASK.test_X).argmax(axis=1)] == TASK.test_y).mean()) for m in (alone, beside)
    ]
    assert right[1] >= right[0]
    assert beside.classes_.tolist() == np.unique(TASK.y).tolist()


def test_their_order_and_kind_do_not_matter():
    rest = TASK.test_X
    first = fit(unlabelled=rest).predict_proba(rest)
    for other in (rest[::-1], csr_matrix(rest), csr_array(rest), rest.astype(np.float64)):
        np.testing.assert_allclose(fit(unlabelled=other).predict_proba(rest), first, atol=1e-4)
    sparse = fit(X=csr_matrix(TASK.X), unlabelled=rest)
    np.testing.assert_allclose(sparse.predict_proba(rest), first, atol=1e-4)


def test_sparse_and_dense_give_the_same_model_to_the_last_bit():
    X = np.where(TASK.X > np.quantile(TASK.X, 0.7), TASK.X, 0).astype(np.float32)
    dense, sparse = fit(X=X), fit(X=csr_matrix(X))
    assert np.array_equal(dense.coef_, sparse.coef_)
    assert np.array_equal(dense.limits_, sparse.limits_)


def test_read_back_it_is_the_same():
    model = fit(unlabelled=TASK.test_X)
    arrays, meta = model.to_arrays()
    again = LogRegPCA.from_arrays(arrays, json.loads(json.dumps(meta)), model.classes_)
    assert np.array_equal(again.predict_proba(TASK.test_X), model.predict_proba(TASK.test_X))
    assert (again.params(), again.C_) == (model.params(), 0.2)
    with pytest.raises(ValueError, match="limits"):
        LogRegPCA.from_arrays(arrays | {"limits": -arrays["limits"] - 1}, meta, model.classes_)


def test_values_above_the_limit_count_no_more():
    model = fit(clip=1.0)
    X = TASK.test_X[:5]
    at_limit = np.minimum(X, model.limits())
    assert (X > model.limits()).any()
    assert np.array_equal(model.predict_proba(X), model.predict_proba(at_limit))
    codes = np.zeros(5, dtype=int)
    assert np.array_equal(model.gene_evidence(X, codes), model.gene_evidence(at_limit, codes))


def test_evidence_is_the_slope_through_the_components_times_the_value():
    two = np.isin(TASK.y, np.unique(TASK.y)[:2])
    model = fit(TASK.X[two], TASK.y[two])
    X = TASK.test_X[:4]
    found = model.gene_evidence(X, np.ones(4, dtype=int))
    score = model.decision(X)
    for gene in (0, 9, 30):
        without = X.copy()
        without[:, gene] = 0
        lost = (score[:, 1] - score[:, 0]) - np.subtract(*model.decision(without).T[::-1])
        np.testing.assert_allclose(found[:, gene], lost, atol=1e-3)


def test_a_cell_does_not_depend_on_its_block():
    model = fit()
    alone = np.concatenate([model.predict_proba(TASK.test_X[i : i + 1]) for i in range(len(TASK.test_X))])
    np.testing.assert_allclose(alone, model.predict_proba(TASK.test_X), atol=1e-5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, "n_components must be a whole number from 1"),
        ({"n_components": 2.5}, "n_components must be a whole number from 1"),
        ({"sd_floor": -0.1}, "sd_floor must be a finite number from 0, not -0.1"),
        ({"sd_floor": "small"}, "sd_floor must be a finite number from 0"),
        ({"clip": np.inf}, "clip must be finite"),
        ({"sd_floor": np.inf}, "sd_floor must be a finite number from 0"),
        ({"clip": 0}, "clip must be a positive number"),
        ({"C": -1}, "C must be a positive number"),
        ({"tol": 0}, "tol must be a positive number"),
        ({"max_iter": 0}, "max_iter must be a whole number from 1"),
        ({"class_weight": "none"}, "class_weight must be one of"),
    ],
)
def test_wrong_hyperparameters_are_refused_by_name(params, message: str):
    with pytest.raises(MethodError, match=message):
        fit(**params)


def test_wrong_cells_without_a_label_are_refused():
    with pytest.raises(GeneError, match="59 columns"):
        fit(unlabelled=TASK.test_X[:, 1:])
    with pytest.raises(MatrixError, match="NaN"):
        fit(unlabelled=np.full((1, 60), np.nan))
    with pytest.raises(InputError, match="unlabelled_batch has 1 entries and unlabelled has 60 cells"):
        LogRegPCA().fit(TASK.X, TASK.y, genes=TASK.genes, unlabelled=TASK.test_X, unlabelled_batch=np.array(["one"]))


@pytest.mark.parametrize("value", [-1, True, None, np.nan])
def test_the_floor_of_logreg_is_checked(value):
    with pytest.raises(MethodError, match="LogReg: sd_floor must be a finite number from 0"):
        LogReg(sd_floor=value).fit(TASK.X, TASK.y, genes=TASK.genes)


def test_the_floor_of_logreg():
    plain, zero, floored = (LogReg(sd_floor=floor).fit(TASK.X, TASK.y, genes=TASK.genes) for floor in (0.2, 0.0, 1.5))
    assert np.array_equal(plain.coef_, zero.coef_), "no gene is below the default"
    # Genes above the floor are scaled alike, those below it get smaller coefficients.
    low = TASK.X.std(axis=0) < 0.5
    assert low.any()
    assert np.abs(floored.coef_[:, low]).sum() < np.abs(plain.coef_[:, low]).sum()


@pytest.mark.parametrize("method", [LogReg, LinearSVM])
def test_by_default_genes_of_few_cells_count_for_less(method):
    X = TASK.X.copy()
    X[:, 0] = 0
    X[np.flatnonzero(TASK.y == TASK.y[0])[:2], 0] = 0.5
    small, free = (method(**params).fit(X, TASK.y, genes=TASK.genes) for params in ({}, {"sd_floor": 0.0}))
    assert X[:, 0].std() < 0.2
    assert 0 < np.abs(small.coef_[:, 0]).max() < 0.5 * np.abs(free.coef_[:, 0]).max()


def test_gene_that_only_new_cells_have_counts_for_nothing():
    X = np.hstack([TASK.X, np.zeros((len(TASK.X), 1), np.float32)])
    genes = np.append(TASK.genes, "new")
    for model in (LogReg(sd_floor=0.1), LogRegPCA()):
        model.fit(X, TASK.y, genes=genes)
        assert not model.coef_[:, -1].any()
