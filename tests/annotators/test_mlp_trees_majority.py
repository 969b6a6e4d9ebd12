from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from sc_annotate.annotators.gradient_boosting import GradientBoosting
from sc_annotate.annotators.majority import Majority
from sc_annotate.annotators.mlp import MLP
from sc_annotate.annotators.random_forest import RandomForest
from sc_annotate.testing import easy_task


@pytest.mark.parametrize("types", [2, 3])
def test_folded_network_gives_what_scikit_learn_gives(types, monkeypatch):
    from sklearn.neural_network import MLPClassifier

    seen = []
    plain = MLPClassifier.partial_fit

    def spy(self, *args, **kwargs):
        seen.append(self)
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(MLPClassifier, "partial_fit", spy)
    task = easy_task()
    keep = np.isin(task.y, np.unique(task.y)[:types])
    X, y = task.X[keep], task.y[keep]
    model = MLP(hidden=8, epochs=3).fit(X, y, genes=task.genes)
    sd = X.std(axis=0)
    scaled = (X - X.mean(axis=0)) / np.where(sd > 0, sd, 1)
    np.testing.assert_allclose(model.predict_proba(X), seen[-1].predict_proba(scaled), atol=1e-4)


def test_network_depends_on_rng_and_sparse_is_the_same():
    task = easy_task()
    first, other = (MLP(epochs=2).fit(task.X, task.y, genes=task.genes, rng=rng) for rng in (0, 1))
    assert not np.array_equal(first.coef_in_, other.coef_in_)
    sparse = MLP(epochs=2).fit(csr_matrix(task.X), task.y, genes=task.genes)
    np.testing.assert_allclose(first.coef_in_, sparse.coef_in_, atol=1e-4)


def test_all_cells_are_drawn_without_weights(monkeypatch):
    from sklearn.neural_network import MLPClassifier

    drawn = []
    monkeypatch.setattr("sc_annotate.annotators.mlp._BLOCK", 60)
    plain = MLPClassifier.partial_fit
    monkeypatch.setattr(
        MLPClassifier, "partial_fit", lambda self, X, y, **kw: (drawn.append(y), plain(self, X, y, **kw))[1]
    )
    task = easy_task()
    MLP(epochs=1, class_weight=None).fit(task.X, task.y, genes=task.genes)
    assert [len(part) for part in drawn] == [60, 60, 30]
    assert np.bincount(np.concatenate(drawn)).tolist() == np.unique(task.y, return_counts=True)[1].tolist()


@pytest.mark.parametrize("model", [RandomForest(n_trees=5), GradientBoosting(n_rounds=2)])
def test_trees_say_that_they_cannot_be_saved(model):
    task = easy_task()
    model.fit(task.X, task.y, genes=task.genes)
    with pytest.raises(NotImplementedError, match="saves=False"):
        model.to_arrays()
    with pytest.raises(NotImplementedError, match="saves=False"):
        type(model).from_arrays({}, {}, model.classes_)


def test_majority_with_one_type():
    model = Majority().fit(np.zeros((3, 2)), ["T", "T", "T"], genes=["a", "b"])
    assert model.predict_proba(np.zeros((2, 2))).tolist() == [[1.0], [1.0]]
