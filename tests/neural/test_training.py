"""The training loop: equal seeds, nothing global changed, interrupted and resumed."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from sc_annotate.errors import InputError, MethodError, ModelFileError
from sc_annotate.neural import training
from sc_annotate.neural.batches import ArrayBlocks
from sc_annotate.neural.mlp import mlp
from sc_annotate.neural.module import CrossEntropy
from sc_annotate.neural.settings import TrainSettings
from sc_annotate.neural.state import to_arrays


def equal(n_types):
    return lambda: CrossEntropy(np.ones(n_types))


def make():
    return mlp(6, 3, hidden=(8,), input_dropout=0.2, dropout=0.3, batch_norm=True, clip=None)


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(3), 20)
    return ArrayBlocks((rng.normal(size=(60, 6)) + 2 * np.eye(6)[codes]).astype(np.float32), codes)


def how(epochs=6, **more):
    return TrainSettings(epochs=epochs, batch_size=16, learning_rate=0.01, weight_decay=0.1, **more)


def trained(cells, settings, **more):
    network, history = training.train(make, cells, equal(3), settings, rng=more.pop("rng", 5), **more)
    return to_arrays(network), history


def same(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.once
def test_equal_seeds_give_equal_networks(cells):
    first, history = trained(cells, how())
    assert same(first, trained(cells, how())[0])
    assert not same(first, trained(cells, how(), rng=6)[0])
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1]["loss"] < history[0]["loss"]


def test_the_network_comes_back_ready_to_predict(cells):
    network, _ = training.train(make, cells, equal(3), how(2), rng=0)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_nothing_global_is_changed(cells):
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    state, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    loggers = {name: logging.getLogger(name).level for name in ("lightning.pytorch", "lightning.fabric")}
    filters, handler = list(warnings.filters), signal.getsignal(signal.SIGINT)
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    trained(cells, how(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numbers)  # noqa: NPY002
    assert {name: logging.getLogger(name).level for name in loggers} == loggers
    assert warnings.filters == filters
    assert signal.getsignal(signal.SIGINT) is handler
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == (threads, precision)


def test_nothing_is_printed_or_written(cells, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(cells, how(2))
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


class Interrupting:
    """Cells that are interrupted, as by Ctrl-C, in one epoch."""

    def __init__(self, cells, at):
        self.cells, self.at, self.epochs = cells, at, 0
        self.n_cells = cells.n_cells

    def epoch(self, seed):
        if seed[1] == self.at:
            raise KeyboardInterrupt
        yield from self.cells.epoch(seed)


@pytest.mark.once
@pytest.mark.parametrize("at", [1, 4])
def test_interrupted_and_resumed_is_as_uninterrupted(cells, tmp_path, at):
    whole, history = trained(cells, how())
    kept = how(checkpoint=tmp_path / "state.ckpt")
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        trained(Interrupting(cells, at), kept)
    assert signal.getsignal(signal.SIGINT) is handler
    assert [file.name for file in tmp_path.iterdir()] == ["state.ckpt"]
    resumed, rest = trained(cells, kept)
    assert same(whole, resumed)
    assert rest == history


@pytest.mark.once
def test_without_the_checkpoint_it_would_differ(cells, tmp_path):
    """A control of the test above: the epochs after the interruption alone give another network."""
    assert not same(trained(cells, how())[0], trained(cells, how(5))[0])


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x04cos\nsystem\n."])
def test_a_damaged_checkpoint_is_refused(cells, tmp_path, content):
    file = tmp_path / "state.ckpt"
    file.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"'state.ckpt' is no checkpoint"):
        trained(cells, how(checkpoint=file))


@pytest.mark.once
@pytest.mark.parametrize(("error", "ours"), [(KeyboardInterrupt, KeyboardInterrupt), (OSError, InputError)])
def test_interrupted_while_a_checkpoint_is_written(cells, tmp_path, monkeypatch, error, ours):
    """The last whole one stays, and nothing else."""
    from sc_annotate.neural import checkpoints

    original, calls = checkpoints.save_file, []

    def half(tensors, path, **more):
        calls.append(path)
        original(tensors, path, **more)
        if len(calls) == 3:
            path.write_bytes(path.read_bytes()[:100])
            raise error

    whole, history = trained(cells, how())
    kept = how(checkpoint=tmp_path / "state.ckpt")
    monkeypatch.setattr(checkpoints, "save_file", half)
    with pytest.raises(ours):
        trained(cells, kept)
    assert [file.name for file in tmp_path.iterdir()] == ["state.ckpt"]
    resumed, rest = trained(cells, kept)
    assert same(whole, resumed)
    assert rest == history


@pytest.mark.once
@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path):
    """On CPUs, as no GPU is needed for it: the same steps, each on two halves of a minibatch."""
    script = tmp_path / "two.py"
    script.write_text(TWO)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["same", "6", "epochs"]


TWO = """
import numpy as np
from sc_annotate.neural import hardware, training
from sc_annotate.neural.batches import ArrayBlocks
from sc_annotate.neural.mlp import mlp
from sc_annotate.neural.module import CrossEntropy
from sc_annotate.neural.settings import TrainSettings
from sc_annotate.neural.state import to_arrays

def make():
    return mlp(6, 4, hidden=(8,), input_dropout=0, dropout=0, batch_norm=False, clip=None)

codes = np.arange(128) % 4
X = (np.random.default_rng(0).normal(size=(128, 6)) + 2 * np.eye(6)[codes]).astype(np.float32)
cells, held = ArrayBlocks(X, codes), ArrayBlocks(X[::5], codes[::5])
how = TrainSettings(epochs=6, batch_size=16, learning_rate=0.01, weight_decay=0.1, patience=3)
one, history = training.train(make, cells, lambda: CrossEntropy(np.ones(4)), how, rng=1, stop_on=held)
hardware.plan = lambda *_: hardware.Plan("cpu", 2, "ddp_fork", "32-true")
two, other = training.train(make, cells, lambda: CrossEntropy(np.ones(4)), how, rng=1, stop_on=held)
one, two = to_arrays(one), to_arrays(two)
for name in one:
    np.testing.assert_allclose(one[name], two[name], atol=1e-5)
for row, same in zip(history, other, strict=True):
    assert row.keys() == same.keys()
    np.testing.assert_allclose(list(row.values()), list(same.values()), rtol=1e-4)
print("same", len(other), "epochs")
"""


def changed(file, change):
    """A checkpoint that was written, with another state in its header."""
    with safe_open(file, framework="pt") as opened:
        state = json.loads(opened.metadata()["state"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    save_file(tensors, file, metadata={"state": json.dumps(change(state))})


def without(key):
    return lambda state: {"pairs": [pair for pair in state["pairs"] if pair[0] != key]}


def replaced(key, value):
    return lambda state: {"pairs": [[name, value if name == key else held] for name, held in state["pairs"]]}


@pytest.mark.once
@pytest.mark.parametrize(
    "change",
    [
        lambda state: [1],
        lambda state: None,
        without("pytorch-lightning_version"),
        without("state_dict"),
        without("loops"),
        without("optimizer_states"),
        replaced("loops", 3),
        replaced("callbacks", "x"),
        replaced("state_dict", {"pairs": []}),
        replaced("state_dict", {"tensor": "999"}),
        replaced("optimizer_states", None),
    ],
    ids=map(str, range(11)),
)
def test_a_checkpoint_with_another_state_is_refused(cells, tmp_path, change):
    kept = how(checkpoint=tmp_path / "state.ckpt")
    with pytest.raises(KeyboardInterrupt):
        trained(Interrupting(cells, 3), kept)
    changed(kept.checkpoint, change)
    with pytest.raises(ModelFileError, match="Remove it to train from the start"):
        trained(cells, kept)


def test_a_folder_that_goes_away_is_an_error_of_ours(cells, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="checkpoint: nothing can be written"):
        trained(cells, how(checkpoint=tmp_path / "file" / "state.ckpt"))


def test_training_ends_where_held_out_loss_rises(cells):
    """Labels drawn at random cannot be learned, so the loss on other cells soon rises."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 6)).astype(np.float32)
    noise, held = (ArrayBlocks(X[part], rng.integers(0, 3, 30)) for part in (slice(30), slice(30, None)))
    network, history = training.train(make, noise, equal(3), how(200, patience=3), rng=0, stop_on=held)
    losses = [row["held_out_loss"] for row in history]
    assert len(history) < 200
    with torch.inference_mode():
        scores = network(torch.from_numpy(held.X))
        loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(held.codes))
    assert float(loss) == pytest.approx(min(losses), rel=1e-5)


def test_a_loss_that_is_no_number_is_an_error(cells):
    settings = TrainSettings(epochs=3, batch_size=16, learning_rate=1e30, weight_decay=0.0)
    with pytest.raises(MethodError, match="Lower the learning_rate"):
        trained(cells, settings)


def test_a_handler_that_a_library_gives_the_root_logger_is_taken_away(cells):
    class Logging(Interrupting):
        def epoch(self, seed):
            logging.info("not for anyone")
            logging.basicConfig(force=False)
            return super().epoch(seed)

    kept, logging.root.handlers = logging.root.handlers, []
    try:
        trained(Logging(cells, -1), how(2))
        assert logging.root.handlers == []
    finally:
        logging.root.handlers = kept


def test_a_request_to_end_the_process_is_not_taken_for_ctrl_c():
    from lightning.pytorch.utilities.exceptions import SIGTERMException

    from sc_annotate.neural.process import interruptible

    with pytest.raises(SystemExit) as caught, interruptible():
        raise SIGTERMException
    assert caught.value.code == 143
    with pytest.raises(KeyboardInterrupt), interruptible():
        raise SystemExit(1)
