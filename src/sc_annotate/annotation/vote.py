"""One label for each cluster, beside the labels of its cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sc_annotate._core.arguments import Request, default
from sc_annotate._core.order import natural
from sc_annotate._core.settings import counted, logger
from sc_annotate._data.obs import as_labels, check_column
from sc_annotate._store.slots import GIVEN, Slots
from sc_annotate._store.storage import add_columns, read_uns
from sc_annotate._store.stored import read_annotation
from sc_annotate.errors import InputError
from sc_annotate.trust import vote as vote_by_group

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._store.storage import Annotation

LEIDEN: Final = "leiden"
"""Of groups: those that over-clustering makes, not a column of ``obs``."""


@dataclass(frozen=True, kw_only=True)
class VoteRequest(Request):
    """When a cluster takes the label of its majority, and which types are guarded."""

    min_share: float = default(0.0)
    guard: float | None = default(0.5)
    min_confidence: float = default(0.5)

    def check(self) -> None:
        if self.guard is None:
            self.refuse("min_confidence", why="has no effect with guard=None. Leave it out, or set guard.")


def store_vote(adata: AnnData, groupby: str, key: str, request: VoteRequest) -> None:
    """Store the label that each cluster votes for."""
    stored = read_uns(adata, key)
    columns = read_annotation(adata, key)
    own = {str(name) for name in stored.get("written", ())} | set(Slots(key).obs)
    groups = _groups(adata, groupby, "groupby", key, own - {Slots(key).clusters})
    voted, metadata = _count(columns, groups, request)
    add_columns(adata, key, _named(voted, key), "vote", {"groupby": groupby, **metadata})


def check_vote(adata: AnnData, vote: Any, key: str) -> None:
    """Refuse what names no groups, before any work is done."""
    if not isinstance(vote, str):
        raise InputError(
            f"vote must be 'leiden' for a majority vote of small clusters, the name of a column of adata.obs, or None, not {vote!r}."
        )
    if vote != LEIDEN:
        _groups(adata, vote, "vote", key, set(Slots(key).obs))
        return
    from sc_annotate.annotation.over_clusters import check_leiden

    check_leiden()
    if LEIDEN in adata.obs:
        logger.info(
            "vote='leiden' makes clusters of its own; those of adata.obs['leiden'] vote with `sca.tl.vote(adata, 'leiden')`"
        )


def add_votes(results: dict[str, Annotation], adata: AnnData, vote: str, matrix: MatrixRequest, rng: int) -> None:
    """Add the votes of the groups to results that are not stored yet, and the groups if they were made here."""
    more: dict[str, Any] = {}
    if vote == LEIDEN:
        from sc_annotate.annotation.over_clusters import over_clusters

        groups, more["resolution"] = over_clusters(adata, matrix, rng)
    else:
        groups = np.asarray(check_column(adata, vote, argument="vote").astype(str), dtype=str)
    for key, result in results.items():
        slots = Slots(key)
        names = {"label": slots.label, "confidence": slots.confidence, "status": slots.status}
        columns = {name: result.obs[column] for name, column in names.items() if column in result.obs}
        voted, metadata = _count(columns, groups, VoteRequest())
        groupby = slots.clusters if vote == LEIDEN else vote
        result.obs |= _named(voted, key)
        if vote == LEIDEN:
            result.obs[groupby] = numbered_or_named(groups)
        result.uns["vote"] = {"groupby": groupby, **more, **metadata}


def _groups(adata: AnnData, groupby: str, argument: str, key: str, own: set[str]) -> NDArray[np.str_]:
    """The group of each cell; `own` are columns that are results themselves."""
    if isinstance(groupby, str) and groupby in own and groupby in adata.obs:
        raise InputError(
            f"adata.obs[{groupby!r}] ({argument}) is part of the result {key!r} itself, so a vote in its groups would "
            "change nothing. Name a column of clusters, such as 'leiden'."
        )
    groups = check_column(adata, groupby, argument=argument)
    if groups.isna().any():
        raise InputError(
            f"adata.obs[{groupby!r}] ({argument}) is missing for {counted(int(groups.isna().sum()), 'cell')}. Fill or drop them."
        )
    return np.asarray(groups.astype(str), dtype=str)


@dataclass(frozen=True)
class _Voted:
    """The label that each cell has after the vote, and the share of its group that the winner has."""

    labels: NDArray[np.str_]
    share: NDArray[np.float32]


def _named(voted: _Voted, key: str) -> dict[str, Any]:
    slots = Slots(key)
    return {slots.voted: numbered_or_named(voted.labels), slots.voted_share: voted.share}


def numbered_or_named(names: NDArray[np.str_]) -> Any:
    """Groups as a categorical, numbers in their order; "" is missing."""
    import pandas as pd

    values = sorted(set(names.tolist()) - {""})
    if all(value.isdecimal() for value in values):
        values = natural(values)
    named = [name or None for name in names.tolist()]
    return pd.Categorical(named, categories=pd.Index(values, dtype=object))


def _count(
    columns: Mapping[str, Any] | pd.DataFrame, clusters: NDArray[np.str_], request: VoteRequest
) -> tuple[_Voted, dict[str, Any]]:
    """The vote of clusters on the labels of a result, and what is recorded of it."""
    import pandas as pd

    # Cells without a label, which other tools may leave, do not vote, but get what their cluster votes for.
    labels, known = as_labels(pd.Series(columns["label"]))
    given = np.zeros(len(labels), dtype=bool)
    if "status" in columns:
        given = np.asarray(columns["status"].astype(object) == GIVEN, dtype=bool)
    confidence = None
    if "confidence" in columns:
        # A pre-labelled cell counts as certain.
        confidence = np.where(given, 1.0, np.nan_to_num(np.asarray(columns["confidence"], dtype=float)))[known]
    else:
        request.refuse("min_confidence", why="the result has no confidence. Leave it out.")
    found = vote_by_group(
        labels[known],
        clusters[known],
        min_share=request.min_share,
        confidence=confidence,
        guard=request.guard,
        min_confidence=request.min_confidence,
    )
    groups = found.table["group"].tolist()
    share = dict(zip(groups, found.table["share"].tolist(), strict=True))
    winner = dict(zip(groups, np.where(found.table["decided"], found.table["winner"], "").tolist(), strict=True))
    voted = np.array([winner.get(c, "") for c in clusters.tolist()], dtype=object)
    voted[known] = found.labels
    voted = np.where(given, labels, voted).astype(str)
    table = pd.DataFrame({k: pd.Series(v.astype(object) if v.dtype.kind == "U" else v) for k, v in found.table.items()})
    table.index = table.index.astype(str)
    metadata = {
        "min_share": float(request.min_share),
        "guard": None if request.guard is None else float(request.guard),
        "min_confidence": float(request.min_confidence),
        "guarded_types": found.guarded_types,
        "n_changed": int((voted != labels).sum()),
        "table": table,
    }
    return _Voted(voted, np.array([share.get(c, np.nan) for c in clusters.tolist()], dtype=np.float32)), metadata
