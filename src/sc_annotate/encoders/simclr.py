"""SimCLR: two views of a cell attract, all others in the minibatch repel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sc_annotate._core.arguments import need_positive
from sc_annotate.encoders._views import TwoViews
from sc_annotate.encoders.losses import nt_xent

if TYPE_CHECKING:
    import torch

    from sc_annotate.neural.encoder import Pretrained


@dataclass(kw_only=True)
class SimCLR(TwoViews):
    """Two views of a cell attract each other, and repel all other views of the minibatch (normalised cross-entropy).

    Parameters
    ----------
    temperature
        The lower, the more the nearest other cells count.

    References
    ----------
    Chen et al. 2020, ICML, arXiv 2002.05709; for cells: Ovcharenko et al. 2025 (scSSL-Bench).

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.encoders.simclr import SimCLR
    >>> X = np.random.default_rng(0).random((40, 20)).astype(np.float32)
    >>> model = SimCLR(n_latent=8, epochs=2).fit(X, genes=np.array([f"g{i}" for i in range(20)]))
    >>> model.embed(X).shape
    (40, 8)
    """

    temperature: float = 0.5

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        need_positive(self, "temperature")

    def compare(self, network: Pretrained, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """The loss of both views."""
        return nt_xent(network.project(first), network.project(second), self.temperature)
