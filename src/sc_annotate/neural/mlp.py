"""Multilayer perceptrons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class Scale(nn.Module):
    """Genes centred, divided by a scale and clipped; what it holds is stored with the weights."""

    center: torch.Tensor
    factor: torch.Tensor

    def __init__(self, n_genes: int, clip: float | None) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(n_genes))
        self.register_buffer("factor", torch.ones(n_genes))
        # More than single precision holds is no limit.
        self.clip = None if clip is None or clip > torch.finfo(torch.float32).max else float(clip)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Cells x genes in, the same shape out."""
        scaled = (X - self.center) * self.factor
        return scaled if self.clip is None else scaled.clamp(-self.clip, self.clip)


def mlp(
    n_genes: int,
    n_types: int,
    *,
    hidden: Sequence[int],
    input_dropout: float,
    dropout: float,
    batch_norm: bool,
    clip: float | None,
) -> nn.Sequential:
    """Scaled genes, hidden layers of rectified units, and a score a type."""
    layers: list[nn.Module] = [Scale(n_genes, clip), nn.Dropout(input_dropout)]
    n = n_genes
    for units in hidden:
        layers.append(nn.Linear(n, units))
        if batch_norm:
            layers.append(nn.BatchNorm1d(units))
        layers += [nn.ReLU(), nn.Dropout(dropout)]
        n = units
    return nn.Sequential(*layers, nn.Linear(n, n_types))
