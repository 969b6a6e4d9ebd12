"""Base of the encoders that are networks: training, coordinates and storage, which all of them share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from sc_annotate._core.arguments import need_choice, need_count, need_positive
from sc_annotate._core.cells import check_cells
from sc_annotate._core.decode import decode
from sc_annotate.encoders._base import Encoder
from sc_annotate.encoders._moments import centred, mean_and_factor
from sc_annotate.encoders.checks import need_fitted, need_from_zero
from sc_annotate.errors import InputError, MethodError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    import torch
    from numpy.typing import NDArray

    from sc_annotate.encoders._base import Arrays
    from sc_annotate.neural.batches import ArrayBlocks
    from sc_annotate.neural.encoder import Pretrained
    from sc_annotate.neural.module import FunctionLoss

_FEWEST_CELLS = 8


@dataclass(kw_only=True)
class TorchEncoder(Encoder):
    """Base of networks pretrained without labels; a subclass writes ``heads`` and ``loss``.

    Parameters
    ----------
    hidden
        Units of each hidden layer of the encoder.
    n_latent
        Coordinates of a cell.
    sd_floor
        Genes are divided by their standard deviation, or by this where it is larger.
    clip
        Largest absolute value of a scaled gene; None: no limit.
    center_batches
        Whether the mean of each gene in each batch is taken off first. Wrong where batches hold different types.
    epochs
        Passes over the cells. None: as many as make 1,000 steps, and 20 at least.
    batch_size
        Cells a step.
    learning_rate
        Largest step size; it rises and falls once in the training (one-cycle).
    weight_decay
        Of the matrices, not of the biases (AdamW).
    checkpoint
        Folder that the state is written to after each epoch; a training with the same data and parameters that was
        interrupted continues from there.
    precision
        As of :class:`~sc_annotate.annotators.torch_mlp.TorchMLP`.
    """

    deep: ClassVar[bool] = True

    hidden: tuple[int, ...] = (128,)
    n_latent: int = 64
    sd_floor: float = 0.1
    clip: float | None = 8.0
    center_batches: bool = False
    epochs: int | None = None
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    checkpoint: str | None = None
    precision: Literal["auto", "32", "16-mixed", "bf16-mixed"] = "auto"

    if TYPE_CHECKING:
        network_: Pretrained = field(init=False)
        n_genes_: int = field(init=False)
        history_: list[dict[str, float]] = field(init=False)  # of an encoder just fitted only

    least_steps: ClassVar[int] = 1000
    least_epochs: ClassVar[int] = 20
    has_target: ClassVar[bool] = False
    """Whether there are copies of encoder and projector that follow slowly (``Pretrained.target``)."""

    @classmethod
    def import_libraries(cls) -> None:
        """Import torch and Lightning; an error says what is wrong with them."""
        from sc_annotate.neural.libraries import lightning

        lightning()

    @abstractmethod
    def heads(self, n_genes: int) -> dict[str, torch.nn.Module]:
        """What is trained beside the encoder, by name: ``projector``, ``predictor``, ``decoder``."""

    def bank(self) -> tuple[int, int] | None:
        """Past embeddings that are kept, and their length; None: none are."""
        return None

    def prepare(self, cells: Any, genes: NDArray[np.str_], batch: NDArray[np.str_] | None, rng: int) -> Any:
        """What `loss` needs of the cells beforehand."""
        return None

    @abstractmethod
    def loss(self, network: Pretrained, X: torch.Tensor, index: torch.Tensor, prepared: Any) -> torch.Tensor:
        """Loss of a minibatch: log values, cells x genes, and the numbers of the cells."""

    def after_step(self, network: Pretrained, done: float) -> None:
        """After each step, `done` being the share of the training that is over."""

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        need_count(self, "n_latent", "batch_size", *(("epochs",) if self.epochs is not None else ()))
        if self.batch_size < 4:
            raise MethodError(
                f"batch_size must be 4 at least, not {self.batch_size}: cells are compared within a step."
            )
        hidden = self.hidden if isinstance(self.hidden, tuple | list) else ()
        if not hidden or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in hidden):
            raise MethodError(
                f"hidden must be one whole number from 1 for each layer, such as (128,), not {self.hidden!r}."
            )
        need_positive(self, "learning_rate", *(("clip",) if self.clip is not None else ()))
        need_from_zero(self, "sd_floor", "weight_decay")
        need_choice(self, "precision", ("auto", "32", "16-mixed", "bf16-mixed"))

    def fit(self, X: Any, *, genes: NDArray[np.str_], batch: NDArray[np.str_] | None = None, rng: int = 0) -> Self:
        """Pretrain."""
        from sc_annotate.neural import libraries
        from sc_annotate.neural.batches import ArrayBlocks
        from sc_annotate.neural.training import train

        self.check()
        cells: Any = check_cells(X, genes=genes, batch=batch)
        if cells.shape[0] < _FEWEST_CELLS:
            raise InputError(f"{cells.shape[0]} cells are too few to pretrain on; {_FEWEST_CELLS} is the least.")
        libraries.lightning()
        if self.center_batches:
            cells = centred(cells, batch)
        mean, factor = mean_and_factor([cells], self.sd_floor)
        if not factor.any():
            raise InputError("no gene varies between the cells. Hand in the genes that do.")
        prepared = self.prepare(cells, np.asarray(genes).astype(str), batch, rng)
        blocks = ArrayBlocks(cells, np.arange(cells.shape[0], dtype=np.intp))
        how = self._settings(blocks, mean, factor, rng)

        def loss() -> FunctionLoss:
            from sc_annotate.neural.module import FunctionLoss

            return FunctionLoss(partial(_loss, self, prepared), self.after_step)

        make = partial(self._network, len(mean), self.has_target, self.bank(), mean, factor)
        network: Any
        network, self.history_ = train(make, blocks, loss, how, rng=rng, what="pretraining")
        if how.checkpoint is not None:
            how.checkpoint.unlink(missing_ok=True)
        self.network_, self.n_genes_ = network.alone(), len(mean)
        return self

    def embed(self, X: Any, *, batch: NDArray[np.str_] | None = None) -> NDArray[np.float32]:
        """Coordinates of cells, before the projector; on a GPU where there is one."""
        from sc_annotate.neural.predict import outputs

        need_fitted(self, "network_")
        cells: Any = check_cells(X, genes=self.n_genes_, batch=batch)
        if self.center_batches:
            cells = centred(cells, batch)
        return outputs(self.network_.encoder, cells, self.n_latent)

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Weights of the encoder and its heads."""
        from sc_annotate.neural.state import to_arrays

        need_fitted(self, "network_")
        return to_arrays(self.network_), {"params": self.params(), "n_genes": self.n_genes_}

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any]) -> Self:
        """Rebuild a fitted encoder."""
        from sc_annotate.neural.state import from_arrays

        if wrong := meta.keys() ^ {"params", "n_genes"}:
            raise ValueError(f"the state lacks or does not know {', '.join(sorted(map(repr, wrong)))}")
        model = decode(cls, dict(meta["params"]), "params")
        model.check()
        n_genes = decode(int, meta["n_genes"], "n_genes")
        model.network_ = from_arrays(partial(model._network, n_genes, False, None), arrays)
        model.n_genes_ = n_genes
        return model

    def params(self) -> dict[str, Any]:
        """Hyperparameters, by name, as far as they change the numbers."""
        found = {name: value for name, value in super().params().items() if name != "checkpoint"}
        return found | {"hidden": [int(n) for n in self.hidden]}

    def _network(
        self,
        n_genes: int,
        target: bool,
        bank: tuple[int, int] | None,
        mean: NDArray[np.float64] | None = None,
        factor: NDArray[np.float64] | None = None,
    ) -> Pretrained:
        import torch

        from sc_annotate.neural.encoder import Encoder as Network
        from sc_annotate.neural.encoder import Pretrained

        encoder = Network(n_genes, tuple(self.hidden), self.n_latent, self.clip)
        if mean is not None and factor is not None:
            encoder.scale.center = torch.as_tensor(mean, dtype=torch.float32)
            encoder.scale.factor = torch.as_tensor(factor, dtype=torch.float32)
        return Pretrained(encoder, self.heads(n_genes), target=target, bank=bank)

    def _settings(self, blocks: ArrayBlocks, mean: NDArray[np.float64], factor: NDArray[np.float64], rng: int) -> Any:
        from sc_annotate.neural.batches import n_minibatches
        from sc_annotate.neural.folders import fingerprint, ready
        from sc_annotate.neural.settings import TrainSettings

        state = None
        if self.checkpoint is not None:
            digest = fingerprint(blocks, [type(self).__name__, self.params(), rng], (mean, factor))
            state = (ready(self.checkpoint) / digest).with_suffix(".ckpt")
        enough = -(-self.least_steps // n_minibatches(blocks.n_cells, self.batch_size))
        return TrainSettings(
            epochs=max(self.least_epochs, enough) if self.epochs is None else int(self.epochs),
            batch_size=int(self.batch_size),
            learning_rate=float(self.learning_rate),
            weight_decay=float(self.weight_decay),
            precision=self.precision,
            checkpoint=state,
        )


def _loss(encoder: TorchEncoder, prepared: Any, network: Any, X: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return encoder.loss(network, X, index, prepared)
