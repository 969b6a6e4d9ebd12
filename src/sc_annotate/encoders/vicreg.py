"""VICReg: two views alike, with dimensions that vary and do not repeat each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sc_annotate.encoders._views import TwoViews
from sc_annotate.encoders.checks import need_from_zero
from sc_annotate.encoders.losses import vicreg

if TYPE_CHECKING:
    import torch

    from sc_annotate.neural.encoder import Pretrained


@dataclass(kw_only=True)
class VICReg(TwoViews):
    """Two views of a cell are to be alike, each dimension to vary, and no two dimensions to say the same.

    Parameters
    ----------
    invariance, variance, covariance
        Weights of the three.

    References
    ----------
    Bardes et al. 2022, ICLR, arXiv 2105.04906; for cells, with these weights: Ovcharenko et al. 2025 (scSSL-Bench).

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.encoders.vicreg import VICReg
    >>> X = np.random.default_rng(0).random((40, 20)).astype(np.float32)
    >>> model = VICReg(n_latent=8, epochs=2).fit(X, genes=np.array([f"g{i}" for i in range(20)]))
    >>> model.embed(X).shape
    (40, 8)
    """

    invariance: float = 5.0
    variance: float = 5.0
    covariance: float = 1.0

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        need_from_zero(self, "invariance", "variance", "covariance")

    def compare(self, network: Pretrained, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """The loss of both views."""
        weights = {name: getattr(self, name) for name in ("invariance", "variance", "covariance")}
        return vicreg(network.project(first), network.project(second), **weights)
