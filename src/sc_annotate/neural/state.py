"""Networks as flat arrays, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.stored_arrays import Stored, check_arrays
from sc_annotate.neural import libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch
    from numpy.typing import NDArray


def to_arrays(network: torch.nn.Module) -> dict[str, NDArray[np.float32]]:
    """Weights and buffers by name, float32; counters, which predictions do not need, are left out."""
    return {
        name: value.detach().cpu().numpy().astype(np.float32)
        for name, value in network.state_dict().items()
        if value.is_floating_point()
    }


def from_arrays(make: Callable[[], torch.nn.Module], arrays: Mapping[str, NDArray[Any]]) -> torch.nn.Module:
    """The network that `make` makes, with these arrays, in eval mode; a ValueError where they are not all of its own."""
    torch = libraries.torch()
    with torch.device("meta"):
        # Takes no memory, however large a file says that the network is.
        empty = make()
    wanted = {n: Stored("f4", tuple(v.shape)) for n, v in empty.state_dict().items() if v.is_floating_point()}
    found = check_arrays(arrays, wanted)
    network = empty.to_empty(device="cpu")
    state = {
        name: torch.from_numpy(np.array(found[name])) if name in found else torch.zeros_like(value)
        for name, value in network.state_dict().items()
    }
    network.load_state_dict(state)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network.eval()
