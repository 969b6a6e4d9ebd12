"""Hyperparameters that cannot be used are refused by name, of annotators and predictors alike."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sc_annotate import annotators, predictors
from sc_annotate._core.arguments import need_choice, need_count, need_positive
from sc_annotate.errors import MethodError
from sc_annotate.predictors.knn import NearestPerturbations
from sc_annotate.predictors.linear import Linear
from sc_annotate.testing import easy_screen, easy_task


@pytest.mark.parametrize("value", [0, -1, 2.5, 3.0, True, "3", None, np.nan])
def test_counts_are_whole_numbers_from_1(value):
    with pytest.raises(MethodError, match="SimpleNamespace: n must be a whole number from 1, not "):
        need_count(SimpleNamespace(n=value), "n")


@pytest.mark.parametrize("value", [1, 10**9, np.int64(3)])
def test_what_is_a_count(value):
    need_count(SimpleNamespace(n=value, m=value), "n", "m")


@pytest.mark.parametrize("value", [0, -1.0, True, "3", None, np.nan])
def test_positive_numbers(value):
    with pytest.raises(MethodError, match="must be a positive number, not "):
        need_positive(SimpleNamespace(a=1, n=value), "a", "n")


def test_a_choice():
    need_choice(SimpleNamespace(a=None), "a", ("x", None))
    with pytest.raises(MethodError, match="a must be one of 'x', None, not 'y'"):
        need_choice(SimpleNamespace(a="y"), "a", ("x", None))
    for value in (np.array(["x", "y"]), ["x"], 0, float("nan"), b"x"):
        with pytest.raises(MethodError, match="a must be one of"):
            need_choice(SimpleNamespace(a=value), "a", ("x", None))


def test_both_packages_hand_them_out():
    for name in ("need_choice", "need_count", "need_positive"):
        assert getattr(annotators, name) is getattr(predictors, name)
        assert name in annotators.__all__
        assert name in predictors.__all__


@pytest.mark.parametrize(
    ("module", "cls", "name"),
    [
        ("knn", "KNN", "n_neighbors"),
        ("logreg", "LogReg", "max_iter"),
        ("linear_svm", "LinearSVM", "max_iter"),
        ("celltypist", "CellTypist", "max_iter"),
        ("correlation", "Correlation", "n_markers"),
        ("mlp", "MLP", "hidden"),
        ("random_forest", "RandomForest", "n_trees"),
        ("gradient_boosting", "GradientBoosting", "max_leaves"),
    ],
)
def test_our_methods_take_whole_numbers(module: str, cls: str, name: str):
    task = easy_task()
    make = getattr(__import__(f"sc_annotate.annotators.{module}", fromlist=[cls]), cls)
    for value in (2.5, True):
        with pytest.raises(MethodError, match=f"{cls}: {name} must be a whole number from 1, not {value}"):
            make(**{name: value}).fit(task.X, task.y, genes=task.genes)


def test_our_predictors_take_whole_numbers():
    train = easy_screen().train
    for model in (NearestPerturbations(n_neighbors=2.5), Linear(n_components=True)):
        with pytest.raises(MethodError, match="must be a whole number from 1"):
            model.fit(train)
