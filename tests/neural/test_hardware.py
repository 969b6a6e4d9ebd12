"""What a network is trained on is a function of what the machine has, so it is tested without GPUs."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from sc_annotate.errors import MethodError
from sc_annotate.neural import hardware
from sc_annotate.neural.hardware import Hardware, Plan, plan

CPU, OLD, NEW = Hardware(), Hardware("cuda", 2), Hardware("cuda", 4, bfloat16=True)
NOTEBOOK = Hardware("cuda", 4, bfloat16=True, interactive=True)


@pytest.mark.parametrize(
    ("precision", "devices", "machine", "expected"),
    [
        ("auto", 1, CPU, Plan("cpu", 1, "auto", "32-true")),
        ("32", 1, CPU, Plan("cpu", 1, "auto", "32-true")),
        ("bf16-mixed", 1, CPU, Plan("cpu", 1, "auto", "bf16-mixed")),
        ("auto", 1, OLD, Plan("cuda", 1, "auto", "32-true")),
        ("16-mixed", 1, OLD, Plan("cuda", 1, "auto", "16-mixed")),
        ("auto", 1, NEW, Plan("cuda", 1, "auto", "bf16-mixed")),
        ("auto", 1, NOTEBOOK, Plan("cuda", 1, "auto", "bf16-mixed")),
        ("32", 1, NEW, Plan("cuda", 1, "auto", "32-true")),
        ("auto", 4, NEW, Plan("cuda", 4, "ddp_spawn", "bf16-mixed")),
        ("auto", 1, Hardware("mps"), Plan("mps", 1, "auto", "32-true")),
    ],
)
def test_the_choice(precision, devices, machine, expected):
    assert plan(precision, devices, machine) == expected


@pytest.mark.parametrize(
    ("precision", "devices", "machine", "words"),
    [
        ("auto", 2, CPU, "devices=2 asks for as many GPUs, and torch finds 0"),
        ("auto", 3, OLD, "torch finds 2"),
        ("auto", 2, Hardware("mps"), "torch finds 0"),
        ("auto", 2, NOTEBOOK, "notebooks cannot"),
        ("16-mixed", 1, CPU, "precision='16-mixed' needs a CUDA GPU"),
        ("bf16-mixed", 1, Hardware("mps"), "needs a CUDA GPU"),
        ("bf16-mixed", 1, OLD, "bfloat16, which this one lacks"),
    ],
)
def test_what_cannot_be_is_refused_by_name(precision, devices, machine, words):
    with pytest.raises(MethodError, match=words):
        plan(precision, devices, machine)


def test_a_notebook_is_seen(monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    assert hardware.find().interactive


class Captured(Exception):
    pass


def test_lightning_gets_what_was_chosen(monkeypatch):
    """A stand-in for the Trainer on a machine with two GPUs."""
    import lightning.pytorch

    from sc_annotate.neural import training
    from sc_annotate.neural.batches import ArrayBlocks
    from sc_annotate.neural.mlp import mlp
    from sc_annotate.neural.module import CrossEntropy
    from sc_annotate.neural.settings import TrainSettings

    seen = {}

    class Trainer:
        def __init__(self, **arguments):
            seen.update(arguments)

        def fit(self, module, cells, held, ckpt_path):
            seen.update(module=module, cells=cells)
            raise Captured

    monkeypatch.setattr(lightning.pytorch, "Trainer", Trainer)
    monkeypatch.setattr(hardware, "find", lambda: Hardware("cuda", 2, bfloat16=True))
    cells = ArrayBlocks(np.ones((70, 3), np.float32), np.arange(70) % 2)
    how = TrainSettings(epochs=3, batch_size=16, learning_rate=0.1, weight_decay=0.0, devices=2)
    with pytest.raises(Captured):
        training.train(
            lambda: mlp(3, 2, hidden=(4,), input_dropout=0, dropout=0, batch_norm=True, clip=None),
            cells,
            lambda: CrossEntropy(np.ones(2)),
            how,
            rng=0,
        )
    chosen = {name: seen[name] for name in ("accelerator", "devices", "strategy", "precision")}
    assert chosen == {"accelerator": "cuda", "devices": 2, "strategy": "ddp_spawn", "precision": "bf16-mixed"}
    # Both GPUs make each step together: the one-cycle schedule has as many steps as on one.
    assert len(seen["cells"]) == 5
    schedule = seen["module"].configure_optimizers()["lr_scheduler"]["scheduler"]
    assert schedule.total_steps == 15
