"""BYOL: the projection of one view, predicted from the other, by a slowly moving copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sc_annotate.encoders._views import WithPredictor
from sc_annotate.encoders.checks import need_from_zero
from sc_annotate.encoders.losses import negative_cosine
from sc_annotate.encoders.moco import rising

if TYPE_CHECKING:
    import torch

    from sc_annotate.neural.encoder import Pretrained


@dataclass(kw_only=True)
class BYOL(WithPredictor):
    """Predicts, from one view of a cell, what a slowly moving copy of the network makes of the other. No cells repel.

    Parameters
    ----------
    momentum
        How much of the copy stays in each step; it rises to 1 towards the end.

    References
    ----------
    Grill et al. 2020, NeurIPS, arXiv 2006.07733; for cells: Richter et al. 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.encoders.byol import BYOL
    >>> X = np.random.default_rng(0).random((40, 20)).astype(np.float32)
    >>> model = BYOL(n_latent=8, epochs=2).fit(X, genes=np.array([f"g{i}" for i in range(20)]))
    >>> model.embed(X).shape
    (40, 8)
    """

    has_target: ClassVar[bool] = True

    momentum: float = 0.99

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        need_from_zero(self, "momentum", below=1)

    def compare(self, network: Pretrained, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """The loss of both views, each predicted from the other."""
        losses = [
            negative_cosine(network.predict(network.project(own)), network.project_target(other))
            for own, other in ((first, second), (second, first))
        ]
        return (losses[0] + losses[1]) / 2

    def after_step(self, network: Pretrained, done: float) -> None:
        """The copy follows."""
        network.move_target(rising(self.momentum, done))
