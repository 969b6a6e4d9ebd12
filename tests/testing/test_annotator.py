"""The conformance check passes what is right and names what is wrong."""

from __future__ import annotations

import threading
import warnings
from typing import ClassVar

import numpy as np
import pytest

from sc_annotate.annotators.logreg import LogReg
from sc_annotate.annotators.majority import Majority
from sc_annotate.annotators.nearest_centroid import NearestCentroid
from sc_annotate.annotators.random_forest import RandomForest
from sc_annotate.testing import check_annotator


class Duck:
    """Derives from nothing of ours; nearest mean by cosine."""

    saves = False

    def fit(self, X, y, *, genes, batch=None, rng=0):
        dense = X.toarray() if hasattr(X, "toarray") else X
        self.classes_ = np.unique(y)
        self.means = np.stack([dense[y == c].mean(axis=0) for c in self.classes_])
        return self

    def predict_proba(self, X):
        if X.shape[1] != self.means.shape[1]:
            raise ValueError("columns")
        score = np.exp(np.asarray(X @ self.means.T) / np.linalg.norm(self.means, axis=1))
        return (score / score.sum(axis=1, keepdims=True)).astype(np.float32)


def failures(cls, **params):
    with pytest.raises(AssertionError) as caught:
        check_annotator(cls, **params)
    lines = str(caught.value).splitlines()[1:]
    return {name for line in lines for name in line.strip().partition(":")[0].split(", ")}


def test_a_duck_passes():
    assert check_annotator(Duck) is None


def test_equal_messages_share_a_line():
    class Crashes(Duck):
        def fit(self, X, y, *, genes, batch=None, rng=0):
            raise TypeError("unexpected")

    with pytest.raises(AssertionError) as caught:
        check_annotator(Crashes)
    (line,) = [line for line in str(caught.value).splitlines() if "TypeError: unexpected" in line]
    assert "classes, " in line
    assert ", probabilities" in line
    assert str(caught.value).startswith(f"Crashes failed {len(failures(Crashes))} checks of an annotator:")


@pytest.mark.parametrize("attribute", ["shrink", "other"])
def test_a_class_without_its_decorator(attribute):
    class Sharper(NearestCentroid):
        __annotations__ = {attribute: "float", "kept": "ClassVar[int]", "saves": "bool"}
        kept = 3

    setattr(Sharper, attribute, 0.5)
    with pytest.raises(AssertionError, match=f"fields: {attribute} of Sharper cannot be set, as the class is no data"):
        check_annotator(Sharper)


def test_attributes_that_are_set_by_the_class_itself_pass():
    class Typed(Duck):
        means: np.ndarray
        depth: int = 1
        fixed: ClassVar[int] = 3

        def __init__(self, depth=1):
            self.depth = depth

    assert check_annotator(Typed, depth=2) is None


def test_majority_fails_only_where_it_must():
    assert failures(Majority) == {"better_than_majority"}


def break_(name):
    """NearestCentroid with one thing wrong."""

    class Broken(NearestCentroid):
        streams = ("sums", "nonsense") if name == "declarations" else ("sums",)

        fitting = False
        if name == "hyperparameters_are_fields":
            slope: float = 1.0

        def params(self):
            return super().params() | ({"shrink": 0.9} if name == "params_rebuild" else {})

        def fit_statistics(self, statistics, *, classes):
            super().fit_statistics(statistics, classes=classes)
            if name == "streams" and not self.fitting:
                self.intercept_ = self.intercept_[::-1] + 1 + np.arange(3, dtype=np.float32)
            return self

        def fit(self, X, y, *, genes, batch=None, rng=0):
            if name == "input_not_modified" and isinstance(X, np.ndarray):
                X[0, 0] += 1
            if name == "global_random_state_untouched":
                np.random.rand()  # noqa: NPY002
            if name == "no_warnings":
                warnings.warn("leaked", UserWarning, stacklevel=2)
            if name == "batch_given" and batch is not None:
                raise RuntimeError("no batches here")
            if name == "two_types" and len(np.unique(y)) == 2:
                raise RuntimeError("three at least")
            if name == "type_of_one_cell":
                n = dict(zip(*np.unique(y, return_counts=True), strict=True))
                keep = np.array([n[label] > 1 for label in y])
                X, y = X[keep], y[keep]
            if name == "bad_input_refused":
                X = np.nan_to_num(X)
            if name == "one_type" and len(set(y)) == 1:
                raise KeyError("no other type")
            if name == "constant_gene" and X.shape[1] > 60:
                y = np.roll(y, 50)
            self.fitting = True
            super().fit(X, y, genes=genes, batch=batch, rng=rng)
            if name == "same_rng_same_result":
                self.intercept_ = self.intercept_ + np.random.default_rng().normal(size=3).astype(np.float32)
            if name == "classes":
                self.classes_ = self.classes_.astype(object)
            return None if name == "fit_returns_self" else self

        def predict_proba(self, X):
            if name == "wrong_columns_refused":
                X = X[:, [min(i, X.shape[1] - 1) for i in range(self.coef_.shape[1])]]
            if name == "no_cells" and X.shape[0] == 0:
                raise RuntimeError("no cells")
            P = super().predict_proba(X)
            if name == "probabilities":
                return P.astype(np.float64)
            if name == "parallel" and threading.current_thread() is not threading.main_thread():
                return P[:, ::-1]
            if name == "one_cell" and len(P) == 1:
                return P[:, ::-1]
            if name == "cell_of_zeros" and not np.all(np.abs(X).sum(axis=1)):
                return P * np.float32("nan")
            if name == "sparse_and_dense_predict_alike" and not isinstance(X, np.ndarray):
                return P[:, ::-1]
            return P

        def to_arrays(self):
            arrays, meta = super().to_arrays()
            return ({**arrays, "names": np.array(["a"])} if name == "saving" else arrays), meta

    return Broken


@pytest.mark.parametrize(
    "name",
    [
        "bad_input_refused",
        "batch_given",
        "cell_of_zeros",
        "classes",
        "constant_gene",
        "declarations",
        "fit_returns_self",
        "global_random_state_untouched",
        "hyperparameters_are_fields",
        "input_not_modified",
        "no_cells",
        "no_warnings",
        "one_cell",
        "one_type",
        "parallel",
        "params_rebuild",
        "probabilities",
        "same_rng_same_result",
        "saving",
        "sparse_and_dense_predict_alike",
        "streams",
        "two_types",
        "type_of_one_cell",
        "wrong_columns_refused",
    ],
)
def test_what_is_wrong_is_named(name):
    assert name in failures(break_(name))


def test_blocks_have_to_give_what_the_matrix_gives():
    class Blocks(NearestCentroid):
        def fit_blocks(self, blocks, *, classes, genes, batch=None, rng=0):
            ((X, codes),) = blocks.in_order()
            return self.fit(X, classes[self.order(codes)], genes=genes)

        def order(self, codes):
            return codes

    assert check_annotator(Blocks) is None

    class Wrong(Blocks):
        def order(self, codes):
            return codes[::-1]

    assert failures(Wrong) == {"blocks"}


def test_scores_that_can_be_aligned_are_sums():
    class Moved(LogReg):
        def decision(self, X):
            return super().decision(X) + np.float32(1)

    class Says(Duck):
        aligns = True

    assert failures(Moved) == {"alignment"}
    assert failures(Says) == {"alignment"}


def test_a_method_that_cannot_be_saved_must_say_so():
    class Silent(RandomForest):
        def to_arrays(self):
            return {}, {}

    assert failures(Silent, n_trees=5) == {"saving"}


def test_a_class_that_cannot_be_saved_has_to_say_so():
    class Silent(Duck):
        saves = True

    with pytest.raises(AssertionError, match="saving: add to_arrays and from_arrays"):
        check_annotator(Silent)


def test_what_is_declared_of_cells_without_a_label():
    class Takes(Duck):
        unlabelled = True

        def fit(self, X, y, *, genes, batch=None, rng=0, unlabelled=None, unlabelled_batch=None):
            return super().fit(X, y, genes=genes)

    class TakesNone(Duck):
        unlabelled = True

    class Spoils(Takes):
        def fit(self, X, y, *, genes, batch=None, rng=0, unlabelled=None, unlabelled_batch=None):
            if isinstance(unlabelled, np.ndarray):
                unlabelled[:] = 0
            return super().fit(X, y, genes=genes)

    class MakesAType(Takes):
        def fit(self, X, y, *, genes, batch=None, rng=0, unlabelled=None, unlabelled_batch=None):
            super().fit(X, y, genes=genes)
            if unlabelled is not None:
                self.classes_ = np.append(self.classes_, "unknown")
                self.means = np.vstack([self.means, self.means[:1]])
            return self

    class SaysMaybe(Duck):
        unlabelled = "perhaps"

    assert check_annotator(Takes) is None
    assert failures(TakesNone) == {"unlabelled"}
    assert failures(Spoils) == {"unlabelled"}
    assert failures(MakesAType) == {"unlabelled"}
    assert failures(SaysMaybe) >= {"declarations"}
