"""A network with its loss and optimiser, as Lightning wants them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
import torch
from torch.nn.functional import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from sc_annotate.neural.batches import Blocks
    from sc_annotate.neural.settings import TrainSettings


class Loss(torch.nn.Module, ABC):
    """What a network is trained by: ``forward`` says how far it is from what is wanted of a minibatch, as a mean over its cells.

    It has no parameters that are learned: those are the network's.
    """

    @abstractmethod
    def forward(self, network: torch.nn.Module, X: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """`X` is cells x genes; `codes`, shape (cells,), what the blocks have beside it."""

    def after_step(self, network: torch.nn.Module, done: float) -> None:
        """After each step, `done` being the share of the training that is over: what moves without a gradient."""


class CrossEntropy(Loss):
    """Of scores over types, each type with its weight; the mean weight over cells must be 1."""

    weights: torch.Tensor

    def __init__(self, weights: NDArray[np.float64]) -> None:
        super().__init__()
        self.register_buffer("weights", torch.as_tensor(weights, dtype=torch.float32), persistent=False)

    def forward(self, network: torch.nn.Module, X: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        each = cross_entropy(network(X).float(), codes, reduction="none")
        return (each * self.weights[codes]).mean()


class FunctionLoss(Loss):
    """A loss that is a function of the network, the cells and what comes beside them; and one that is called after each step."""

    def __init__(
        self,
        loss: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor],
        after: Callable[[Any, float], None] | None = None,
    ) -> None:
        super().__init__()
        self._function, self._after = loss, after

    def forward(self, network: torch.nn.Module, X: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        return self._function(network, X, codes)

    def after_step(self, network: torch.nn.Module, done: float) -> None:
        if self._after is not None:
            self._after(network, done)


class Training(lightning.LightningModule):
    """A network that is trained by a loss."""

    def __init__(self, network: torch.nn.Module, loss: Loss, how: TrainSettings, n_steps: int, seed: int):
        super().__init__()
        self.network, self.loss = network, loss
        self.how, self.n_steps, self.seed = how, n_steps, seed
        self.history: list[dict[str, float]] = []
        self._losses: list[tuple[torch.Tensor, int]] = []
        self._held: list[tuple[torch.Tensor, int]] = []

    def on_train_epoch_start(self) -> None:
        # Each epoch draws from a seed of its own, so that what follows a checkpoint is what would have followed anyway.
        seed = _seed_of(self.seed, self.current_epoch) + self.global_rank
        if self.device.type == "cpu":
            # torch.manual_seed keeps each call, with the text of its stack, for every kind of GPU that is absent.
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        loss: torch.Tensor = self.loss(self.network, *batch)
        self._losses.append((loss.detach(), len(batch[1])))
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.loss.after_step(self.network, self.global_step / self.n_steps)

    def on_train_epoch_end(self) -> None:
        row = {"epoch": float(self.current_epoch + 1), "loss": self._mean(self._losses)}
        if self._held:
            row["held_out_loss"] = self._mean(self._held)
        self.history.append(row)
        self._losses, self._held = [], []

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> None:
        loss = self.loss(self.network, *batch)
        self._held.append((loss, len(batch[1])))
        self.log("held_out_loss", loss, on_epoch=True, batch_size=len(batch[1]), sync_dist=True)

    def configure_optimizers(self) -> Any:
        how = self.how
        learned = [p for p in self.network.parameters() if p.requires_grad]
        decaying, others = [p for p in learned if p.ndim > 1], [p for p in learned if p.ndim <= 1]
        groups = [
            {"params": decaying, "weight_decay": how.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        kind = torch.optim.AdamW if how.decoupled else torch.optim.Adam
        optimizer = kind([group for group in groups if group["params"]], lr=how.learning_rate)
        if how.schedule == "constant":
            return optimizer
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=how.learning_rate, total_steps=max(2, self.n_steps)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def get_extra_state(self) -> list[dict[str, float]]:
        # So that it is in checkpoints, and comes back from other processes, with the weights.
        return list(self.history)

    def set_extra_state(self, state: list[dict[str, float]]) -> None:
        self.history = [dict(row) for row in state]

    def _mean(self, losses: list[tuple[torch.Tensor, int]]) -> float:
        """Mean over the cells, of all processes."""
        total, n = sum(float(loss) * n for loss, n in losses), sum(n for _, n in losses)
        if self.trainer.world_size > 1:
            both = torch.tensor([total, n], dtype=torch.float64, device=self.device)
            total, n = self.trainer.strategy.reduce(both, reduce_op="sum").tolist()
        return total / max(1, n)


class Loader:
    """Minibatches of each epoch as tensors: what Lightning iterates over."""

    def __init__(self, blocks: Blocks, size: int, seed: int, module: Training | None, shares: int = 1) -> None:
        from sc_annotate.neural.batches import n_minibatches

        self.blocks, self.size, self.seed, self.module, self.shares = blocks, size, seed, module, shares
        self._n = n_minibatches(blocks.n_cells, size)

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        from sc_annotate.neural.batches import minibatches

        epoch = 0 if self.module is None else self.module.current_epoch
        share = 0 if self.module is None or self.shares == 1 else self.module.global_rank
        parts = minibatches(self.blocks, self.size, (self.seed, epoch), share=share, shares=self.shares)
        for X, codes in parts:
            yield torch.from_numpy(X), torch.from_numpy(codes)


def _seed_of(seed: int, epoch: int) -> int:
    return (seed * 1_000_003 + epoch) % 2**63
