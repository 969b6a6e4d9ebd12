"""The losses of the objectives that compare views, on embeddings of cells, cells x dimensions; torch tensors in and out.

They are checked against lightly 1.6 (tests/encoders/test_losses.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def nt_xent(first: torch.Tensor, second: torch.Tensor, temperature: float) -> torch.Tensor:
    """Cross-entropy of finding the other view of a cell among all other views of the minibatch, by cosine / `temperature`.

    Chen et al. 2020, arXiv 2002.05709, equation 1.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    both = normalize(torch.cat([first, second]), dim=1)
    n = len(first)
    logits = both @ both.T / temperature
    logits = logits.masked_fill(torch.eye(2 * n, dtype=torch.bool, device=both.device), float("-inf"))
    other = torch.arange(2 * n, device=both.device).roll(n)
    return cross_entropy(logits, other)


def nt_xent_bank(query: torch.Tensor, key: torch.Tensor, bank: torch.Tensor, temperature: float) -> torch.Tensor:
    """The same with the other view of the cell as the one right answer, and past embeddings (`bank`) as the wrong ones.

    He et al. 2020, arXiv 1911.05722, equation 1.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    q, k = normalize(query, dim=1), normalize(key, dim=1)
    logits = torch.cat([(q * k).sum(dim=1, keepdim=True), q @ bank.T], dim=1) / temperature
    return cross_entropy(logits, torch.zeros(len(q), dtype=torch.long, device=q.device))


def negative_cosine(predicted: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Minus the mean cosine of each cell's two vectors; no gradient reaches the second.

    Chen & He 2021, arXiv 2011.10566, equation 1.
    """
    from torch.nn.functional import cosine_similarity

    return -cosine_similarity(predicted, wanted.detach(), dim=1).mean()


def vicreg(
    first: torch.Tensor, second: torch.Tensor, *, invariance: float, variance: float, covariance: float
) -> torch.Tensor:
    """Views of a cell alike, each dimension with a standard deviation of 1 or more, and dimensions uncorrelated.

    Bardes et al. 2022, arXiv 2105.04906, equation 6; the mean over both views of the second, as in lightly.
    """
    from torch.nn.functional import mse_loss, relu

    spread = off = first.new_zeros(())
    for view in (first, second):
        spread = spread + relu(1 - (view.var(dim=0) + 1e-4).sqrt()).mean() / 2
        centred = view - view.mean(dim=0)
        products = centred.T @ centred / (len(view) - 1)
        off = off + (products.square().sum() - products.diagonal().square().sum()) / view.shape[1]
    return invariance * mse_loss(first, second) + variance * spread + covariance * off


def barlow_twins(first: torch.Tensor, second: torch.Tensor, off_diagonal: float) -> torch.Tensor:
    """Correlation of the dimensions of both views brought to the identity; `off_diagonal` weighs what lies beside it.

    Zbontar et al. 2021, arXiv 2103.03230, equation 1.
    """
    import torch

    a, b = (torch.nn.functional.batch_norm(view, None, None, training=True) for view in (first, second))
    correlation = a.T @ b / len(a)
    on = (correlation.diagonal() - 1).square().sum()
    off = correlation.square().sum() - correlation.diagonal().square().sum()
    return on + off_diagonal * off
