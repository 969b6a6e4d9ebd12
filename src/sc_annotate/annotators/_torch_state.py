"""Several networks as flat arrays, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Arrays


def arrays_of(networks: Sequence[torch.nn.Module]) -> Arrays:
    """Weights of all networks, each under its number."""
    from sc_annotate.neural.state import to_arrays

    return {
        f"network{i}.{name}": array for i, network in enumerate(networks) for name, array in to_arrays(network).items()
    }


def networks_from(
    arrays: Arrays, make: Callable[[], torch.nn.Module], n_networks: int, n_genes: int
) -> list[torch.nn.Module]:
    """The networks that `make` makes, with these arrays; a ValueError where they are not all of their own."""
    from sc_annotate.neural.state import from_arrays

    if not 1 <= n_networks <= len(arrays) or not 1 <= n_genes <= 1_000_000:
        raise ValueError("the state speaks of more networks or genes than the file has")
    parts: list[dict[str, NDArray[Any]]] = [{} for _ in range(n_networks)]
    for name, array in arrays.items():
        head, _, rest = name.partition(".")
        number = head.removeprefix("network")
        if not number.isdecimal() or int(number) >= len(parts):
            raise ValueError(f"the array {name!r} is unknown")
        parts[int(number)][rest] = array
    return [from_arrays(make, part) for part in parts]
