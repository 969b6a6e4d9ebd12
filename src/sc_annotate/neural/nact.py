"""N-ACT: attention over genes, two projection blocks and a shared feed-forward layer."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from sc_annotate.neural.mlp import Scale

Attention = Literal["softmax", "sparsemax", "entmax"]


class NACT(nn.Module):
    """The network of Heydari et al. 2022, as published but for the branches, which had no effect.

    With G genes: attention ``alpha = softmax(A x)`` over the genes of each cell; ``gamma = G alpha * x``, of
    the size of `x` where the attention is even. Each of two blocks
    adds a projection of its input to it, normalises it, and passes it through one feed-forward layer that the two
    share; ``gamma`` is added to what comes out of both. A linear layer with leaky rectification gives the scores.

    Parameters
    ----------
    n_genes, n_types
        Inputs and outputs.
    rank
        Rank of the attention's and the projections' matrices; None: full, G x G, as published.
    feed_forward
        Units of the feed-forward layer.
    attention
        What makes the weights of the genes sum to 1.
    input_dropout
        Share of the genes that are set to 0 while training.
    clip
        Largest absolute value of a scaled gene; None: no limit.
    """

    def __init__(
        self,
        n_genes: int,
        n_types: int,
        *,
        rank: int | None,
        feed_forward: int,
        attention: Attention,
        input_dropout: float,
        clip: float | None,
    ) -> None:
        super().__init__()
        self.scale = Scale(n_genes, clip)
        self.dropout = nn.Dropout(input_dropout)
        self.attention = square(n_genes, rank)
        self.first, self.second = square(n_genes, rank), square(n_genes, rank)
        self.norms = nn.ModuleList(nn.LayerNorm(n_genes) for _ in range(3))
        self.feed = nn.Sequential(nn.Linear(n_genes, feed_forward), nn.ReLU(), nn.Linear(feed_forward, n_genes))
        self.head = nn.Linear(n_genes, n_types)
        self.kind = attention
        for module in self.modules():
            if isinstance(module, nn.Linear) and not module.weight.is_meta:
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.constant_(module.bias, 0.01)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Scores, cells x types, of cells x genes."""
        return self.scores(X)[0]

    def scores(self, X: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Scores (cells x types), attention and attention times value (cells x genes)."""
        x = self.dropout(self.scale(X))
        alpha = self.weights(self.attention(x))
        gamma = alpha * x * x.shape[-1]
        h = self.fed(self.norms[0](self.first(gamma) + gamma)) + gamma
        h = self.fed(self.norms[1](self.second(h) + h)) + gamma
        return nn.functional.leaky_relu(self.head(h)), alpha, gamma

    def fed(self, h: torch.Tensor) -> torch.Tensor:
        """Through the feed-forward layer that both blocks share."""
        return self.norms[2](self.feed(h) + h)

    def weights(self, logits: torch.Tensor) -> torch.Tensor:
        """Weights of the genes of each cell, which sum to 1."""
        if self.kind == "softmax":
            return torch.softmax(logits, dim=-1)
        from sc_annotate.neural import libraries

        library = libraries.entmax()
        return (library.sparsemax if self.kind == "sparsemax" else library.entmax15)(logits, dim=-1)


def square(n: int, rank: int | None) -> nn.Module:
    """A linear layer from n to n, of full rank or through `rank` dimensions."""
    if rank is None or rank >= n:
        return nn.Linear(n, n)
    return nn.Sequential(nn.Linear(n, rank, bias=False), nn.Linear(rank, n))
