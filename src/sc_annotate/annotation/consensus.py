"""What several methods say together, and where they differ."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._store.slots import AMBIGUOUS, CONFIDENT, GIVEN, LOW_QUALITY, STATUSES, UNFAMILIAR, Slots
from sc_annotate._store.storage import Annotation, check_writable, read_uns, write
from sc_annotate._store.stored import read_calls, read_probabilities
from sc_annotate.annotation.levels import add_levels_of_consensus, levels_of_members
from sc_annotate.errors import InputError, StorageError
from sc_annotate.trust import consensus as average
from sc_annotate.trust import pool_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate.annotation.learn_trust import Trust

SEVERITY = (CONFIDENT, AMBIGUOUS, UNFAMILIAR, LOW_QUALITY)


@dataclass(frozen=True)
class Member:
    """One result that goes into a consensus."""

    name: str
    proba: NDArray[np.float32]
    classes: NDArray[np.str_]
    status: NDArray[np.object_]
    labels: NDArray[np.str_]
    account: dict[str, Any]
    colors: dict[str, str]


def consensus(
    adata: AnnData,
    keys: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
    absent: Literal["abstain", "zero"] = "abstain",
    key_added: str = "consensus",
) -> None:
    """Average the calibrated probabilities of several results, and say where they differ.

    Uncalibrated probabilities are averaged too, but then the most over-confident method decides.

    Parameters
    ----------
    adata
        An object with several annotations of the same cells, each with stored probabilities.
    keys
        Their names (``key_added``), at least two.
    weights
        How much each counts; by default all the same, with which a poor member can make the average worse than the
        best one. ``annotate(method=[...])`` learns weights on held-out cells.
    absent
        What a type that a member does not know means: ``"abstain"``, the member has no opinion on it; ``"zero"``, it
        votes against it.
    key_added
        Name of the result.

    Returns
    -------
    None. Written to `adata`, with the slots of :func:`annotate`:

    ``obs[key_added]``, ``obs[f"{key_added}_confidence"]``, ``obsm[f"{key_added}_proba"]``
        Call, its averaged probability, and all of them.
    ``obs[f"{key_added}_status"]`` : categorical
        The worst status that a member gives the cell; ``"ambiguous"`` also where members call it differently.
    ``obs[f"{key_added}_disagreement"]`` : float32
        Jensen-Shannon divergence between the members: 0, all say the same; 1, each is certain of another type.
    ``obsm[f"{key_added}_dissent"]`` : bool, cells x members
        Which members call the cell otherwise; columns in the order of ``uns[key_added]["members"]``.
    ``obs[f"{key_added}_{level}"]``, ``obs[f"{key_added}_{level}_confidence"]``
        Where all members have the same coarser levels: those of the call, see :func:`annotate`.
    ``uns[key_added]`` : dict
        ``members``, ``weights``, and ``dissent``, the number of cells that each member calls otherwise.

    Raises
    ------
    InputError
        Fewer than two keys, or the same one twice.
    StorageError
        A result that is not there, or has no probabilities; a foreign column in the way.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> reference, query = adata[:500].copy(), adata[500:].copy()
    >>> for method in ("nearest_centroid", "naive_bayes"):
    ...     sca.tl.annotate(query, reference, "cell_type", method=method, cv=0, key_added=method)
    >>> sca.tl.consensus(query, ["nearest_centroid", "naive_bayes"])
    >>> bool((query.obs["consensus_disagreement"] >= 0).all())
    True
    """
    check_writable(adata, key_added)
    if isinstance(keys, str) or len(keys) < 2 or len(set(keys)) < len(keys):
        raise InputError(f"a consensus needs at least two different keys, not {keys!r}.")
    if key_added in keys:
        raise StorageError(f"key_added={key_added!r} is one of the members; choose another name.")
    members = []
    for key in keys:
        stored, proba, calls = read_uns(adata, key), read_probabilities(adata, key, whole=True), read_calls(adata, key)
        status = np.full(adata.n_obs, None, dtype=object)
        if "status" in calls:
            status = np.asarray(calls["status"].astype(object))
        labels = np.asarray(calls["label"].astype(str), dtype=str)
        palette = adata.uns.get(Slots(key).colors, [])
        color = dict(zip(adata.obs[key].astype("category").cat.categories, map(str, palette), strict=False))
        members.append(
            Member(key, proba.to_numpy(), np.asarray(proba.columns, dtype=str), status, labels, stored, color)
        )
    check_weights(weights, len(keys))
    result = combine(members, key=key_added, absent=absent, weights=weights)
    levels = levels_of_members(
        [m.account.get("levels") for m in members],
        np.unique(np.asarray(result.obs[key_added], dtype=object).astype(str)).tolist(),
    )
    if levels is not None:
        add_levels_of_consensus(result, key_added, levels)
    write(adata, key_added, result)


def check_weights(weights: Any, n: int) -> None:
    """Refuse what are no weights of n members."""
    if weights is None:
        return
    try:
        values = np.asarray(weights, dtype=float)
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if values.shape != (n,) or not np.isfinite(values).all() or values.min() < 0 or values.sum() == 0:
        raise InputError(f"weights must be {n} numbers of 0 or more, one a key, and not all 0, not {weights!r}.")


def member(key: str, result: Annotation) -> Member:
    """A result that has not been stored yet."""
    slots = Slots(key)
    n = len(result.obs[slots.call])
    status = np.asarray(result.obs[slots.status], dtype=object) if slots.status in result.obs else np.full(n, None)
    if result.proba is None:
        raise StorageError(f"the result {key!r} has no probabilities.")
    classes = np.array([str(c) for c in result.uns["classes"]])
    call: Any = result.obs[slots.call]
    color = dict(zip(call.categories, result.colors or [], strict=False))
    return Member(key, result.proba, classes, status, np.asarray(call).astype(str), result.uns, color)


def learn_weights(trusts: Sequence[Trust | None]) -> list[float] | None:
    """How much each method should count, from the cells that all of them held out; None where that is not known.

    Equal weights let a poor member spoil the average; these maximise its likelihood.
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
    members: Sequence[Member],
    *,
    key: str,
    absent: Literal["abstain", "zero"] = "abstain",
    weights: Sequence[float] | None = None,
) -> Annotation:
    """The consensus of several results of the same cells, ready to be stored."""
    import pandas as pd

    n = len(members[0].labels)
    given = np.any([m.status == GIVEN for m in members], axis=0)
    named = ~given & np.all([np.isfinite(m.proba).all(axis=1) for m in members], axis=0)
    if not named.any():
        raise InputError("no cell was named by all members, so there is nothing to agree on.")
    found = average([m.proba[named] for m in members], [m.classes for m in members], weights=weights, absent=absent)
    proba = np.full((n, len(found.classes)), np.nan, dtype=np.float32)
    disagreement = np.full(n, np.nan, dtype=np.float32)
    dissent = np.zeros((n, len(members)), dtype=bool)
    proba[named], disagreement[named], dissent[named] = found.proba, found.disagreement, found.dissent
    calls = members[0].labels.astype(object)
    calls[named] = found.labels
    status = _worst(members, dissent)
    status[given] = GIVEN
    present = {s for s in status if s is not None}
    model = hashlib.sha256(
        "+".join(str(m.account["model"]) for m in members).encode() + f"{absent}{weights}".encode()
    ).hexdigest()[:10]
    slots = Slots(key)
    confidence = np.full(n, np.nan, dtype=np.float32)
    confidence[named] = found.proba.max(axis=1)
    names = np.array([m.name for m in members], dtype=object)
    obs: dict[str, Any] = {
        slots.call: pd.Categorical(calls, categories=sorted(set(calls.tolist()))),
        slots.confidence: confidence,
        slots.status: pd.Categorical(status, categories=[s for s in STATUSES if s in present]),
        slots.disagreement: disagreement,
        slots.model: pd.Categorical([model if n else None for n in named], categories=[model]),
    }
    uns = {
        "method": "consensus",
        "model": model,
        "params": {"keys": names, "absent": absent},
        "weights": np.array([1 / len(members)] * len(members) if weights is None else weights, dtype=float),
        "classes": found.classes.astype(object),
        "proba": "all",
        "members": names,
        "dissent": pd.DataFrame(
            {
                "member": names,
                "method": np.array([str(m.account["method"]) for m in members], dtype=object),
                "n_dissent": dissent.sum(axis=0).astype(np.int64),
                "n_unknown_types": (~found.knows).sum(axis=1).astype(np.int64),
            },
            index=[str(i) for i in range(len(names))],
        ),
        "input": {},
        "reference": {},
        "calibration": {"method": "average of the members'"},
        "baseline": {},
    }
    return Annotation(obs, proba, uns, _colors(members, obs[slots.call].categories), {slots.dissent: dissent})


def _colors(members: Sequence[Member], categories: Sequence[str]) -> list[str] | None:
    """The members' colours, where they have one for every called type."""
    color = {name: value for m in members for name, value in m.colors.items()}
    return [color[c] for c in categories] if all(c in color for c in categories) else None


def _worst(members: Sequence[Member], dissent: NDArray[np.bool_]) -> NDArray[np.object_]:
    """The worst status that a member gives a cell; where calls differ, at least ambiguous."""
    rank = {s: i for i, s in enumerate(SEVERITY)}
    ranks = np.array([[rank.get(s, -1) for s in m.status] for m in members])
    worst = np.maximum(ranks.max(axis=0), np.where(dissent.any(axis=1), rank[AMBIGUOUS], -1))
    return np.array([SEVERITY[i] if i >= 0 else None for i in worst], dtype=object)
