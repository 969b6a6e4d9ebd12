"""What every objective must keep: gradients, moving targets, eval mode, seeds, files, checkpoints."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import sparse

torch = pytest.importorskip("torch")

from sc_annotate._core import registry  # noqa: E402
from sc_annotate.errors import GeneError, InputError, MatrixError, MethodError  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

NETWORKS = [name for name, each in registry.table("encoding").items() if each.deep]
ALL = list(registry.table("encoding"))
TARGETS = ("moco", "byol")
SMALL: dict[str, Any] = {"n_latent": 4, "hidden": (8,), "epochs": 3, "batch_size": 16}


def make(name: str, **more: Any) -> Any:
    params = {"n_latent": 4} if name == "pca" else SMALL | ({} if name == "mae" else {"projector": (8, 4)})
    return registry.make("encoding", name, params | more)


@pytest.fixture(scope="module")
def cells() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    X = draw.gamma(1.0, 1.0, (40, 20)).astype(np.float32)
    X[::2, :5] += 2
    return X, np.array([f"g{i}" for i in range(20)]), np.repeat(["a", "b"], 20)


@pytest.mark.parametrize("name", ALL)
def test_coordinates_are_those_of_a_cell_alone(name: str, cells: Any) -> None:
    X, genes, batch = cells
    model = make(name).fit(X, genes=genes, batch=batch)
    Z = model.embed(X)
    assert Z.shape == (40, 4)
    assert Z.dtype == np.float32
    if name != "pca":
        model.network_.train()
    # In another order, a cell alone, and none: never what the minibatch says.
    np.testing.assert_allclose(model.embed(X[::-1])[::-1], Z, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model.embed(X[3:4]), Z[3:4], rtol=1e-5, atol=1e-5)
    assert model.embed(X[:0]).shape == (0, 4)
    np.testing.assert_allclose(model.embed(sparse.csr_array(X)), Z, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_seeds_decide_and_nothing_is_changed(name: str, cells: Any) -> None:
    X, genes, batch = cells
    before, state = X.copy(), torch.random.get_rng_state()
    one, two = (make(name).fit(sparse.csr_matrix(X), genes=genes, batch=batch, rng=3).embed(X) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    if name != "pca":
        assert not np.array_equal(one, make(name).fit(X, genes=genes, batch=batch, rng=4).embed(X))
    np.testing.assert_array_equal(X, before)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("name", ALL)
def test_stored_and_rebuilt(name: str, cells: Any) -> None:
    X, genes, batch = cells
    model = make(name).fit(X, genes=genes, batch=batch)
    arrays, meta = model.to_arrays()
    again = type(model).from_arrays(arrays, json.loads(json.dumps(meta)))
    np.testing.assert_array_equal(again.embed(X), model.embed(X))
    assert again.params() == model.params()
    with pytest.raises(ValueError, match="array|lacks|has"):
        type(model).from_arrays(dict(list(arrays.items())[1:]), meta)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_receives_a_gradient(name: str, cells: Any) -> None:
    X, genes, batch = cells
    model = make(name)
    network = model._network(20, model.has_target, model.bank(), X.mean(axis=0), 1 / X.std(axis=0))
    loss = model.loss(network, torch.from_numpy(X), torch.arange(40), model.prepare(X, genes, batch, 0))
    loss.backward()
    learned = {n: p for n, p in network.named_parameters() if p.requires_grad}
    assert any(n.startswith("encoder") for n in learned)
    # The bias before a batch normalisation is taken off again by it.
    without = [n for n, p in learned.items() if p.grad is None or (p.ndim > 1 and not p.grad.abs().sum() > 0)]
    assert without == []


@pytest.mark.parametrize("name", TARGETS)
def test_the_target_moves_with_a_step_and_has_no_gradient(name: str, cells: Any) -> None:
    X, genes, _ = cells
    model = make(name)
    network = model._network(20, True, model.bank(), X.mean(axis=0), 1 / X.std(axis=0))
    before = [p.clone() for p in network.target.parameters()]
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    model.loss(network, torch.from_numpy(X), torch.arange(40), model.prepare(X, genes, None, 0)).backward()
    assert all(p.grad is None for p in network.target.parameters())
    optimizer.step()
    model.after_step(network, 0.1)
    momentum = 1 - (1 - model.momentum) * (np.cos(np.pi * 0.1) + 1) / 2
    own = [*network.encoder.parameters(), *network.heads["projector"].parameters()]
    moved = 0
    for old, now, learned in zip(before, network.target.parameters(), own, strict=True):
        expected = momentum * old + (1 - momentum) * learned
        torch.testing.assert_close(now, expected)
        moved += int(not torch.equal(now, old))
    assert moved > len(before) / 2


def test_the_loop_moves_the_target(cells: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    X, genes, _ = cells
    done: list[float] = []
    model = make("byol")
    original = type(model).after_step
    monkeypatch.setattr(type(model), "after_step", lambda self, net, at: (done.append(at), original(self, net, at))[1])
    model.fit(X, genes=genes)
    np.testing.assert_allclose(done, np.arange(1, 10) / 9)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_learning_rate_does_not_collapse_before_the_end(
    name: str, cells: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sc_annotate.neural.module import Training

    X, genes, batch = cells
    rates: list[float] = []
    original = Training.on_train_batch_end

    def noted(self: Training, *args: Any) -> None:
        rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
        original(self, *args)

    monkeypatch.setattr(Training, "on_train_batch_end", noted)
    make(name, epochs=20).fit(X, genes=genes, batch=batch)
    assert len(rates) == 60
    assert max(rates) == pytest.approx(1e-3, rel=0.01)
    # Half of the steps are taken at a tenth of the largest rate or more.
    assert np.mean(np.array(rates) > 1e-4) > 0.5


@pytest.mark.parametrize("name", ["mae", "byol"])
def test_interrupted_and_continued_is_the_same(
    name: str, cells: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sc_annotate.neural.module import Training

    X, genes, batch = cells
    whole = make(name).fit(X, genes=genes, batch=batch).embed(X)
    steps, original = [], Training.training_step

    def interrupts(self: Training, given: Any, index: int) -> Any:
        steps.append(index)
        if len(steps) == 5:
            raise KeyboardInterrupt
        return original(self, given, index)

    monkeypatch.setattr(Training, "training_step", interrupts)
    with pytest.raises(KeyboardInterrupt):
        make(name, checkpoint=str(tmp_path)).fit(X, genes=genes, batch=batch)
    assert list(tmp_path.glob("*.ckpt"))
    monkeypatch.setattr(Training, "training_step", original)
    np.testing.assert_array_equal(make(name, checkpoint=str(tmp_path)).fit(X, genes=genes, batch=batch).embed(X), whole)
    assert not list(tmp_path.glob("*.ckpt"))


def test_centring_takes_off_the_mean_of_each_batch(cells: Any) -> None:
    X, genes, batch = cells
    shifted = X + np.where(batch == "b", 1.5, 0)[:, None].astype(np.float32)
    for name in ("pca", "mae"):
        model = make(name, center_batches=True).fit(X, genes=genes, batch=batch)
        np.testing.assert_allclose(model.embed(shifted, batch=batch), model.embed(X, batch=batch), atol=1e-4)
        with pytest.raises(InputError, match="batch_key"):
            model.embed(X)


def test_centring_breaks_where_batches_hold_different_types() -> None:
    """Two types, one in each batch: what tells them apart is taken off with the batch."""
    draw = np.random.default_rng(0)
    X = draw.normal(1, 0.3, (200, 20)).astype(np.float32)
    X[100:, :10] += 2
    batch = np.repeat(["a", "b"], 100)

    def apart(**params: Any) -> float:
        Z = make("pca", n_latent=5, **params).fit(X, genes=np.arange(20).astype(str), batch=batch).embed(X, batch=batch)
        return float(np.linalg.norm(Z[:100].mean(axis=0) - Z[100:].mean(axis=0)) / Z.std())

    assert apart() > 2
    assert apart(center_batches=True) < 0.1


def test_bad_input_is_named(cells: Any) -> None:
    X, genes, batch = cells
    with pytest.raises(GeneError, match="20 columns"):
        make("mae").fit(X, genes=genes[1:])
    with pytest.raises(InputError, match="batch has 39"):
        make("mae").fit(X, genes=genes, batch=batch[1:])
    with pytest.raises(MatrixError, match="NaN"):
        make("pca").fit(np.where(X > 3, np.nan, X), genes=genes)
    with pytest.raises(InputError, match="too few"):
        make("mae").fit(X[:5], genes=genes)
    with pytest.raises(InputError, match="no gene varies"):
        make("mae").fit(np.ones((20, 20)), genes=genes)
    with pytest.raises(MethodError, match="not fitted"):
        make("simclr").embed(X)
    for name, value in {"hidden": (), "n_latent": 0, "batch_size": 2, "clip": -1.0, "weight_decay": -1.0}.items():
        with pytest.raises(MethodError, match=name):
            make("vicreg", **{name: value}).fit(X, genes=genes)
    with pytest.raises(InputError, match="mnn"):
        make("simclr", augment={"mnn": {}}).fit(X, genes=genes)


@pytest.mark.parametrize("name", ALL)
def test_records(name: str) -> None:
    record = registry.get("encoding", name)
    cls = registry.load(record)
    assert cls.deep == record.deep
    assert (
        cls.__module__ == f"sc_annotate.encoders.{importlib.import_module(cls.__module__).__name__.rpartition('.')[2]}"
    )
    assert record.summary
