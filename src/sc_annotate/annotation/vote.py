"""One label for each cluster, beside the labels of its cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.arguments import Request, default
from sc_annotate._data.obs import check_column
from sc_annotate._store.slots import GIVEN, Slots
from sc_annotate._store.storage import add_columns, read_uns
from sc_annotate._store.stored import read_annotation
from sc_annotate.errors import InputError
from sc_annotate.trust import vote as vote_by_group

if TYPE_CHECKING:
    from anndata import AnnData


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
    import pandas as pd

    stored = read_uns(adata, key)
    columns = read_annotation(adata, key)
    own = {str(name) for name in stored.get("written", ())} | set(Slots(key).obs)
    if isinstance(groupby, str) and groupby in own and groupby in adata.obs:
        raise InputError(
            f"adata.obs[{groupby!r}] (groupby) is part of the result {key!r} itself, so a vote in its groups would tell nothing. "
            "Name a column of clusters, such as 'leiden'."
        )
    groups = check_column(adata, groupby, argument="groupby")
    if groups.isna().any():
        raise InputError(
            f"adata.obs[{groupby!r}] (groupby) is missing for {int(groups.isna().sum())} cells. Fill it or drop them."
        )
    labels = np.asarray(columns["label"].astype(str), dtype=str)
    given = np.zeros(len(labels), dtype=bool)
    if "status" in columns:
        given = np.asarray(columns["status"].astype(object) == GIVEN, dtype=bool)
    # A pre-labelled cell counts as certain.
    confidence = np.where(given, 1.0, np.nan_to_num(np.asarray(columns["confidence"], dtype=float)))
    clusters = np.asarray(groups.astype(str), dtype=str)
    found = vote_by_group(
        labels,
        clusters,
        min_share=request.min_share,
        confidence=confidence,
        guard=request.guard,
        min_confidence=request.min_confidence,
    )
    voted = np.where(given, labels, found.labels)
    share = dict(zip(found.table["group"].tolist(), found.table["share"].tolist(), strict=True))
    slots = Slots(key)
    table = pd.DataFrame({k: pd.Series(v.astype(object) if v.dtype.kind == "U" else v) for k, v in found.table.items()})
    table.index = table.index.astype(str)
    add_columns(
        adata,
        key,
        {
            slots.voted: pd.Categorical(voted.astype(object), categories=sorted(set(voted.tolist()))),
            slots.voted_share: np.array([share[c] for c in clusters.tolist()], dtype=np.float32),
        },
        "vote",
        {
            "groupby": groupby,
            "min_share": float(request.min_share),
            "guard": None if request.guard is None else float(request.guard),
            "min_confidence": float(request.min_confidence),
            "guarded_types": found.guarded_types,
            "n_changed": int((voted != labels).sum()),
            "table": table,
        },
    )
