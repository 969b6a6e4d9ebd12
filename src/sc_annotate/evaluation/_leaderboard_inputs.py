"""Arrays and names of a leaderboard, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


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

    Asked are the methods that predict anything at all, but not ``additive``, which says nothing of single perturbations.
    """
    asked = [i for i, name in enumerate(methods) if name != "additive" and predicted[i].any()]
    scored: NDArray[np.bool_] = np.logical_and.reduce(predicted[asked], axis=0)
    if not scored.any():
        counts = ", ".join(f"{methods[i]} {int(predicted[i].sum())}" for i in asked)
        raise InputError(f"no condition is predicted by all methods ({counts} of {len(names)}). Evaluate them apart.")
    dropped = []
    for j, keep in enumerate(scored):
        missing = [methods[i] for i in asked if not predicted[i, j]]
        dropped.append("" if keep else f"not predicted by {', '.join(missing)}")
    return scored, dropped
