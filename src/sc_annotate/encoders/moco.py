"""MoCo: as SimCLR, with past embeddings of a slowly moving copy as the cells that repel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sc_annotate._core.arguments import need_count, need_positive
from sc_annotate.encoders._views import TwoViews
from sc_annotate.encoders.checks import need_from_zero
from sc_annotate.encoders.losses import nt_xent_bank

if TYPE_CHECKING:
    import torch

    from sc_annotate.neural.encoder import Pretrained


def rising(start: float, done: float) -> float:
    """A momentum that rises from `start` to 1 along a cosine as the training goes on.

    Examples
    --------
    >>> rising(0.9, 0.0), rising(0.9, 1.0)
    (0.9, 1.0)
    """
    return 1 - (1 - start) * (math.cos(math.pi * min(1.0, done)) + 1) / 2


@dataclass(kw_only=True)
class MoCo(TwoViews):
    """A view of a cell is to be found among past embeddings of other cells, made by a copy that follows slowly.

    Parameters
    ----------
    temperature
        As of SimCLR.
    momentum
        How much of the copy stays in each step; it rises to 1 towards the end.
    bank_size
        Past embeddings that are kept.

    References
    ----------
    He et al. 2020, CVPR, arXiv 1911.05722; for cells: Ovcharenko et al. 2025 (scSSL-Bench).

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.encoders.moco import MoCo
    >>> X = np.random.default_rng(0).random((40, 20)).astype(np.float32)
    >>> model = MoCo(n_latent=8, epochs=2).fit(X, genes=np.array([f"g{i}" for i in range(20)]))
    >>> model.embed(X).shape
    (40, 8)
    """

    has_target: ClassVar[bool] = True

    temperature: float = 0.5
    momentum: float = 0.996
    bank_size: int = 2048

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        need_positive(self, "temperature")
        need_from_zero(self, "momentum", below=1)
        need_count(self, "bank_size")

    def bank(self) -> tuple[int, int]:
        """Past embeddings."""
        return self.bank_size, self.projector[-1]

    def compare(self, network: Pretrained, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """The loss of both views, each found by the other."""
        keys = network.project_target(second), network.project_target(first)
        pairs = zip((first, second), keys, strict=True)
        losses = [nt_xent_bank(network.project(own), key, network.past(), self.temperature) for own, key in pairs]
        network.remember(keys[0])
        return (losses[0] + losses[1]) / 2

    def after_step(self, network: Pretrained, done: float) -> None:
        """The copy follows."""
        network.move_target(rising(self.momentum, done))
