"""Several augmentations, one after the other: a view of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.encoders.augmentations import parsed
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.encoders.augmentations import Augmentation
    from sc_annotate.encoders.neighbours import Neighbours


@public
def augment(
    X: ArrayLike,
    how: Mapping[str, Mapping[str, float]] | Sequence[str] | str,
    *,
    neighbours: Neighbours | None = None,
    rng: int = 0,
) -> NDArray[np.float32]:
    """One view of some cells, to look at: what the encoders that are trained by two views of each cell see.

    Parameters
    ----------
    X
        Log values, cells x genes, dense; not changed.
    how
        Names of augmentations, in the order in which they are applied; or a dict of these with their parameters.
    neighbours
        Of the same cells; for ``"mnn"`` and ``"bbknn"``.
    rng
        Seed.

    Returns
    -------
    The changed cells, float32, cells x genes.

    Raises
    ------
    sc_annotate.errors.MethodError
        An unknown augmentation or parameter.
    sc_annotate.errors.InputError
        An augmentation that mixes with neighbours, without these.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.encoders import augment
    >>> X = np.ones((3, 10), dtype=np.float32)
    >>> (augment(X, {"mask": {"share": 0.3, "p": 1.0}}) == 0).sum(axis=1).tolist()
    [3, 3, 3]
    """
    from sc_annotate.neural import libraries

    torch = libraries.torch()
    cells = np.asarray(X, dtype=np.float32)
    if cells.ndim != 2:
        raise InputError(f"X must be cells x genes, not of shape {cells.shape}.")
    chain = Views(parsed(how), neighbours)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng)
        view: NDArray[np.float32] = chain(torch.from_numpy(cells), torch.arange(len(cells))).numpy().copy()
    return view


@dataclass(frozen=True)
class Views:
    """Several augmentations, one after the other."""

    chain: dict[str, Augmentation]
    neighbours: Neighbours | None

    def __post_init__(self) -> None:
        for name, each in self.chain.items():
            if each.needs_neighbours and self.neighbours is None:
                raise InputError(
                    f"{name!r} mixes cells with neighbours in other batches: name the batches (batch_key)."
                )

    def __call__(self, X: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """A view of the cells with these numbers; never the tensor that was handed in."""
        view = X.clone()
        for name, each in self.chain.items():
            others: Any = None
            if each.needs_neighbours and self.neighbours is not None:
                others = self.neighbours.draw(name, index)
            view = each(view, others)
        return view
