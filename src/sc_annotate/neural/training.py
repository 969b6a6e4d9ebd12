"""The training loop: Lightning's, without its traces in the process."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import MethodError, ModelFileError, ScAnnotateError
from sc_annotate.neural import hardware, libraries
from sc_annotate.neural.process import as_before, interruptible, lacks_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from sc_annotate.neural.batches import Blocks
    from sc_annotate.neural.module import Loss
    from sc_annotate.neural.settings import TrainSettings


def train(
    make: Callable[[], torch.nn.Module],
    blocks: Blocks,
    loss: Callable[[], Loss],
    how: TrainSettings,
    *,
    rng: int,
    stop_on: Blocks | None = None,
    what: str = "training",
) -> tuple[torch.nn.Module, list[dict[str, float]]]:
    """A trained network, in eval mode on the CPU, and its losses epoch by epoch.

    Parameters
    ----------
    make
        Makes the network; its initial weights are drawn within.
    blocks
        Cells to learn from.
    loss
        Makes what it is trained by.
    how
        Epochs, steps and rates.
    rng
        Seed of the initial weights, of the order of cells and of dropout. Nothing global is left changed.
    stop_on
        Cells held out, whose loss ends the training; the weights with the smallest loss are kept. To be given exactly
        where ``how.patience`` is.
    what
        Shown beside the progress bar.
    """
    lightning, torch = libraries.lightning(), libraries.torch()
    on = hardware.plan(how.precision, how.devices, hardware.find())
    from sc_annotate.neural.callbacks import BestWeights, Progress
    from sc_annotate.neural.checkpoints import SafeCheckpoints
    from sc_annotate.neural.module import Loader, Training

    rng = int(rng)  # seeds of epochs are larger than the integers of numpy
    with as_before(torch):
        torch.manual_seed(rng)
        n_steps = how.epochs * len(Loader(blocks, how.batch_size, rng, None))
        module = Training(make(), loss(), how, n_steps, rng)
        callbacks: list[Any] = [Progress(how.epochs, what)]
        if how.patience is not None:
            callbacks.append(BestWeights(how.patience))
        if how.checkpoint is not None:
            from lightning.pytorch.callbacks import ModelCheckpoint

            callbacks.append(
                ModelCheckpoint(
                    dirpath=how.checkpoint.parent,
                    filename=how.checkpoint.stem,
                    save_top_k=1,
                    every_n_epochs=1,
                    save_on_train_epoch_end=True,
                    enable_version_counter=False,
                )
            )
        trainer = lightning.Trainer(
            **asdict(on),
            max_epochs=how.epochs,
            gradient_clip_val=how.clip_gradient,
            callbacks=callbacks,
            plugins=[SafeCheckpoints()],
            logger=False,
            enable_checkpointing=how.checkpoint is not None,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            inference_mode=False,
        )
        held = None if stop_on is None else Loader(stop_on, how.batch_size, rng, None)
        resumed = how.checkpoint if how.checkpoint is not None and how.checkpoint.exists() else None
        _fit(trainer, module, Loader(blocks, how.batch_size, rng, module, on.devices), held, resumed)
        network = module.network.to("cpu").eval()
    _check_finite(module.history)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network, module.history


def _fit(trainer: Any, module: Any, cells: Any, held: Any, resumed: Any) -> None:
    try:
        with interruptible():
            trainer.fit(module, cells, held, ckpt_path=resumed)
    except (ScAnnotateError, MemoryError):
        raise
    except Exception as error:
        if resumed is None or lacks_memory(error):
            raise
        # What Lightning and torch say of a state that is not as they wrote it is of many kinds.
        said = " ".join(str(error).split())[:200]
        raise ModelFileError(
            f"the training cannot be continued from {resumed.name!r} ({type(error).__name__}: {said}). "
            "Remove it to train from the start."
        ) from error


def _check_finite(history: list[dict[str, float]]) -> None:
    if not history or not np.isfinite(history[-1]["loss"]):
        raise MethodError(
            "the network did not learn: its loss became infinite or NaN. Lower the learning_rate (method_kwargs)."
        )
