"""Augmentations: random changes of log values that make views of cells. None modifies its input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sc_annotate._core.codec import shown
from sc_annotate._core.near_names import near_parameters
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


@dataclass(frozen=True, kw_only=True)
class Augmentation(ABC):
    """One change of log values.

    Parameters
    ----------
    p
        Probability that a cell is changed at all.
    """

    needs_neighbours: ClassVar[bool] = False

    p: float = 0.5

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value) or value < 0:
                raise MethodError(f"{name} of {_name_of(self)!r} must be a number of 0 or more, not {value!r}.")
            if name in ("p", "share", "alpha", "rate") and value > 1:
                raise MethodError(f"{name} of {_name_of(self)!r} must be at most 1, not {value!r}.")
            if name == "k" and (value < 1 or value != int(value)):
                raise MethodError(f"k of {_name_of(self)!r} must be a whole number from 1, not {value!r}.")

    def __call__(self, X: torch.Tensor, others: torch.Tensor | None = None) -> torch.Tensor:
        """Cells x genes, changed; `others` are as many neighbouring cells, where the augmentation mixes with these."""
        import torch

        changed = self._change(X, X if others is None else others)
        chosen = torch.rand(len(X), 1, device=X.device) < self.p
        return torch.where(chosen, changed, X)

    @abstractmethod
    def _change(self, X: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """The cells, all of them changed, as a tensor of its own."""


def _some_genes(X: torch.Tensor, share: float) -> torch.Tensor:
    """Boolean, cells x genes: in each cell exactly ``round(share * genes)`` random genes."""
    import torch

    n = round(share * X.shape[1])
    chosen = torch.zeros(X.shape, dtype=torch.bool, device=X.device)
    if n:
        chosen.scatter_(1, torch.rand(X.shape, device=X.device).topk(n, dim=1).indices, True)
    return chosen


@dataclass(frozen=True, kw_only=True)
class Mask(Augmentation):
    """A share of the genes is set to 0, exactly as many in each cell (scSSL-Bench)."""

    share: float = 0.2

    def _change(self, X: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        return X.masked_fill(_some_genes(X, self.share), 0.0)


@dataclass(frozen=True, kw_only=True)
class Dropout(Augmentation):
    """Each value is set to 0 with the probability `rate`, and the others are divided by ``1 - rate`` (Richter et al. 2024)."""

    rate: float = 0.1
    p: float = 1.0

    def _change(self, X: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.nn.functional.dropout(X, self.rate)


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Augmentation):
    """Normal noise with the standard deviation `sd` is added to a share of the genes (scSSL-Bench)."""

    share: float = 0.8
    sd: float = 0.2

    def _change(self, X: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.where(_some_genes(X, self.share), X + self.sd * torch.randn_like(X), X)


@dataclass(frozen=True, kw_only=True)
class InnerSwap(Augmentation):
    """A share of the genes is taken in random pairs, and the two values of each pair are exchanged (scSSL-Bench)."""

    share: float = 0.1

    def _change(self, X: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        import torch

        n = round(self.share * X.shape[1]) // 2
        if not n:
            return X.clone()
        genes = torch.rand(X.shape, device=X.device).topk(2 * n, dim=1).indices
        return X.scatter(1, genes, X.gather(1, genes.roll(n, dims=1)))


@dataclass(frozen=True, kw_only=True)
class CrossOver(Augmentation):
    """A share of the genes gets the values of another random cell of the minibatch (scSSL-Bench)."""

    share: float = 0.25

    def _change(self, X: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        import torch

        n = len(X)
        # Never the cell itself, where there is another.
        step = torch.randint(1, max(2, n), (n,), device=X.device)
        donor = (torch.arange(n, device=X.device) + step) % n
        return torch.where(_some_genes(X, self.share), X[donor], X)


@dataclass(frozen=True, kw_only=True)
class NegativeBinomialNoise(Augmentation):
    """Counts are drawn from negative binomials with random means, normalised to 10,000, logged, multiplied and added.

    Values below 0 become 0 (Richter et al. 2024).
    """

    intensity: float = 0.2
    total_count: float = 10.0
    p: float = 1.0

    def _change(self, X: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        import torch

        counts: Any = torch.distributions.NegativeBinomial(
            torch.tensor(self.total_count, device=X.device), probs=torch.rand_like(X).clamp(max=0.999)
        )
        drawn = counts.sample()
        noise = torch.log1p(1e4 * drawn / drawn.sum(dim=1, keepdim=True).clamp(min=1))
        return (X + self.intensity * noise).clamp(min=0)


@dataclass(frozen=True, kw_only=True)
class MNN(Augmentation):
    """The cell is moved towards one of its mutual nearest neighbours in another batch, by the share `alpha` of the way.

    With ``alpha=1``, the neighbour takes its place: a positive pair across batches, as in CLAIRE (Yan et al. 2023).
    """

    needs_neighbours: ClassVar[bool] = True

    alpha: float = 0.5
    k: float = 5

    def _change(self, X: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        return X.lerp(others, self.alpha)


@dataclass(frozen=True, kw_only=True)
class BBKNN(Augmentation):
    """Each gene gets, with the probability `alpha`, the value of a neighbour from a random batch (scSSL-Bench)."""

    needs_neighbours: ClassVar[bool] = True

    alpha: float = 0.5
    k: float = 5

    def _change(self, X: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.where(torch.rand_like(X) < self.alpha, others, X)


AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "mask": Mask,
    "dropout": Dropout,
    "gaussian": GaussianNoise,
    "inner_swap": InnerSwap,
    "cross_over": CrossOver,
    "nb_noise": NegativeBinomialNoise,
    "mnn": MNN,
    "bbknn": BBKNN,
}


def _name_of(augmentation: Augmentation) -> str:
    return next(name for name, cls in AUGMENTATIONS.items() if type(augmentation) is cls)


def parsed(augment: Mapping[str, Mapping[str, float]] | Sequence[str] | str) -> dict[str, Augmentation]:
    """The named augmentations with their parameters, in order.

    Examples
    --------
    >>> parsed(["mask", "gaussian"])["mask"]
    Mask(p=0.5, share=0.2)
    >>> list(parsed({"mask": {"share": 0.5, "p": 1.0}}))
    ['mask']
    """
    named: Any = [augment] if isinstance(augment, str) else augment
    if not isinstance(named, Mapping | list | tuple) or not all(isinstance(name, str) for name in named):
        raise MethodError(
            f"augment must be names of augmentations, or a dict of these with parameters, not {shown(augment)}."
        )
    wanted = dict(named) if isinstance(named, Mapping) else {name: {} for name in named}
    found = {}
    for name, params in wanted.items():
        if name not in AUGMENTATIONS:
            raise MethodError(f"there is no augmentation {name!r}; there are: {', '.join(AUGMENTATIONS)}.")
        if not isinstance(wanted[name], Mapping):
            raise MethodError(f"the parameters of the augmentation {name!r} must be a dict, not {shown(wanted[name])}.")
        try:
            found[name] = AUGMENTATIONS[name](**dict(params))
        except TypeError as error:
            near = near_parameters(dict(params), [f.name for f in fields(AUGMENTATIONS[name])])
            raise MethodError(f"the augmentation {name!r} refuses {dict(params)!r}: {error}.{near}") from error
    return found
