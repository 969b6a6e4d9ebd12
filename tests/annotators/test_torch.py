"""Networks as annotators: hyperparameters, ensembles, files, checkpoints."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sc_annotate.errors import InputError, MethodError
from sc_annotate.testing import easy_task

pytest.importorskip("torch")
pytest.importorskip("lightning")

import torch

from sc_annotate.annotators.torch_mlp import ACTINN, TorchMLP
from sc_annotate.annotators.torch_nact import NACTAnnotator

SMALL = {"epochs": 3}


@pytest.fixture(scope="module")
def task():
    return easy_task()


def fit(model, task, **more):
    return model.fit(task.X, task.y, genes=task.genes, **more)


@pytest.mark.parametrize(
    ("cls", "wrong"),
    [
        (TorchMLP, {"epochs": 0}),
        (TorchMLP, {"epochs": 10**18}),
        (TorchMLP, {"n_networks": 10**9}),
        (TorchMLP, {"batch_size": 1.5}),
        (TorchMLP, {"learning_rate": 0}),
        (TorchMLP, {"learning_rate": float("nan")}),
        (TorchMLP, {"weight_decay": -1}),
        (TorchMLP, {"sd_floor": "0.2"}),
        (TorchMLP, {"clip": 0}),
        (TorchMLP, {"input_dropout": 1}),
        (TorchMLP, {"input_dropout": "0.5"}),
        (TorchMLP, {"dropout": -0.1}),
        (TorchMLP, {"hidden": 0}),
        (TorchMLP, {"n_layers": 0}),
        (TorchMLP, {"n_networks": 0}),
        (TorchMLP, {"patience": 0}),
        (TorchMLP, {"class_weight": "rare"}),
        (TorchMLP, {"checkpoint": 3}),
        (TorchMLP, {"precision": 16}),
        (TorchMLP, {"precision": "bf16"}),
        (TorchMLP, {"learning_rate": 1e30}),
        (TorchMLP, {"class_weight": np.array([1.0, 2.0])}),
        (TorchMLP, {"checkpoint": ""}),
        (TorchMLP, {"checkpoint": "a\0b"}),
        (TorchMLP, {"checkpoint": "a\ud800"}),
        (TorchMLP, {"batch_size": 2}),
        (TorchMLP, {"n_layers": 10**9}),
        (TorchMLP, {"devices": 0}),
        (TorchMLP, {"devices": "auto"}),
        (NACTAnnotator, {"rank": 0}),
        (NACTAnnotator, {"feed_forward": 0}),
        (NACTAnnotator, {"attention": "hardmax"}),
        (ACTINN, {"epochs": -1}),
    ],
)
def test_hyperparameters_are_refused_by_name(task, cls, wrong):
    with pytest.raises(MethodError, match=next(iter(wrong))):
        fit(cls(**wrong), task)


@pytest.mark.parametrize(("cls", "units"), [(TorchMLP, "hidden"), (NACTAnnotator, "feed_forward")])
@pytest.mark.parametrize("n", [10**13, 2**62])
def test_networks_larger_than_memory_are_refused(task, cls, units, n):
    with pytest.raises(MethodError, match="does not fit into memory"):
        fit(cls(**{units: n}, **SMALL), task)


@pytest.mark.once
def test_numbers_of_numpy_are_as_those_of_python(task):
    plain = fit(TorchMLP(epochs=3, batch_size=16, n_networks=2, clip=5.0), task, rng=2**32 - 1)
    sizes = {"epochs": np.int64(3), "batch_size": np.int32(16), "n_networks": np.int8(2), "clip": np.float32(5)}
    other = fit(TorchMLP(**sizes), task, rng=np.int64(2**32 - 1))
    assert np.array_equal(other.predict_proba(task.test_X), plain.predict_proba(task.test_X))


@pytest.mark.parametrize("clip", [1e308, 10**30])
def test_a_clip_that_single_precision_cannot_hold_is_none(task, clip):
    both = [fit(TorchMLP(clip=each, **SMALL), task).predict_proba(task.test_X) for each in (clip, None)]
    assert np.array_equal(*both)


@pytest.mark.once
def test_steps_have_several_cells_for_batch_normalisation(task):
    for n in (16, 17, 19):
        part = TorchMLP(batch_size=3, **SMALL).fit(task.X[:n], np.resize(["A", "B"], n), genes=task.genes)
        assert part.history_[-1]["epoch"] == 3


def test_batches_with_types_of_their_own_do_not_end_a_training(task):
    """Nothing can be held out of them, so cells are."""
    model = fit(TorchMLP(patience=1, **SMALL), task, batch=task.y)
    assert all("held_out_loss" in row for row in model.history_)


def test_patience_needs_cells_to_hold_out(task):
    with pytest.raises(InputError, match="can be held out"):
        TorchMLP(patience=1, **SMALL).fit(task.X[:2], np.array(["A", "B"]), genes=task.genes)


def test_fits_on_several_threads_are_as_fits_on_one(task):
    alone = [fit(TorchMLP(epochs=5), task, rng=seed).predict_proba(task.test_X) for seed in (0, 1)]
    # Rounding depends on the number of threads that torch uses, which each thread of Python has for itself.
    with ThreadPoolExecutor(4, initializer=torch.set_num_threads, initargs=(torch.get_num_threads(),)) as pool:
        fits = [pool.submit(fit, TorchMLP(epochs=5), task, rng=i % 2) for i in range(4)]
        found = [each.result().predict_proba(task.test_X) for each in fits]
    assert all(np.array_equal(each, alone[i % 2]) for i, each in enumerate(found))


def test_checkpoints_in_the_home_folder(task, tmp_path, monkeypatch):
    from sc_annotate.neural import module

    def stops(self, batch, index):
        if self.current_epoch == 2:
            raise KeyboardInterrupt
        return original(self, batch, index)

    original = module.Training.training_step
    monkeypatch.setenv("HOME", str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(module.Training, "training_step", stops)
        with pytest.raises(KeyboardInterrupt):
            fit(TorchMLP(epochs=4, checkpoint="~/states"), task)
    assert len(list((tmp_path / "states").iterdir())) == 1
    fit(TorchMLP(epochs=4, checkpoint="~/states"), task)
    assert list((tmp_path / "states").iterdir()) == []


def test_small_references_get_more_epochs(task):
    assert TorchMLP()._settings(0, len(task.y), None).epochs == -(-TorchMLP.least_steps // 2)
    assert TorchMLP()._settings(0, 10**6, None).epochs == TorchMLP.usual_epochs
    assert len(fit(TorchMLP(hidden=4, epochs=2), task).history_) == 2


@pytest.mark.parametrize("name", ["mlp_torch", "actinn", "nact"])
def test_bars_name_the_method_the_network_and_the_fold(task, monkeypatch, name):
    from sc_annotate._core import registry
    from sc_annotate._core.settings import within
    from sc_annotate.neural import training

    shown = []
    monkeypatch.setattr(training, "train", lambda *_, what, **__: shown.append(what) or (torch.nn.Identity(), []))
    with within("fold 2 of 5"):
        fit(registry.make("annotation", name, {"n_networks": 2}), task)
    assert shown == [f"training {name}, network {i} of 2" for i in (1, 2)]


@pytest.mark.parametrize(("word", "meant"), [("max_epochs", "epochs"), ("n_epochs", "epochs"), ("lr", "learning_rate")])
def test_words_of_other_packages_are_understood(word, meant):
    from sc_annotate._core import registry

    with pytest.raises(MethodError, match=rf"Did you mean {meant}\? It takes: "):
        registry.make("annotation", "mlp_torch", {word: 3})


def test_an_ensemble_is_the_mean_of_its_networks(task):
    both = fit(TorchMLP(n_networks=2, **SMALL), task, rng=4)
    one, two = (fit(TorchMLP(**SMALL), task, rng=seed) for seed in (4, 5))
    mean = (one.predict_proba(task.test_X) + two.predict_proba(task.test_X)) / 2
    np.testing.assert_allclose(both.predict_proba(task.test_X), mean, atol=1e-6)


@pytest.mark.parametrize("cls", [TorchMLP, NACTAnnotator, ACTINN])
def test_from_arrays_refuses_what_is_not_its_own(task, cls):
    model = fit(cls(**SMALL), task)
    arrays, meta = model.to_arrays()
    first = next(iter(arrays))
    wrong = [
        {name: array for name, array in arrays.items() if name != first},
        arrays | {"network0.more": np.zeros(2, np.float32)},
        arrays | {"network7.more": np.zeros(2, np.float32)},
        arrays | {first: arrays[first][..., :-1]},
        arrays | {first: np.full_like(arrays[first], np.nan)},
        arrays | {first: arrays[first].astype(np.float64)},
    ]
    for each in wrong:
        with pytest.raises(ValueError, match=r"array|state"):
            cls.from_arrays(each, meta, model.classes_)
    for more in ({"n_genes": 10**9}, {"n_genes": 0}, {"n_genes": "x"}, {"other": 1}):
        with pytest.raises(ValueError, match=r"n_genes|genes|other|array"):
            cls.from_arrays(arrays, meta | more, model.classes_)
    huge = meta | {"params": meta["params"] | {"n_networks": 10**9}}
    with pytest.raises(ValueError, match="networks"):
        cls.from_arrays(arrays, huge, model.classes_)


@pytest.mark.once
def test_cells_that_end_the_training_are_no_others(task):
    model = fit(TorchMLP(epochs=60, patience=2), task, batch=np.repeat(["a", "b", "c"], 50))
    assert {"held_out_loss", "loss", "epoch", "network"} == model.history_[0].keys()
    assert np.allclose(model.predict_proba(task.test_X).sum(axis=1), 1, atol=1e-5)


@pytest.mark.once
def test_a_type_that_is_only_in_one_batch_is_learned(task):
    """Held out for stopping, it could not be told any more."""
    types = np.unique(task.y)
    batch = np.where(task.y == types[0], "own", np.where(np.arange(len(task.y)) % 2, "a", "b"))
    model = fit(TorchMLP(epochs=60, patience=60), task, batch=batch)
    labels = model.classes_[model.predict_proba(task.test_X).argmax(axis=1)]
    assert (labels[task.test_y == types[0]] == types[0]).mean() > 0.8


@pytest.mark.once
def test_an_interrupted_fit_continues(task, tmp_path, monkeypatch):
    from sc_annotate.neural import module

    whole = fit(TorchMLP(epochs=6), task)
    original, calls = module.Training.training_step, []

    def stops(self, batch, index):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return original(self, batch, index)

    monkeypatch.setattr(module.Training, "training_step", stops)
    with pytest.raises(KeyboardInterrupt):
        fit(TorchMLP(epochs=6, checkpoint=str(tmp_path)), task)
    assert len(list(tmp_path.iterdir())) == 1
    before = len(calls)
    resumed = fit(TorchMLP(epochs=6, checkpoint=str(tmp_path)), task)
    assert len(calls) - before < 12
    assert np.array_equal(resumed.predict_proba(task.test_X), whole.predict_proba(task.test_X))
    assert list(tmp_path.iterdir()) == []
    assert "checkpoint" not in resumed.to_arrays()[1]["params"]


def test_precision_is_recorded_where_it_changes_the_numbers(task, monkeypatch):
    from sc_annotate.neural import hardware

    plain = fit(TorchMLP(**SMALL), task)
    assert not {"precision", "devices"} & plain.params().keys()
    half = fit(TorchMLP(precision="bf16-mixed", **SMALL), task)
    assert half.params()["precision"] == "bf16-mixed"
    assert not np.array_equal(half.predict_proba(task.test_X), plain.predict_proba(task.test_X))
    np.testing.assert_allclose(half.predict_proba(task.test_X), plain.predict_proba(task.test_X), atol=0.05)
    assert half.predict_proba(task.test_X).dtype == np.float32
    again = TorchMLP.from_arrays(*half.to_arrays(), half.classes_)
    assert again.params() == half.params()
    # What "auto" came to on another machine.
    chosen = hardware.Plan("cpu", 1, "auto", "bf16-mixed")
    monkeypatch.setattr(hardware, "plan", lambda *_: chosen)
    auto = fit(TorchMLP(**SMALL), task)
    assert auto.params()["precision"] == "bf16-mixed"


@pytest.mark.parametrize("wrong", [{"devices": 2}, {"precision": "16-mixed"}])
def test_gpus_that_are_not_there_are_refused_before_training(task, monkeypatch, wrong):
    from sc_annotate.neural import hardware

    monkeypatch.setattr(hardware, "find", hardware.Hardware)
    with pytest.raises(MethodError, match=next(iter(wrong))):
        fit(TorchMLP(**wrong, **SMALL), task)
