"""An encoder with what it is pretrained beside: heads, and copies of them that follow slowly."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import nn

from sc_annotate.neural.mlp import Scale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self


def perceptron(sizes: Sequence[int], *, last_norm: bool = False, norm: bool = True) -> nn.Sequential:
    """Linear layers with batch normalisation and rectified units between them, and no unit after the last one.

    Examples
    --------
    >>> [type(layer).__name__ for layer in perceptron([5, 4, 3])]
    ['Linear', 'BatchNorm1d', 'ReLU', 'Linear']
    """
    layers: list[nn.Module] = []
    for i, (n_in, n_out) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        if i:
            layers.append(nn.ReLU())
        layers.append(nn.Linear(n_in, n_out))
        if norm and (i < len(sizes) - 2 or last_norm):
            layers.append(nn.BatchNorm1d(n_out))
    return nn.Sequential(*layers)


class Encoder(nn.Module):
    """Scaled genes, hidden layers, and the coordinates of a cell."""

    def __init__(self, n_genes: int, hidden: Sequence[int], n_latent: int, clip: float | None) -> None:
        super().__init__()
        self.scale = Scale(n_genes, clip)
        self.layers = perceptron([n_genes, *hidden, n_latent])

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Log values, cells x genes, in; cells x coordinates out."""
        coordinates: torch.Tensor = self.layers(self.scale(X))
        return coordinates


class Pretrained(nn.Module):
    """An encoder and the heads of its objective; where there is a `momentum`, copies of both that no gradient reaches.

    ``bank`` holds past embeddings, one a row, where an objective compares with these.
    """

    bank: torch.Tensor | None

    def __init__(
        self, encoder: Encoder, heads: Mapping[str, nn.Module], *, target: bool, bank: tuple[int, int] | None
    ) -> None:
        super().__init__()
        self.encoder, self.heads = encoder, nn.ModuleDict(dict(heads))
        self.target = None
        if target:
            self.target = nn.ModuleDict({"encoder": deepcopy(encoder), "projector": deepcopy(self.heads["projector"])})
            self.target.requires_grad_(False)
        # On the unit sphere, as what will replace them.
        self.register_buffer("bank", None if bank is None else nn.functional.normalize(torch.randn(bank), dim=1))

    def project(self, X: torch.Tensor) -> torch.Tensor:
        """Cells through the encoder and the projector."""
        out: torch.Tensor = self.heads["projector"](self.encoder(X))
        return out

    def predict(self, projected: torch.Tensor) -> torch.Tensor:
        """Projected cells through the predictor."""
        out: torch.Tensor = self.heads["predictor"](projected)
        return out

    @torch.no_grad()
    def project_target(self, X: torch.Tensor) -> torch.Tensor:
        """Cells through the copies."""
        if self.target is None:
            raise RuntimeError("this network has no target")
        out: torch.Tensor = self.target["projector"](self.target["encoder"](X))
        return out

    @torch.no_grad()
    def move_target(self, momentum: float) -> None:
        """Bring the copies nearer to what they were copied from: ``target = momentum * target + (1 - momentum) * own``."""
        if self.target is None:
            raise RuntimeError("this network has no target")
        own = [*self.encoder.parameters(), *self.heads["projector"].parameters()]
        copies = [*self.target["encoder"].parameters(), *self.target["projector"].parameters()]
        for copy, parameter in zip(copies, own, strict=True):
            copy.lerp_(parameter, 1 - momentum)

    @torch.no_grad()
    def remember(self, embeddings: torch.Tensor) -> None:
        """Put embeddings, scaled to length 1, in front of the bank; the oldest fall out."""
        past, new = self.past(), nn.functional.normalize(embeddings.detach().float(), dim=1)
        self.bank = torch.cat([new, past])[: len(past)]

    def past(self) -> torch.Tensor:
        """The bank."""
        if self.bank is None:
            raise RuntimeError("this network has no bank")
        return self.bank

    def alone(self) -> Self:
        """Without what only the training needs."""
        self.target = None
        self.bank = None
        return self
