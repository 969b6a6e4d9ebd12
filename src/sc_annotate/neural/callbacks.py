"""What happens between the epochs of a training: a bar moves on, and it ends where it no longer improves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning

from sc_annotate._core.settings import track

if TYPE_CHECKING:
    from collections.abc import Generator


class Progress(lightning.Callback):
    """A progress bar that moves on by one an epoch."""

    def __init__(self, epochs: int, what: str) -> None:
        self.epochs, self.what = epochs, what
        self.bar: Generator[int] | None = None

    def on_train_start(self, trainer: Any, module: Any) -> None:
        if trainer.is_global_zero:
            self.bar = self._epochs(trainer.current_epoch)
            next(self.bar, None)

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        if self.bar is not None:
            next(self.bar, None)

    def teardown(self, trainer: Any, module: Any, stage: str) -> None:
        if self.bar is not None:
            self.bar.close()

    def _epochs(self, first: int) -> Generator[int]:
        yield from track(range(first, self.epochs), what=self.what)


class BestWeights(lightning.Callback):
    """Stops after `patience` epochs without a smaller loss on held-out cells, and puts the best weights back."""

    def __init__(self, patience: int) -> None:
        self.patience, self.best, self.waited = patience, float("inf"), 0
        self.weights: dict[str, Any] = {}

    def on_validation_epoch_end(self, trainer: Any, module: Any) -> None:
        loss = float(trainer.callback_metrics["held_out_loss"])
        if loss < self.best:
            self.best, self.waited = loss, 0
            self.weights = {name: value.detach().clone() for name, value in module.network.state_dict().items()}
            return
        self.waited += 1
        trainer.should_stop = self.waited >= self.patience

    def on_train_end(self, trainer: Any, module: Any) -> None:
        if self.weights:
            module.network.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.waited, self.weights = float(state["best"]), int(state["waited"]), dict(state["weights"])


class Losses(lightning.Callback):
    """The mean loss of the minibatches of each epoch, as `history`, of networks whose own records are left aside."""

    def __init__(self, network: int) -> None:
        self.network, self.history = network, list[dict[str, float]]()
        self.sum, self.n = 0.0, 0

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        self.sum, self.n = self.sum + float(loss), self.n + 1

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        loss = self.sum / self.n if self.n else float("nan")
        self.history.append({"network": float(self.network), "epoch": len(self.history) + 1.0, "loss": loss})
        self.sum, self.n = 0.0, 0


class ResampledLabels(lightning.Callback):
    """Draws the labelled cells of each epoch anew; scvi-tools leaves that out where it is given callbacks."""

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        trainer.train_dataloader.resample_labels()
