"""Base of the objectives that compare two augmented views of each cell."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sc_annotate._core.arguments import need_count
from sc_annotate.encoders._torch import TorchEncoder
from sc_annotate.encoders.augmentations import parsed
from sc_annotate.encoders.chain import Views
from sc_annotate.encoders.neighbours import Neighbours, neighbours
from sc_annotate.errors import InputError, MethodError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from sc_annotate.neural.encoder import Pretrained


@dataclass(kw_only=True)
class TwoViews(TorchEncoder):
    """Base of objectives that compare two augmented views of each cell; a subclass writes ``compare``.

    Parameters
    ----------
    augment
        What makes a view of a cell: names of augmentations, in the order in which they are applied, or a dict of these with
        their parameters (:mod:`sc_annotate.encoders.augmentations`). None: ``{"mask": {"share": 0.3}}``, and with batches
        ``{"mnn": {"alpha": 1.0, "p": 0.5}}`` before it in the second view, so that cells of one type in two batches attract
        each other.
    projector
        Units of the layers between the coordinates and what is compared.
    """

    augment: dict[str, dict[str, float]] | None = None
    projector: tuple[int, ...] = (128, 64)

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        shape = self.projector if isinstance(self.projector, tuple | list) else ()
        if not shape or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in shape):
            raise MethodError(f"projector must be one whole number from 1 for each layer, not {self.projector!r}.")
        if self.augment is not None:
            if not parsed(self.augment):
                raise MethodError("augment is empty: two views of a cell would be the same.")

    def params(self) -> dict[str, Any]:
        """Hyperparameters, by name."""
        found = super().params() | {"projector": [int(n) for n in self.projector]}
        if self.augment is not None:
            found["augment"] = {name: vars(each) for name, each in parsed(self.augment).items()}
        return found

    def prepare(
        self, cells: Any, genes: NDArray[np.str_], batch: NDArray[np.str_] | None, rng: int
    ) -> tuple[Views, Views]:
        """Both views, with the neighbours that they mix cells with."""
        first = second = self.augment if self.augment is not None else {"mask": {"share": 0.3}}
        if self.augment is None and batch is not None and len(set(batch)) > 1:
            second = {"mnn": {"alpha": 1.0, "p": 0.5}} | first
        chains = parsed(first), parsed(second)
        wanted = {name: int(getattr(each, "k", 1)) for name, each in chains[1].items() if each.needs_neighbours}
        found: Neighbours | None = None
        if wanted:
            if batch is None:
                raise InputError(
                    f"{next(iter(wanted))!r} mixes cells with those of other batches: name these (batch_key)."
                )
            found = neighbours(cells, batch, wanted, rng)
        return Views(chains[0], found), Views(chains[1], found)

    def heads(self, n_genes: int) -> dict[str, torch.nn.Module]:
        """The projector."""
        from sc_annotate.neural.encoder import perceptron

        return {"projector": perceptron([self.n_latent, *self.projector])}

    def loss(self, network: Pretrained, X: torch.Tensor, index: torch.Tensor, prepared: Any) -> torch.Tensor:
        """Of two views of each cell."""
        first, second = prepared
        return self.compare(network, first(X, index), second(X, index))

    @abstractmethod
    def compare(self, network: Pretrained, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Loss of two views of the same cells, cells x genes."""


@dataclass(kw_only=True)
class WithPredictor(TwoViews):
    """Base of those that predict the projection of one view from that of the other.

    Parameters
    ----------
    predictor
        Units of the hidden layer of the predictor.
    """

    predictor: int = 64

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        need_count(self, "predictor")

    def heads(self, n_genes: int) -> dict[str, torch.nn.Module]:
        """Projector and predictor."""
        from sc_annotate.neural.encoder import perceptron

        last = self.projector[-1]
        return {**super().heads(n_genes), "predictor": perceptron([last, self.predictor, last])}
