"""Barlow Twins: the dimensions of two views correlate each with itself alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sc_annotate.encoders._views import TwoViews
from sc_annotate.encoders.checks import need_from_zero
from sc_annotate.encoders.losses import barlow_twins

if TYPE_CHECKING:
    import torch

    from sc_annotate.neural.encoder import Pretrained


@dataclass(kw_only=True)
class BarlowTwins(TwoViews):
    """Each dimension of one view is to correlate with the same dimension of the other view, and with no other.

    Parameters
    ----------
    off_diagonal
        Weight of the correlations of different dimensions.

    References
    ----------
    Zbontar et al. 2021, ICML, arXiv 2103.03230; for cells: Richter et al. 2024; Ovcharenko et al. 2025 (scSSL-Bench).

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.encoders.barlow_twins import BarlowTwins
    >>> X = np.random.default_rng(0).random((40, 20)).astype(np.float32)
    >>> model = BarlowTwins(n_latent=8, epochs=2).fit(X, genes=np.array([f"g{i}" for i in range(20)]))
    >>> model.embed(X).shape
    (40, 8)
    """

    off_diagonal: float = 0.005

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        need_from_zero(self, "off_diagonal")

    def compare(self, network: Pretrained, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """The loss of both views."""
        return barlow_twins(network.project(first), network.project(second), self.off_diagonal)
