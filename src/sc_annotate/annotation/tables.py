"""Stored results as tables: which cluster is what, and several results side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import columns, whole
from sc_annotate._core.order import shown_order
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.obs import check_column
from sc_annotate._store.slots import LOW_QUALITY, UNFAMILIAR
from sc_annotate._store.stored import read_annotation, result_keys
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData


def clusters(adata: AnnData, key: str, groupby: str | None, top: int | None) -> pd.DataFrame:
    """A row for each cluster and label in it; see :func:`sc_annotate.get.clusters`."""
    import pandas as pd

    most = None if top is None else whole(top, "top", least=1)
    frame = read_annotation(adata, key)
    groupby = _of_vote(adata, key) if groupby is None else groupby
    group = check_column(adata, groupby, argument="groupby").astype("category").cat.remove_unused_categories()
    if not len(group.cat.categories):
        raise InputError(f"adata.obs[{groupby!r}] (groupby) has no value in any cell. Name another column.")
    order = {name: i for i, name in enumerate(shown_order([str(c) for c in group.cat.categories]))}
    cells = pd.DataFrame(
        {
            "cluster": np.asarray(group.astype(object).map(str, na_action="ignore"), dtype=object),
            "label": np.asarray(frame["label"].astype(object).map(str, na_action="ignore"), dtype=object),
            "confidence": np.asarray(frame["confidence"], dtype=float) if "confidence" in frame else np.nan,
            "status": np.asarray(frame["status"].astype(object), dtype=object) if "status" in frame else None,
        }
    )
    cells = cells[cells["cluster"].notna().to_numpy()]
    whole_cluster = _of_clusters(cells)
    found = cells.groupby(["cluster", "label"], sort=False)["confidence"].agg(["size", "mean"]).reset_index()
    table = found.rename(columns={"size": "n_cells", "mean": "confidence"}).join(whole_cluster, on="cluster")
    table["share"] = table["n_cells"] / table["cluster_size"]
    table["place"] = table["cluster"].map(order)
    # Of equally common labels the more certain stands first.
    table = table.sort_values(
        ["place", "n_cells", "confidence", "label"], ascending=[True, False, False, True], ignore_index=True
    )
    table["rank"] = table.groupby("cluster", sort=False).cumcount() + 1
    if most is not None:
        table = table[table["rank"] <= most].reset_index(drop=True)
    first = ["cluster", "cluster_size", "rank", "label", "n_cells", "share", "confidence"]
    return table[[*first, *(c for c in whole_cluster if c != "cluster_size")]]


def _of_vote(adata: AnnData, key: str) -> str:
    """The groups that voted, or were labelled as a whole by marker lists."""
    entry = adata.uns.get(key)
    vote = entry.get("vote") if isinstance(entry, Mapping) else None
    groupby = vote.get("groupby") if isinstance(vote, Mapping) else None
    params = entry.get("params") if isinstance(entry, Mapping) else None
    if groupby is None and isinstance(params, Mapping) and isinstance(entry.get("markers"), Mapping):
        groupby = params.get("groupby") or entry["markers"].get("clusters")
    if groupby is None:
        raise InputError(
            f"groupby is needed, as no groups that voted are stored with {key!r}: name a column of adata.obs, such as your clusters."
        )
    return str(groupby)


def _of_clusters(cells: pd.DataFrame) -> pd.DataFrame:
    """A row for each cluster: its cells, and, where there is a status, the shares that should not be trusted."""
    group = cells["cluster"]
    table = group.value_counts(sort=False).rename("cluster_size").to_frame()
    if cells["status"].notna().any():
        for name in (UNFAMILIAR, LOW_QUALITY):
            table[name] = (cells["status"] == name).groupby(group).mean()
    return table


def side_by_side(adata: AnnData, keys: Sequence[str] | str | None) -> pd.DataFrame:
    """Several results of the same cells, and how far they agree; see :func:`sc_annotate.get.annotations`."""
    import pandas as pd

    check_adata(adata, what="adata")
    if keys is None:
        names = result_keys(adata)
        if not names:
            raise StorageError("adata has no annotation. Run `sca.tl.annotate(adata, ...)` first.")
    else:
        names = columns([keys] if isinstance(keys, str) else keys, "keys", of="names of results")
        if not names or len(set(names)) < len(names):
            raise InputError(f"keys must name at least one result, each once, not {keys!r}.")
    found: dict[str, Any] = {}
    labels = []
    for name in names:
        frame = read_annotation(adata, name)
        labels.append(np.asarray(frame["label"].astype(object).map(str, na_action="ignore"), dtype=object))
        found |= {name: frame["label"]}
        found |= {f"{name}_{part}": frame[part] for part in ("confidence", "status") if part in frame}
    if clash := {"n_labels", "agreement", "commonest"} & set(found):
        raise InputError(
            f"a result is named {clash.pop()!r}, as a column of this table is. Leave it out of keys, or annotate again with "
            "another key_added."
        )
    table = pd.DataFrame(found)
    every = pd.DataFrame(dict(enumerate(labels)), index=table.index)
    table["n_labels"], table["agreement"], table["commonest"] = _agreement(every)
    return table


def _agreement(labels: pd.DataFrame) -> tuple[Any, Any, Any]:
    """How many different labels each cell has, the share of its results with the commonest, and that label.

    Of equally common ones that of the earlier result.
    """
    import pandas as pd

    names = pd.unique(labels.to_numpy().ravel())
    names = np.array([n for n in names if isinstance(n, str)], dtype=object)
    codes = np.stack([pd.Categorical(labels[c], categories=names).codes for c in labels], axis=1)
    known = codes >= 0
    # Votes for the label of each result, in turn: results are few.
    votes = np.stack([((codes == codes[:, [j]]) & known).sum(axis=1) for j in range(codes.shape[1])], axis=1)
    votes[~known] = 0
    best = votes.argmax(axis=1)
    rows = np.arange(len(codes))
    n_known = known.sum(axis=1)
    with np.errstate(invalid="ignore"):
        share = np.where(n_known > 0, votes[rows, best] / np.maximum(n_known, 1), np.nan)
        n_labels = np.rint(np.where(known, 1 / np.maximum(votes, 1), 0).sum(axis=1)).astype(np.int64)
    commonest = pd.Categorical.from_codes(np.where(n_known > 0, codes[rows, best], -1), categories=pd.Index(names))
    return n_labels, share, commonest
