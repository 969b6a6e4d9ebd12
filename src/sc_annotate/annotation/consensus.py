"""Average several results of the same cells, and record where their methods disagree."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import columns
from sc_annotate._data.matrix import check_adata
from sc_annotate._store.slots import AMBIGUOUS, CONFIDENT, GIVEN, LOW_QUALITY, STATUSES, UNFAMILIAR, Slots
from sc_annotate._store.storage import Annotation, check_writable, read_uns, write
from sc_annotate._store.stored import read_annotation, read_probabilities
from sc_annotate.annotation.levels import add_levels_of_consensus, levels_of_methods
from sc_annotate.errors import InputError, StorageError
from sc_annotate.trust import consensus as average
from sc_annotate.trust import pool_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate.annotation.learn_trust import Trust

Absent = Literal["abstain", "zero"]

RANK = (CONFIDENT, AMBIGUOUS, UNFAMILIAR, LOW_QUALITY)
"""Statuses from the best to the worst."""


@dataclass(frozen=True)
class MethodResult:
    """The result of one method, as a consensus takes it in."""

    name: str
    proba: NDArray[np.float32]
    classes: NDArray[np.str_]
    status: NDArray[np.object_]
    labels: NDArray[np.str_]
    uns: dict[str, Any]
    colors: dict[str, str]


def store_consensus(
    adata: AnnData, keys: Sequence[str], *, weights: Sequence[float] | None, absent: Absent, key_added: str
) -> None:
    """Combine stored results under `key_added`."""
    check_adata(adata, what="adata")
    check_writable(adata, key_added)
    keys = columns(keys, "keys", of="names of results")
    if len(keys) < 2 or len(set(keys)) < len(keys):
        raise InputError(f"a consensus needs at least two different keys, not {keys!r}.")
    if key_added in keys:
        raise StorageError(f"key_added={key_added!r} is one of the combined results; choose another name.")
    results = [stored_result(adata, key) for key in keys]
    check_weights(weights, len(keys))
    combined = combine(results, key=key_added, absent=absent, weights=weights)
    levels = levels_of_methods(
        [each.uns.get("levels") for each in results],
        np.unique(np.asarray(combined.obs[key_added], dtype=object).astype(str)).tolist(),
    )
    if levels is not None:
        add_levels_of_consensus(combined, key_added, levels)
    write(adata, key_added, combined)


def check_weights(weights: Any, n: int) -> None:
    """Refuse what cannot be weights of n methods."""
    if weights is None:
        return
    try:
        values = np.asarray(weights, dtype=float)
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if values.shape != (n,) or not np.isfinite(values).all() or values.min() < 0 or values.sum() == 0:
        raise InputError(f"weights must be {n} numbers of 0 or more, one a key, and not all 0, not {weights!r}.")


def stored_result(adata: AnnData, key: str) -> MethodResult:
    """A result that is stored in `adata`."""
    uns, proba = read_uns(adata, key), read_probabilities(adata, key, whole=True)
    columns = read_annotation(adata, key)
    status = np.full(adata.n_obs, None, dtype=object)
    if "status" in columns:
        status = np.asarray(columns["status"].astype(object))
    labels = np.asarray(columns["label"].astype(str), dtype=str)
    palette = adata.uns.get(Slots(key).colors, [])
    colors = dict(zip(adata.obs[key].astype("category").cat.categories, map(str, palette), strict=False))
    return MethodResult(key, proba.to_numpy(), np.asarray(proba.columns, dtype=str), status, labels, uns, colors)


def method_result(key: str, result: Annotation) -> MethodResult:
    """A result that has not been stored yet."""
    slots = Slots(key)
    n = len(result.obs[slots.label])
    status = np.asarray(result.obs[slots.status], dtype=object) if slots.status in result.obs else np.full(n, None)
    if result.proba is None:
        raise StorageError(f"the result {key!r} has no probabilities.")
    classes = np.array([str(c) for c in result.uns["classes"]])
    labels: Any = result.obs[slots.label]
    colors = dict(zip(labels.categories, result.colors or [], strict=False))
    return MethodResult(key, result.proba, classes, status, np.asarray(labels).astype(str), result.uns, colors)


def learn_weights(trusts: Sequence[Trust | None]) -> list[float] | None:
    """The weights that maximise the likelihood of the cells that all methods held out; None where there are none.

    With equal weights a poor method can spoil the average.
    """
    held = [t.held_out for t in trusts if t is not None and t.held_out is not None]
    if len(held) < len(trusts) or len({h[1].shape[1] for h in held}) > 1:
        return None
    cells, shared = held[0][0], held[0][0]
    for other in held[1:]:
        shared = np.intersect1d(shared, other[0])
    if len(shared) < 2:
        return None
    rows = [np.argsort(h[0], kind="stable")[np.searchsorted(np.sort(h[0]), shared)] for h in held]
    codes = held[0][2][np.argsort(cells, kind="stable")[np.searchsorted(np.sort(cells), shared)]]
    return [float(w) for w in pool_weights([h[1][r] for h, r in zip(held, rows, strict=True)], codes)]


def combine(
    results: Sequence[MethodResult], *, key: str, absent: Absent = "abstain", weights: Sequence[float] | None = None
) -> Annotation:
    """The consensus of several results of the same cells, ready to be stored."""
    import pandas as pd

    n = len(results[0].labels)
    given = np.any([each.status == GIVEN for each in results], axis=0)
    labelled = ~given & np.all([np.isfinite(each.proba).all(axis=1) for each in results], axis=0)
    if not labelled.any():
        raise InputError("no cell was labelled by all methods, so there is no consensus.")
    found = average(
        [each.proba[labelled] for each in results], [each.classes for each in results], weights=weights, absent=absent
    )
    proba = np.full((n, len(found.classes)), np.nan, dtype=np.float32)
    disagreement = np.full(n, np.nan, dtype=np.float32)
    disagrees = np.zeros((n, len(results)), dtype=bool)
    proba[labelled], disagreement[labelled], disagrees[labelled] = found.proba, found.disagreement, found.disagrees
    labels = results[0].labels.astype(object)
    labels[labelled] = found.labels
    status = _worst(results, disagrees)
    status[given] = GIVEN
    present = {s for s in status if s is not None}
    model = hashlib.sha256(
        "+".join(str(each.uns["model"]) for each in results).encode() + f"{absent}{weights}".encode()
    ).hexdigest()[:10]
    slots = Slots(key)
    confidence = np.full(n, np.nan, dtype=np.float32)
    confidence[labelled] = found.proba.max(axis=1)
    names = np.array([each.name for each in results], dtype=object)
    obs: dict[str, Any] = {
        slots.label: pd.Categorical(labels, categories=sorted(set(labels.tolist()))),
        slots.confidence: confidence,
        slots.status: pd.Categorical(status, categories=[s for s in STATUSES if s in present]),
        slots.disagreement: disagreement,
        slots.model: pd.Categorical([model if n else None for n in labelled], categories=[model]),
    }
    uns = {
        "method": "consensus",
        "model": model,
        "params": {"keys": names, "absent": absent},
        "weights": np.array([1 / len(results)] * len(results) if weights is None else weights, dtype=float),
        "classes": found.classes.astype(object),
        "proba": "all",
        "methods": names,
        "disagreements": _disagreements(results, disagrees, found.knows),
        "input": {},
        "reference": {},
        "calibration": {"method": "average of the methods'"},
        "baseline": {},
    }
    return Annotation(obs, proba, uns, _colors(results, obs[slots.label].categories), {slots.disagrees: disagrees})


def _disagreements(
    results: Sequence[MethodResult], disagrees: NDArray[np.bool_], knows: NDArray[np.bool_]
) -> pd.DataFrame:
    """A row for each result: its method, the cells that it labels differently, and the types that it does not know."""
    import pandas as pd

    return pd.DataFrame(
        {
            "key": np.array([each.name for each in results], dtype=object),
            "method": np.array([str(each.uns["method"]) for each in results], dtype=object),
            "n_disagreements": disagrees.sum(axis=0).astype(np.int64),
            "n_unknown_types": (~knows).sum(axis=1).astype(np.int64),
        },
        index=[str(i) for i in range(len(results))],
    )


def _colors(results: Sequence[MethodResult], categories: Sequence[str]) -> list[str] | None:
    """The colours of the results, where they have one for every predicted type."""
    color = {name: value for each in results for name, value in each.colors.items()}
    return [color[c] for c in categories] if all(c in color for c in categories) else None


def _worst(results: Sequence[MethodResult], disagrees: NDArray[np.bool_]) -> NDArray[np.object_]:
    """The worst status that a result gives each cell; where methods disagree, at least ambiguous."""
    rank = {s: i for i, s in enumerate(RANK)}
    ranks = np.array([[rank.get(s, -1) for s in each.status] for each in results])
    worst = np.maximum(ranks.max(axis=0), np.where(disagrees.any(axis=1), rank[AMBIGUOUS], -1))
    return np.array([RANK[i] if i >= 0 else None for i in worst], dtype=object)
