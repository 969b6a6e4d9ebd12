from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight

import sc_annotate as sca
from sc_annotate._core.softmax_regression import Loss, Solver, softmax_regression
from sc_annotate.annotators._linear import normalise, two_columns
from sc_annotate.annotators._moments import class_weights
from sc_annotate.annotators.logreg import LogReg
from sc_annotate.errors import MethodError, ScAnnotateWarning
from sc_annotate.testing import easy_task


@pytest.mark.parametrize("weight", ["balanced", None])
@pytest.mark.parametrize("sparse", [False, True])
def test_folded_coefficients_give_what_a_scaled_model_gives(weight, sparse):
    task = easy_task()
    X = csr_matrix(task.X) if sparse else task.X
    model = LogReg(C=0.1, class_weight=weight, tol=1e-8).fit(X, task.y, genes=task.genes)
    scaler = StandardScaler().fit(task.X)
    oracle = LogisticRegression(C=0.1, class_weight=weight, tol=1e-8, max_iter=5000)
    oracle.fit(scaler.transform(task.X), task.y)
    expected = oracle.predict_proba(scaler.transform(task.test_X))
    np.testing.assert_allclose(model.predict_proba(task.test_X), expected, atol=2e-3)


def test_two_types_are_as_in_scikit_learn():
    task = easy_task()
    keep = task.y != np.unique(task.y)[2]
    X, y = task.X[keep], task.y[keep]
    model = LogReg(C=0.1, class_weight=None, tol=1e-8).fit(X, y, genes=task.genes)
    scaler = StandardScaler().fit(X)
    oracle = LogisticRegression(C=0.1, tol=1e-8, max_iter=5000).fit(scaler.transform(X), y)
    assert model.coef_.shape == (2, 60)
    np.testing.assert_allclose(model.predict_proba(X), oracle.predict_proba(scaler.transform(X)), atol=2e-3)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_the_optimum_is_that_of_scikit_learn(form, class_weight):
    task = easy_task()
    rng = np.random.default_rng(0)
    # Types of unequal size, and a gene that never varies.
    keep = np.flatnonzero((np.arange(len(task.y)) % 5 == 0) | (task.y != task.y[0]))
    X = np.hstack([task.X[keep], np.full((len(keep), 1), 2, np.float32)])
    genes = np.append(task.genes, "constant")
    X[:, :5] *= rng.integers(0, 2, size=(len(keep), 5))
    model = LogReg(C=0.05, class_weight=class_weight, tol=1e-7).fit(form(X), task.y[keep], genes=genes)
    weights = class_weight and compute_class_weight(class_weight, classes=model.classes_, y=task.y[keep])
    if weights is not None:
        sizes = np.array([(task.y[keep] == c).sum() for c in model.classes_])
        weights = dict(zip(model.classes_, weights * len(keep) / (weights @ sizes), strict=True))
    scaler = StandardScaler().fit(X.astype(np.float64))
    oracle = LogisticRegression(C=0.05, class_weight=weights, tol=1e-9, max_iter=9000)
    oracle.fit(scaler.transform(X), task.y[keep])
    np.testing.assert_allclose(model.predict_proba(X), oracle.predict_proba(scaler.transform(X)), atol=1e-4)
    assert not model.coef_[:, -1].any()


def test_threads_change_no_bit():
    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(9000, 20)), rng.integers(0, 3, 9000)
    found = []
    for n in (1, 3):
        with sca.settings.override(n_threads=n):
            found.append(softmax_regression(X, codes, 3, Loss(1.0)))
    assert (found[0].coef == found[1].coef).all()
    # Where one model ends, another needs no steps.
    again = softmax_regression(X, codes, 3, Loss(1.0), solver=Solver(start=found[0]))
    assert again.n_iter <= 1


def many_weak_genes(n, p=300, k=4):
    """Every gene says a little, in another way in each batch."""
    rng = np.random.default_rng(1)
    y, batch = rng.integers(0, k, n), rng.integers(0, 4, n)
    shift = np.random.default_rng(2).normal(0, 0.12, (k, p))
    X = shift[y] + 0.1 * np.random.default_rng(3).normal(size=(4, k, p))[batch, y] + rng.normal(size=(n, p))
    return X.astype(np.float32), y.astype(str), batch.astype(str)


@pytest.mark.slow
def test_penalty_is_chosen_where_there_are_enough_cells():
    X, y, batch = many_weak_genes(16_000)
    genes = np.arange(X.shape[1]).astype(str)
    few = LogReg().fit(X[:5000], y[:5000], genes=genes)
    assert few.C_ == 0.2
    train, test = batch != "3", batch == "3"
    model = LogReg().fit(X[train][:8000], y[train][:8000], genes=genes, batch=batch[train][:8000])
    assert model.C_ < 0.2
    usual = LogReg(C=0.2).fit(X[train][:8000], y[train][:8000], genes=genes)
    right = [(m.classes_[m.predict_proba(X[test]).argmax(axis=1)] == y[test]).mean() for m in (model, usual)]
    assert right[0] > right[1]
    arrays, meta = model.to_arrays()
    assert LogReg.from_arrays(arrays, meta, model.classes_).C_ == model.C_


@pytest.mark.slow
def test_penalty_of_a_large_reference_with_a_single_cell_of_a_type():
    X, y, _ = many_weak_genes(6000)
    y[0] = "rare"
    y[1:] = np.where(y[1:] == "0", "0", "1")
    model = LogReg().fit(X, y, genes=np.arange(X.shape[1]).astype(str))
    assert model.classes_.tolist() == ["0", "1", "rare"]


def test_too_few_steps_is_our_warning():
    task = easy_task()
    with pytest.warns(ScAnnotateWarning, match="max_iter=2"):
        LogReg(max_iter=2).fit(task.X, task.y, genes=task.genes)


@pytest.mark.parametrize("params", [{"C": 0}, {"C": "1"}, {"class_weight": "equal"}, {"max_iter": -1}])
def test_wrong_parameters_are_refused(params):
    task = easy_task()
    with pytest.raises(MethodError, match=next(iter(params))):
        LogReg(**params).fit(task.X, task.y, genes=task.genes)


@pytest.mark.parametrize(("how", "power"), [("balanced", -1.0), ("sqrt", -0.5)])
def test_class_weights(how, power):
    codes = np.repeat([0, 1, 2], [16, 4, 1])
    weights = class_weights(codes, how)
    assert weights is not None
    each = np.array([weights[c] for c in codes])
    assert each.mean() == pytest.approx(1)
    assert weights[2] / weights[0] == pytest.approx(16**-power)
    assert class_weights(codes, None) is None


def test_two_columns_and_normalise():
    coef, intercept = two_columns(np.array([[1.0, -2.0]]), np.array([0.5]), link="softmax")
    assert coef.tolist() == [[0, 0], [1, -2]]
    assert intercept.tolist() == [0, 0.5]
    assert two_columns(coef, intercept, link="softmax")[0] is coef
    assert two_columns(np.array([[1.0]]), np.array([0.5]), link="sigmoid")[1].tolist() == [-0.5, 0.5]
    assert normalise(np.array([[1.0, 3.0], [0.0, 0.0]])).tolist() == [[0.25, 0.75], [0.5, 0.5]]
