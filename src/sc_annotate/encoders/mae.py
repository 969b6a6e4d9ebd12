"""Masked autoencoder: hidden values of a cell, predicted from the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import need_choice
from sc_annotate.encoders._torch import TorchEncoder
from sc_annotate.encoders.checks import need_fitted, need_from_zero
from sc_annotate.encoders.masks import MaskKind, Masks, masks
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from sc_annotate.neural.encoder import Pretrained

_KINDS = ("random", "programmes", "programme_to_programme", "programme_to_factor")


@dataclass(kw_only=True)
class MAE(TorchEncoder):
    """Masked autoencoder: predicts hidden values of a cell from those that are shown (mean squared error of scaled genes).

    A hidden value is 0 on the scale of the encoder, which is the mean of its gene, so that it cannot reach the encoder; the
    others are divided by the share that is shown.

    Parameters
    ----------
    mask
        Which values are hidden; see :class:`~sc_annotate.encoders.masks.Masks`.
    share
        Of the genes, that are hidden; of ``"random"`` and ``"programmes"``.
    programmes
        Genes by the name of their programme, or by their transcription factor; for the other kinds of masks.

    References
    ----------
    He et al. 2022, CVPR, arXiv 2111.06377; for cells, with all four masks: Richter et al. 2024, Nature Machine Intelligence.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.encoders.mae import MAE
    >>> X = np.random.default_rng(0).random((40, 20)).astype(np.float32)
    >>> model = MAE(n_latent=8, epochs=2).fit(X, genes=np.array([f"g{i}" for i in range(20)]))
    >>> model.embed(X).shape, model.reconstruct(X).shape
    ((40, 8), (40, 20))
    """

    mask: MaskKind = "random"
    share: float = 0.5
    programmes: dict[str, list[str]] | None = None

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        need_choice(self, "mask", _KINDS)
        need_from_zero(self, "share", below=1)
        if self.share == 0:
            raise MethodError("share must be above 0: without hidden values there is nothing to predict.")
        if self.mask == "random" and self.programmes is not None:
            raise MethodError(f"programmes are for mask={', '.join(map(repr, _KINDS[1:]))}; mask='random' has none.")

    def heads(self, n_genes: int) -> dict[str, torch.nn.Module]:
        """The decoder, the encoder's layers turned round."""
        from sc_annotate.neural.encoder import perceptron

        return {"decoder": perceptron([self.n_latent, *reversed(self.hidden), n_genes])}

    def prepare(self, cells: Any, genes: NDArray[np.str_], batch: NDArray[np.str_] | None, rng: int) -> Masks:
        """The masks."""
        return masks(self.mask, self.share, self.programmes, genes)

    def loss(self, network: Pretrained, X: torch.Tensor, index: torch.Tensor, prepared: Masks) -> torch.Tensor:
        """Mean squared error of the values that are to be predicted."""
        scaled = network.encoder.scale(X)
        shown, wanted = prepared.draw(len(X), X.shape[1], X.device)
        share = shown.float().mean(dim=1, keepdim=True).clamp(min=1e-6)
        # The mean of a gene is 0 on this scale; values that are shown are scaled up as by dropout, unless few of many are.
        visible = scaled * shown / (share if self.mask in ("random", "programmes") else 1.0)
        found = network.heads["decoder"](network.encoder.layers(visible)).float()
        squares = (found - scaled).square() * wanted
        loss: torch.Tensor = squares.sum() / wanted.sum().clamp(min=1)
        return loss

    def reconstruct(self, X: Any) -> NDArray[np.float32]:
        """Log values of all genes as the decoder predicts them from the coordinates of the cells, cells x genes."""
        import torch

        from sc_annotate.neural.predict import outputs

        need_fitted(self, "network_")
        network = self.network_
        whole = torch.nn.Sequential(network.encoder, network.heads["decoder"])
        found = outputs(whole, X, self.n_genes_)
        factor = network.encoder.scale.factor.numpy()
        sd = np.divide(1, factor, out=np.zeros_like(factor), where=factor > 0)
        return found * sd + network.encoder.scale.center.numpy()
