"""Every predictor on the same held-out conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core import registry
from sc_annotate._core.arguments import whole
from sc_annotate._core.progress import track
from sc_annotate.errors import MethodError
from sc_annotate.evaluation import condition_folds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from sc_annotate.evaluation import Split
    from sc_annotate.predictors import Embedding, Screen

LEAVE_ONE_OUT = 50
"""Up to this many conditions each is held out alone; of more, ten folds are."""


@dataclass(frozen=True)
class HeldOut:
    """What models say of conditions that they had not seen.

    ``predicted`` is conditions x genes by model; ``fold`` says in which fold a condition was held out, -1 where in none.
    ``new`` is what the first model of each fold says of other conditions, folds x conditions x genes.
    """

    predicted: dict[str, NDArray[np.float64]]
    why_not: dict[str, NDArray[np.str_]]
    fold: NDArray[np.intp]
    new: NDArray[np.float64]


def maker(name: str, params: Mapping[str, Any], **embeddings: Embedding | None) -> Callable[[], Any]:
    """Unfitted predictors of a registered method; embeddings go to methods that take them."""
    given = {key: value for key, value in embeddings.items() if value is not None}
    cls = registry.load(registry.get("perturbation", name))
    takes = set(getattr(cls, "__dataclass_fields__", {}))
    if given and not set(given) <= takes:
        raise MethodError(
            f"the method {name!r} takes no {' and no '.join(sorted(set(given) - takes))}. 'linear' takes both embeddings, 'knn' one "
            "of perturbations."
        )
    return lambda: registry.make("perturbation", name, {**params, **given})


def predicted(model: Any, targets: Sequence[tuple[str, ...]], n_genes: int) -> NDArray[np.float64]:
    """What a predictor says, checked."""
    out = np.asarray(model.predict(targets), dtype=np.float64)
    if out.shape != (len(targets), n_genes):
        raise MethodError(
            f"{type(model).__name__}.predict gave an array of shape {out.shape}, not {(len(targets), n_genes)}."
        )
    return out


def reasons(model: Any, targets: Sequence[tuple[str, ...]], values: NDArray[np.float64]) -> NDArray[np.str_]:
    """Why conditions are not predicted; a row of NaN has a reason, and nothing else has."""
    said = [str(text or "") for text in model.why_not(targets)]
    lost = np.asarray(~np.isfinite(values).all(axis=1))
    return np.array(
        [(text or "the method gave no number") if gone else "" for text, gone in zip(said, lost, strict=True)],
        dtype=np.str_,
    )


def folds(n: int, n_folds: int | None) -> int:
    """How many folds of `n` conditions."""
    if n_folds is None:
        return n if n <= LEAVE_ONE_OUT else 10
    return min(n, whole(n_folds, "n_folds", least=2))


def splits_of(targets: Sequence[tuple[str, ...]], n_folds: int | None, rng: int) -> list[Split]:
    """Folds of the single conditions, then of the combinations; none of what there is only one of."""
    out: list[Split] = []
    kinds: tuple[tuple[Literal["singles", "combinations"], bool], ...] = (("singles", False), ("combinations", True))
    for kind, several in kinds:
        n = sum((len(each) > 1) == several for each in targets)
        if n > 1 and (several or n < len(targets) or n > 2):
            out += condition_folds(targets, folds(n, n_folds), rng=rng, kind=kind)
    return out


def hold_out(
    screen: Screen,
    makers: Mapping[str, Callable[[], Any]],
    new: Sequence[tuple[str, ...]],
    splits: Sequence[Split],
    *,
    rng: int,
) -> HeldOut:
    """Fit every model without each fold in turn; all see the same conditions."""
    n, p = screen.mean.shape
    found = {name: np.full((n, p), np.nan) for name in makers}
    why = {name: np.full(n, "", dtype=object) for name in makers}
    fold = np.full(n, -1, dtype=np.intp)
    others = np.full((len(splits), len(new), p), np.nan)
    for k, split in enumerate(track(splits, what="holding out conditions", total=len(splits))):
        asked = [screen.targets[i] for i in split.test]
        fold[split.test] = k
        for i, (name, make) in enumerate(makers.items()):
            # Each gets its own: one that works in place must not change what others learn from.
            model = make().fit(screen.select(split.train), rng=rng)
            found[name][split.test] = predicted(model, asked, p)
            why[name][split.test] = reasons(model, asked, found[name][split.test])
            if i == 0 and new:
                others[k] = predicted(model, new, p)
    return HeldOut(found, {name: values.astype(np.str_) for name, values in why.items()}, fold, others)
