"""SimSiam: as BYOL, with the network itself in place of its copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sc_annotate.encoders._views import WithPredictor
from sc_annotate.encoders.losses import negative_cosine

if TYPE_CHECKING:
    import torch

    from sc_annotate.neural.encoder import Pretrained


@dataclass(kw_only=True)
class SimSiam(WithPredictor):
    """Predicts, from one view of a cell, what the network itself makes of the other; no gradient reaches the latter.

    References
    ----------
    Chen & He 2021, CVPR, arXiv 2011.10566; for cells: Ovcharenko et al. 2025 (scSSL-Bench).

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.encoders.simsiam import SimSiam
    >>> X = np.random.default_rng(0).random((40, 20)).astype(np.float32)
    >>> model = SimSiam(n_latent=8, epochs=2).fit(X, genes=np.array([f"g{i}" for i in range(20)]))
    >>> model.embed(X).shape
    (40, 8)
    """

    predictor: int = 16

    def compare(self, network: Pretrained, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """The loss of both views, each predicted from the other."""
        a, b = network.project(first), network.project(second)
        return (negative_cosine(network.predict(a), b) + negative_cosine(network.predict(b), a)) / 2
