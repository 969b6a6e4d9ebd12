"""Arrays of a leaderboard, checked; what one prediction scores, and how well one half of the cells predicts the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.metrics import perturbation as metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

SD_RATIO = "sd_ratio"
"""The one metric that is a number for each gene, not for each condition."""

METRICS = (
    "l2",
    "pearson_delta",
    "pearson_perturbed",
    "centroid_accuracy",
    "discrimination",
    "direction",
    SD_RATIO,
    "sign_accuracy",
)
WEIGHTED = ("weighted_mse", "weighted_r2")

LOWER_IS_BETTER = ("l2", "weighted_mse")

N_CHANGED = 20
"""Genes whose sign is compared: so many of the largest observed changes of a condition."""


@dataclass(frozen=True)
class Task:
    """The truth, and what every prediction of it is held against."""

    truth: NDArray[np.float64]
    control: NDArray[np.float64]
    reference: NDArray[np.float64]
    top: NDArray[np.intp]
    own: list[NDArray[np.intp]]
    changed: NDArray[np.bool_]
    weights: NDArray[np.float64] | None

    @property
    def metrics(self) -> list[str]:
        return [*METRICS, *(WEIGHTED if self.weights is not None else ())]


def make_task(
    truth: NDArray[np.float64],
    control: NDArray[np.float64],
    reference: NDArray[np.float64],
    own: list[NDArray[np.intp]],
    n_top: int | None,
    t: NDArray[np.float64] | None,
) -> Task:
    """Choose the genes that are looked at; `control` is one profile for each condition."""
    p = truth.shape[1]
    top = metrics.top_expressed(control.mean(axis=0), p if n_top is None else min(n_top, p))
    size = np.abs(truth - control if t is None else np.nan_to_num(t))
    # That the target itself goes down, or up, is known beforehand and would be a present to every method.
    for row, columns in enumerate(own):
        size[row, columns] = 0
    outside = np.ones(p, dtype=bool)
    outside[top] = False
    size[:, outside] = 0
    changed = np.zeros(truth.shape, dtype=bool)
    largest = np.argsort(-size, axis=1, kind="stable")[:, :N_CHANGED]
    np.put_along_axis(changed, largest, np.take_along_axis(size, largest, axis=1) > 0, axis=1)
    weights = None if t is None else metrics.de_weights(t)
    return Task(truth, control, reference, top, own, changed, weights)


def score(
    task: Task, predicted: NDArray[np.float64], chosen: Sequence[str] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Metrics, one value a condition; NaN where one is not defined or nothing was predicted. All but the SD ratio."""
    truth, control, reference, own = task.truth, task.control, task.reference, task.own
    how: dict[str, Callable[[], NDArray[np.float64]]] = {
        "l2": lambda: metrics.l2(truth, predicted, genes=task.top),
        "pearson_delta": lambda: metrics.pearson_delta(truth, predicted, control, genes=task.top),
        "pearson_perturbed": lambda: metrics.pearson_delta(truth, predicted, reference),
        "centroid_accuracy": lambda: metrics.centroid_accuracy(truth, predicted),
        "discrimination": lambda: metrics.perturbation_discrimination(truth, predicted, control, exclude=own),
        # Distances ask for the right size as well: of a prediction that shrinks every change to a fifth, as a penalised
        # model does, they give no more than chance. The direction from the mean of perturbed cells does not depend on size.
        "direction": lambda: metrics.perturbation_discrimination(
            truth, predicted, reference, exclude=own, distance="cosine"
        ),
        "sign_accuracy": lambda: metrics.sign_accuracy(truth, predicted, control, task.changed),
    }
    if task.weights is not None:
        weights = task.weights
        how["weighted_mse"] = lambda: metrics.weighted_mse(truth, predicted, weights)
        how["weighted_r2"] = lambda: metrics.weighted_r2(truth, predicted, control, weights)
    return {name: function() for name, function in how.items() if chosen is None or name in chosen}


def chance(metric: str, n: int) -> float:
    """What a metric gives to a prediction that does not depend on which of `n` perturbations it was."""
    if metric in ("discrimination", "direction"):
        return (n + 1) / (2 * n)
    return 0.5 if metric == "centroid_accuracy" else 0.0


def spread(truth: NDArray[np.float64], predicted: NDArray[np.float64], control: NDArray[np.float64]) -> float:
    """How much a prediction varies between conditions, over all genes together, as a share of the truth; no NaN.

    The median over genes of the SD ratio is 0 for a right prediction of a screen that changes few genes; this is not.
    Where controls are matched, a constant gives one profile to all, or one change to all: the smaller counts.
    """
    shares = []
    for origin in (0.0, control):
        total = (truth - origin).var(axis=0).sum()
        # What rounding leaves of profiles that are all alike is no variation.
        if total > 1e-12 * np.square(truth).sum():
            shares.append(float(np.sqrt((predicted - origin).var(axis=0).sum() / total)))
    return min(shares, default=float("nan"))


def replicate(task: Task, halves: Sequence[ArrayLike], scored: NDArray[np.bool_]) -> dict[str, float]:
    """Mean score of one half of the cells as the prediction of the other; changes are to the half's own control."""
    n, p = task.truth.shape
    if len(halves) != 4:
        raise InputError("halves must be (half_1, half_2, control_1, control_2), each conditions x genes.")
    one, two, own_1, own_2 = (
        _half(half, (n, p), name)
        for half, name in zip(halves, ("half_1", "half_2", "control_1", "control_2"), strict=True)
    )
    # A condition of one cell has one half only.
    there: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(np.stack([one, two, own_1, own_2])), axis=(0, 2))
    there &= scored
    if there.sum() < 2:
        return {}
    cut: dict[str, Any] = {
        "own": [own for own, keep in zip(task.own, there, strict=True) if keep],
        "changed": task.changed[there],
        "weights": None if task.weights is None else task.weights[there],
    }
    one, two, own_1, own_2 = one[there], two[there], own_1[there], own_2[there]
    middle = one.mean(axis=0)
    level = replace(task, truth=one, control=own_1, reference=middle, **cut)
    of_change, of_specific = ("pearson_delta", "sign_accuracy", "weighted_r2"), ("pearson_perturbed", "direction")
    rest = [m for m in task.metrics if m not in (*of_change, *of_specific)]
    # Changes are compared with changes, from each half's own control or mean, so that they share no cell.
    found = score(level, two, rest)
    found |= score(level, two - own_2 + own_1, of_change)
    found |= score(level, two - two.mean(axis=0) + middle, of_specific)
    out = {m: _mean(v) for m, v in found.items()}
    out[SD_RATIO] = _median(metrics.sd_ratio(one[:, task.top], two[:, task.top]))
    return {m: out[m] for m in task.metrics}


def _half(half: ArrayLike, shape: tuple[int, int], name: str) -> NDArray[np.float64]:
    array = np.asarray(half, dtype=np.float64)
    if array.ndim == 1 and array.size == shape[1]:
        array = np.broadcast_to(array, shape)
    if array.shape != shape:
        raise InputError(f"{name} (halves) must be of shape {shape}, conditions x genes as truth, not {array.shape}.")
    return array


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")


def profiles(
    values: ArrayLike, name: str, *, finite: bool = True, shape: tuple[int, ...] | None = None
) -> NDArray[np.float64]:
    """`values` as float64, conditions x genes."""
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.size:
        raise InputError(f"{name} must hold numbers, conditions x genes, and at least one of each.")
    if shape is not None and array.shape != shape:
        raise InputError(f"{name} is of shape {array.shape}, but truth is {shape}: conditions x genes, in its order.")
    array = array.astype(np.float64, copy=False)
    if finite and not np.isfinite(array).all():
        raise InputError(f"{name} has NaN or infinite values. Leave those conditions or genes out of all arguments.")
    return array


def profile(values: ArrayLike, n: int, p: int, name: str) -> NDArray[np.float64]:
    """One profile, or one for each condition, as (n, p)."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or array.shape not in ((p,), (n, p)):
        raise InputError(f"{name} must be one profile of {p} genes, or one for each of the {n} conditions.")
    if not np.isfinite(array).all():
        raise InputError(f"{name} has NaN or infinite values. Leave those genes out of all arguments.")
    return np.ascontiguousarray(np.broadcast_to(array.astype(np.float64), (n, p)))


def own_columns(targets: Sequence[tuple[str, ...]], genes: ArrayLike, n: int, p: int) -> list[NDArray[np.intp]]:
    """Columns of each condition's own targets; those that are not read out have none."""
    named = [str(gene) for gene in np.asarray(genes).ravel()]
    if len(named) != p or len(targets) != n:
        raise InputError(
            f"truth has {n} conditions x {p} genes, but there are {len(targets)} targets and {len(named)} genes."
        )
    place = {gene: i for i, gene in enumerate(named)}
    if len(place) < p:
        twice = next(gene for gene in named if named.count(gene) > 1)
        raise InputError(f"genes names {twice!r} more than once. Sum or drop the duplicates first.")
    return [np.array(sorted({place[g] for g in each if g in place}), dtype=np.intp) for each in targets]


def condition_names(conditions: Sequence[str] | None, targets: Sequence[tuple[str, ...]]) -> list[str]:
    """Names of the conditions, each once."""
    names = ["+".join(each) for each in targets] if conditions is None else [str(name) for name in conditions]
    if len(names) != len(targets):
        raise InputError(f"conditions has {len(names)} names for {len(targets)} conditions.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(
            f"the condition {twice!r} occurs more than once. Average its rows, or name them with conditions=."
        )
    return names


def check_predictions(
    predictions: Mapping[str, ArrayLike], shape: tuple[int, ...], names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Predictions as float64; each row is there, or NaN as a whole."""
    out = {}
    for method, values in predictions.items():
        if not isinstance(method, str) or not method:
            raise InputError(f"the name of a method must be a string that is not empty, not {method!r}.")
        array = profiles(values, f"predictions[{method!r}]", finite=False, shape=shape)
        absent = np.isnan(array)
        partly = absent.any(axis=1) & ~absent.all(axis=1)
        if partly.any() or np.isinf(array).any():
            row = int(np.flatnonzero(partly | np.isinf(array).any(axis=1))[0])
            raise InputError(
                f"predictions[{method!r}] has NaN or infinite values in {names[row]!r}. A condition that is not predicted "
                "must be NaN in all genes; leave a gene that is not predicted out of all arguments."
            )
        out[method] = array
    return out


def common(
    methods: Sequence[str], predicted: NDArray[np.bool_], names: Sequence[str]
) -> tuple[NDArray[np.bool_], list[str]]:
    """Conditions that all methods predict, and why the others do not count.

    Those of methods that predict nothing at all do not count, nor those of ``additive``, which predicts no single
    perturbation.
    """
    counted = [i for i, name in enumerate(methods) if name != "additive" and predicted[i].any()]
    scored: NDArray[np.bool_] = np.logical_and.reduce(predicted[counted], axis=0)
    if not scored.any():
        counts = ", ".join(f"{methods[i]} {int(predicted[i].sum())}" for i in counted)
        raise InputError(f"no condition is predicted by all methods ({counts} of {len(names)}). Evaluate them apart.")
    dropped = []
    for j, keep in enumerate(scored):
        missing = [methods[i] for i in counted if not predicted[i, j]]
        dropped.append("" if keep else f"not predicted by {', '.join(missing)}")
    return scored, dropped
