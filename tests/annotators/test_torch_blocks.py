"""Training block by block: as in memory where there is one block, on all cells where there are many."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from sc_annotate.errors import GeneError, InputError, LabelError, MatrixError, MethodError
from sc_annotate.neural.batches import ArrayBlocks, StreamedBlocks
from sc_annotate.testing import easy_task

pytest.importorskip("torch")
pytest.importorskip("lightning")

from sc_annotate.annotators.torch_mlp import ACTINN, TorchMLP
from sc_annotate.annotators.torch_nact import NACTAnnotator


@pytest.fixture(scope="module")
def task():
    return easy_task()


def in_blocks(task, size=16, **more):
    X, codes = csr_array(task.X), np.unique(task.y, return_inverse=True)[1]
    starts = np.append(np.arange(0, len(codes), size), len(codes))
    return StreamedBlocks(lambda i: X[starts[i] : starts[i + 1]], starts, codes, X.shape[1], **more)


def of_blocks(model, cells, task, **more):
    return model.fit_blocks(cells, classes=np.unique(task.y), genes=task.genes, **more)


@pytest.mark.parametrize(("cls", "patience"), [(TorchMLP, 2), (ACTINN, None), (NACTAnnotator, None)])
def test_one_block_in_memory_gives_what_fit_gives(task, cls, patience):
    model = cls(epochs=2, patience=patience)
    batch = np.repeat(["a", "b", "c"], 50)
    codes = np.unique(task.y, return_inverse=True)[1]
    whole = cls(epochs=2, patience=patience).fit(task.X, task.y, genes=task.genes, batch=batch, rng=2)
    of_blocks(model, ArrayBlocks(task.X, codes), task, batch=batch, rng=2)
    assert np.array_equal(model.predict_proba(task.test_X), whole.predict_proba(task.test_X))
    assert model.history_ == whole.history_


def test_blocks_are_scaled_as_the_matrix_and_learned(task):
    model = of_blocks(TorchMLP(epochs=40), in_blocks(task, buffer=40), task)
    whole = TorchMLP(epochs=1).fit(task.X, task.y, genes=task.genes)
    for name in ("center", "factor"):
        np.testing.assert_array_equal(getattr(model.networks_[0][0], name), getattr(whole.networks_[0][0], name))
    labels = model.classes_[model.predict_proba(task.test_X).argmax(axis=1)]
    assert (labels == task.test_y).mean() > 0.9
    model, again = (of_blocks(TorchMLP(epochs=2), in_blocks(task, buffer=40), task) for _ in range(2))
    assert np.array_equal(model.predict_proba(task.test_X), again.predict_proba(task.test_X))


def test_blocks_of_an_embedding_are_scaled_by_one_number(task):
    """Dimensions far from 0 that vary little lose their digits in sums of squares."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(150, 4)) * [1, 2, 0.01, 0] + [0, 5, 300, 7]).astype(np.float32)
    codes, starts = np.arange(150) % 3, np.array([0, 40, 150])
    cells = StreamedBlocks(lambda i: X[starts[i] : starts[i + 1]], starts, codes, 4)
    for kind in (cells, ArrayBlocks(X, codes)):
        model = TorchMLP(epochs=1, scaling="common")
        model.fit_blocks(kind, classes=["a", "b", "c"], genes=list("wxyz"))
        scale = model.networks_[0][0]
        np.testing.assert_allclose(scale.center, X.mean(axis=0), rtol=1e-5, atol=1e-5)
        spread = np.sqrt(np.square(X[:, :3].std(axis=0, dtype=np.float64)).mean())
        np.testing.assert_allclose(scale.factor, np.array([1, 1, 1, 0]) / spread, rtol=1e-6)


def test_cells_held_out_for_stopping_are_not_learned_from(task):
    """With moments of the others alone, as in memory."""
    batch = np.arange(150) % 3
    model = of_blocks(TorchMLP(epochs=4, patience=2), in_blocks(task), task, batch=batch)
    whole = TorchMLP(epochs=4, patience=2).fit(task.X, task.y, genes=task.genes, batch=batch.astype(str))
    np.testing.assert_array_equal(model.networks_[0][0].factor, whole.networks_[0][0].factor)
    assert "held_out_loss" in model.history_[0]


@pytest.mark.once
@pytest.mark.parametrize(("more", "blocks"), [({"patience": 3}, True), ({"n_networks": 2}, False)])
def test_an_interrupted_fit_continues(task, tmp_path, monkeypatch, more, blocks):
    from sc_annotate.neural import module

    def fit(**checkpoint):
        model = TorchMLP(epochs=6, **more, **checkpoint)
        if blocks:
            return of_blocks(model, in_blocks(task, buffer=40), task, rng=1)
        return model.fit(task.X, task.y, genes=task.genes, rng=1)

    whole = fit()
    original, calls = module.Training.training_step, []

    def stops(self, batch, index):
        calls.append(1)
        if len(calls) == 17 if "n_networks" in more else len(calls) == 8:
            raise KeyboardInterrupt
        return original(self, batch, index)

    monkeypatch.setattr(module.Training, "training_step", stops)
    with pytest.raises(KeyboardInterrupt):
        fit(checkpoint=str(tmp_path))
    assert len(list(tmp_path.iterdir())) == (2 if "n_networks" in more else 1)
    resumed = fit(checkpoint=str(tmp_path))
    assert np.array_equal(resumed.predict_proba(task.test_X), whole.predict_proba(task.test_X))
    assert resumed.history_ == whole.history_
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_refused_before_reading(task):
    cells, classes = in_blocks(task), np.unique(task.y)
    model = TorchMLP(epochs=1)
    with pytest.raises(GeneError, match="genes has 3 names"):
        model.fit_blocks(cells, classes=classes, genes=["a", "b", "c"])
    with pytest.raises(LabelError, match="at least 2 types"):
        model.fit_blocks(cells, classes=classes[:1], genes=task.genes)
    with pytest.raises(LabelError, match="each of which occurs"):
        model.fit_blocks(cells, classes=[*classes, "z"], genes=task.genes)
    with pytest.raises(InputError, match="batch has 2 entries"):
        model.fit_blocks(cells, classes=classes, genes=task.genes, batch=np.array(["a", "b"]))


def test_several_gpus_are_refused_where_the_cells_are_not_in_memory(task):
    with pytest.raises(MethodError, match="devices=2 trains on cells in memory"):
        of_blocks(TorchMLP(devices=2), in_blocks(task), task)


def test_values_that_are_no_numbers_are_refused(task):
    X = task.X.copy()
    X[3, 3] = np.nan
    cells = in_blocks(task)
    broken = StreamedBlocks(lambda i: X[cells.starts[i] : cells.starts[i + 1]], cells.starts, cells.codes, X.shape[1])
    with pytest.raises(MatrixError, match="NaN"):
        of_blocks(TorchMLP(epochs=1), broken, task)
