from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sc_annotate.annotators._linear import normalise, two_columns
from sc_annotate.annotators._moments import class_weights
from sc_annotate.annotators.logreg import LogReg
from sc_annotate.errors import MethodError, ScAnnotateWarning
from sc_annotate.testing._task import easy_task


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


def test_dense_and_sparse_solver_reach_the_same_optimum(monkeypatch):
    task = easy_task()
    X = csr_matrix(task.X)
    centred = LogReg(tol=1e-7).fit(X, task.y, genes=task.genes)
    monkeypatch.setattr("sc_annotate.annotators.logreg._DENSE_LIMIT", 0)
    plain = LogReg(tol=1e-7, max_iter=10_000).fit(X, task.y, genes=task.genes)
    np.testing.assert_allclose(centred.predict_proba(X), plain.predict_proba(X), atol=5e-3)


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
