"""What trained networks say of cells, a block of these at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.neural import libraries
from sc_annotate.neural.batches import as_dense

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

_CELLS = 1024


def device() -> Any:
    """A GPU where there is one, else the CPU."""
    module = libraries.torch()
    return module.device("cuda") if module.cuda.is_available() else module.device("cpu")


def probabilities(networks: Sequence[torch.nn.Module], X: Any, n_types: int) -> NDArray[np.float32]:
    """Mean over networks of the softmax of their scores, cells x types, float32."""
    module = libraries.torch()
    where = device()
    out = np.zeros((X.shape[0], n_types), dtype=np.float64)
    with module.inference_mode():
        for network in networks:
            moved = network.to(where)
            try:
                for start in range(0, X.shape[0], _CELLS):
                    block = module.from_numpy(as_dense(X[start : start + _CELLS])).to(where)
                    scores = moved(block).double()
                    out[start : start + _CELLS] += module.softmax(scores, dim=1).cpu().numpy()
            finally:
                network.to("cpu")
    return (out / len(networks)).astype(np.float32)


def outputs(network: torch.nn.Module, X: Any, width: int) -> NDArray[np.float32]:
    """What a network makes of each cell, cells x `width`, float32; in eval mode, whatever mode it was left in."""
    module = libraries.torch()
    where = device()
    out = np.empty((X.shape[0], width), dtype=np.float32)
    moved = network.to(where).eval()
    try:
        with module.inference_mode():
            for start in range(0, X.shape[0], _CELLS):
                block = module.from_numpy(as_dense(X[start : start + _CELLS])).to(where)
                out[start : start + _CELLS] = moved(block).float().cpu().numpy()
    finally:
        network.to("cpu")
    return out
