"""Which genes decide: attributions of the log-odds of a type, by captum, and the attention of N-ACT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.neural import libraries
from sc_annotate.neural.batches import as_dense
from sc_annotate.neural.predict import device

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from sc_annotate.neural.nact import NACT

_CELLS = 128
_STEPS = 24


def integrated_gradients(
    networks: Sequence[torch.nn.Module], X: Any, codes: NDArray[np.intp], *, steps: int = _STEPS
) -> NDArray[np.float32]:
    """Gradient of the log-odds, averaged on the line from a cell without expression to the cell, times the values.

    The entries of a cell add up to the difference of the log-odds between the two ends, but for the error of `steps`
    (Sundararajan et al. 2017, arXiv:1703.01365). float32, cells x genes; the mean over the networks.
    """
    return _attributed(networks, X, codes, "IntegratedGradients", {"n_steps": steps, "internal_batch_size": _CELLS * 8})


def input_x_gradient(networks: Sequence[torch.nn.Module], X: Any, codes: NDArray[np.intp]) -> NDArray[np.float32]:
    """Gradient of the log-odds times the values, float32, cells x genes; the mean over the networks."""
    return _attributed(networks, X, codes, "InputXGradient", {})


def _attributed(
    networks: Sequence[torch.nn.Module], X: Any, codes: NDArray[np.intp], method: str, options: dict[str, Any]
) -> NDArray[np.float32]:
    torch, captum = libraries.torch(), libraries.captum()
    where = device()
    out = np.zeros(X.shape, dtype=np.float32)
    for network in networks:
        moved = network.to(where)
        explain = getattr(captum, method)(lambda block, codes, of=moved: log_odds(of(block), codes))
        try:
            for start in range(0, X.shape[0], _CELLS):
                rows = slice(start, start + _CELLS)
                block = torch.from_numpy(as_dense(X[rows])).to(where).requires_grad_()
                types = torch.as_tensor(codes[rows]).to(where)
                found = explain.attribute(block, additional_forward_args=(types,), **options)
                out[rows] += found.detach().float().cpu().numpy()
        finally:
            network.to("cpu")
    return (out / len(networks)).astype(np.float32)


def attention(networks: Sequence[NACT], X: Any, codes: NDArray[np.intp]) -> NDArray[np.float32]:
    """Weight of each gene that a cell expresses, 0 elsewhere, float32, cells x genes; the same for all types."""
    return np.where(as_dense(X) != 0, attention_weights(networks, X), np.float32(0))


def attention_x_value(networks: Sequence[NACT], X: Any, codes: NDArray[np.intp]) -> NDArray[np.float32]:
    """Attention times the scaled value, float32, cells x genes: the saliency of Heydari et al. 2022; the same for all types."""
    return _looked_at(networks, X, 2)


def attention_weights(networks: Sequence[NACT], X: Any) -> NDArray[np.float32]:
    """Attention, float32, cells x genes: rows sum to 1; the mean over the networks."""
    return _looked_at(networks, X, 1)


def _looked_at(networks: Sequence[NACT], X: Any, output: int) -> NDArray[np.float32]:
    torch, where = libraries.torch(), device()
    out = np.zeros(X.shape, dtype=np.float32)
    with torch.inference_mode():
        for network in networks:
            moved = network.to(where)
            try:
                for start in range(0, X.shape[0], _CELLS):
                    rows = slice(start, start + _CELLS)
                    block = torch.from_numpy(as_dense(X[rows])).to(where)
                    out[rows] += moved.scores(block)[output].float().cpu().numpy()
            finally:
                network.to("cpu")
    return (out / len(networks)).astype(np.float32)


def log_odds(scores: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Of one type against all others: its score minus the logarithm of the summed exponentials of theirs."""
    torch = libraries.torch()
    rows = torch.arange(len(codes), device=scores.device)
    others = scores.clone()
    others[rows, codes] = -torch.inf
    return scores[rows, codes] - torch.logsumexp(others, dim=1)
