from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from sc_annotate.annotators._platt import platt
from sc_annotate.annotators.linear_svm import LinearSVM, scattered_folds
from sc_annotate.errors import MethodError, ScAnnotateWarning
from sc_annotate.testing import easy_task


def test_platt_is_logistic_regression_on_smoothed_targets():
    rng = np.random.default_rng(0)
    margin = rng.normal(size=200) * 3
    codes = (rng.uniform(size=200) < expit(1.5 * margin - 1)).astype(int)
    slope, offset = platt(np.column_stack([-margin, margin]), codes)
    n1 = codes.sum()
    high, low = (n1 + 1) / (n1 + 2), 1 / (200 - n1 + 2)
    # A soft target is two weighted cells, one of each class.
    target = np.where(codes == 1, high, low)
    oracle = LogisticRegression(C=1e8, tol=1e-10, max_iter=1000).fit(
        np.concatenate([margin, margin])[:, None], np.repeat([1, 0], 200), np.concatenate([target, 1 - target])
    )
    assert slope[1] == pytest.approx(oracle.coef_[0, 0], rel=1e-3)
    assert offset[1] == pytest.approx(oracle.intercept_[0], abs=1e-3)
    assert slope[0] == pytest.approx(slope[1], rel=0.02)


def test_platt_of_rare_and_unseen_types_is_pooled():
    rng = np.random.default_rng(1)
    codes = np.repeat([0, 1, 2], [60, 60, 2])
    margins = np.where(codes[:, None] == np.arange(3), 1.0, -1.0) + rng.normal(size=(122, 3))
    slope, offset = platt(margins, codes)
    margins[:, 2] = np.nan
    without = platt(margins, codes)
    assert (slope > 0).all()
    assert np.isfinite(offset).all()
    assert without[0][2] > 0
    assert without[0][0] == slope[0]
    assert [a.tolist() for a in platt(np.full((122, 3), np.nan), codes)] == [[1, 1, 1], [0, 0, 0]]


def test_platt_never_turns_a_type_around():
    codes = np.repeat([0, 1], 50)
    margins = np.column_stack([np.linspace(3, -3, 100), np.linspace(1, -1, 100)])
    slope, _ = platt(margins, codes)
    assert (slope > 0).all()


def test_folds_spread_every_type():
    codes = np.repeat([0, 1, 2], [30, 4, 1])
    fold = scattered_folds(codes, 3, np.random.default_rng(0))
    assert np.bincount(fold[codes == 0]).tolist() == [10, 10, 10]
    assert np.bincount(fold[codes == 1], minlength=3).min() == 1


def test_margins_are_those_of_scikit_learn_and_are_kept_apart_from_the_sigmoid():
    task = easy_task()
    seen = task.X.any(axis=0)
    X, cells = task.X[:, seen], task.test_X[:, seen]
    model = LinearSVM(C=0.01, class_weight=None).fit(X, task.y, genes=task.genes[seen])
    sd = X.std(axis=0)
    # The optimum is unique; the seed and the dual or primal form are not the test's business.
    oracle = LinearSVC(C=0.01, tol=1e-6, max_iter=100_000).fit(X / sd, task.y)
    np.testing.assert_allclose(model.coef_, oracle.coef_ / sd, atol=0.02 * np.abs(oracle.coef_ / sd).max())
    arrays, _ = model.to_arrays()
    assert sorted(arrays) == ["coef", "intercept", "platt_offset", "platt_slope"]
    p = expit((cells @ arrays["coef"].T + arrays["intercept"]) * arrays["platt_slope"] + arrays["platt_offset"])
    np.testing.assert_allclose(model.predict_proba(cells), p / p.sum(axis=1, keepdims=True), atol=1e-5)


def test_types_of_one_and_two_cells():
    task = easy_task()
    y = task.y.astype("U20").copy()
    y[:1], y[1:3] = "single", "pair"
    model = LinearSVM().fit(task.X, y, genes=task.genes)
    assert {"single", "pair"} <= set(model.classes_.tolist())
    four = LinearSVM().fit(task.X[:2], np.array(["a", "b"]), genes=task.genes)
    assert four.predict_proba(task.X[:2]).argmax(axis=1).tolist() == [0, 1]


def test_too_few_steps_and_folds():
    task = easy_task()
    with pytest.warns(ScAnnotateWarning, match="max_iter=1 "):
        LinearSVM(C=10, max_iter=1).fit(task.X[:40], task.y[:40], genes=task.genes)
    with pytest.raises(MethodError, match="n_folds"):
        LinearSVM(n_folds=1).fit(task.X, task.y, genes=task.genes)
