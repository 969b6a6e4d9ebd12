"""NNCLR: as SimCLR, with the nearest past embedding in place of one view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sc_annotate._core.arguments import need_count, need_positive
from sc_annotate.encoders._views import WithPredictor
from sc_annotate.encoders.losses import nt_xent

if TYPE_CHECKING:
    import torch

    from sc_annotate.neural.encoder import Pretrained


@dataclass(kw_only=True)
class NNCLR(WithPredictor):
    """A view of a cell attracts the past embedding that is nearest to its other view, and repels those of other cells.

    Parameters
    ----------
    temperature
        As of SimCLR.
    bank_size
        Past embeddings that are kept.

    References
    ----------
    Dwibedi et al. 2021, ICCV, arXiv 2104.14548; for cells: Ovcharenko et al. 2025 (scSSL-Bench).

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.encoders.nnclr import NNCLR
    >>> X = np.random.default_rng(0).random((40, 20)).astype(np.float32)
    >>> model = NNCLR(n_latent=8, epochs=2).fit(X, genes=np.array([f"g{i}" for i in range(20)]))
    >>> model.embed(X).shape
    (40, 8)
    """

    temperature: float = 0.5
    bank_size: int = 2048

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        need_positive(self, "temperature")
        need_count(self, "bank_size")

    def bank(self) -> tuple[int, int]:
        """Past embeddings."""
        return self.bank_size, self.projector[-1]

    def compare(self, network: Pretrained, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """The loss of both views, each compared with the neighbour of the other."""
        a, b = network.project(first), network.project(second)
        losses = [
            nt_xent(nearest(own, network.past()), network.predict(other), self.temperature)
            for own, other in ((a, b), (b, a))
        ]
        network.remember(a)
        return (losses[0] + losses[1]) / 2


def nearest(embeddings: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    """The row of `bank`, whose rows have length 1, with the largest cosine to each embedding; without a gradient."""
    from torch.nn.functional import normalize

    place = (normalize(embeddings.detach(), dim=1) @ bank.T).argmax(dim=1)
    found: torch.Tensor = bank[place]
    return found
