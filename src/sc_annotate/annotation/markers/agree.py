"""Compare an annotation with marker lists, and store where they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from logging import INFO, WARNING
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.settings import counted, logger
from sc_annotate._data.obs import with_tables
from sc_annotate._store.slots import Slots
from sc_annotate._store.storage import add_columns, read_uns
from sc_annotate._store.stored import read_annotation
from sc_annotate.annotation.cell_groups import read_groups
from sc_annotate.annotation.markers.agreement import AGREEMENTS, CONTRADICT, Comparison, cell_agreement, compare
from sc_annotate.annotation.markers.lists_of_labels import lists_of_labels
from sc_annotate.annotation.markers.scored import score_cells
from sc_annotate.annotation.result import categorical
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate.annotation.cell_groups import Groups
    from sc_annotate.annotation.markers.markers_request import MarkersRequest


@dataclass(frozen=True)
class Compared:
    """Scores (cells x lists), the agreement and the label of each cell, the list of each label, and the lists."""

    scores: NDArray[np.float64]
    agreement: NDArray[np.int8]
    labels: NDArray[np.str_]
    list_of: dict[str, int]
    lists: NDArray[np.str_]


def store_agreement(
    adata: AnnData,
    key: str,
    markers: Any,
    types: Mapping[str, str] | None,
    groupby: str | None,
    request: MarkersRequest,
    matrix: MatrixRequest,
) -> None:
    """Store the agreement of each cell, and a table of labels (and groups)."""
    read_uns(adata, key)
    column = read_annotation(adata, key)["label"]
    if types is not None and not isinstance(types, Mapping):
        raise InputError(f"types must be a dict from labels to names of lists, not {types!r}.")
    lists = request.lists(markers)
    tables = with_tables(adata)
    groups = None if groupby is None else read_groups(tables, groupby)
    if groups is not None and "" in groups.names:
        raise InputError(f"a group of adata.obs[{groupby!r}] (groupby) has an empty name. Give it one.")
    scored = score_cells(tables, lists, request, matrix)
    missing = np.asarray(column.isna(), dtype=bool)
    labels = np.where(missing, "", np.asarray(column.astype(object), dtype=object)).astype(str)
    occur = np.unique(labels[~missing]).tolist()
    names = scored.matched.types
    own_lists = lists_of_labels(occur, names, scored.matched.term_ids, lists.types, types or {})
    list_of = {label: found.place for label, found in own_lists.items()}
    own = np.array([list_of.get(label, -1) for label in labels.tolist()], dtype=np.intp)
    agreement = cell_agreement(scored.scores, own)
    table = _table(Compared(scored.scores, agreement, labels, list_of, names), groups)
    unmatched = [name for name in occur if name not in list_of]
    matched = sorted(list_of)
    add_columns(
        adata,
        key,
        {Slots(key).markers_agree: categorical(agreement, AGREEMENTS)},
        "markers_agree",
        {
            "markers": lists.source,
            "groupby": groupby,
            **request.to_uns(),
            "table": table,
            "labels": np.array(matched, dtype=object),
            "list_of_label": np.array([str(names[list_of[name]]) for name in matched], dtype=object),
            "matched_by": np.array([own_lists[name].how for name in matched], dtype=object),
            "lists": names.astype(object),
            "scores": np.array([scored.scores[labels == name].mean(axis=0) for name in matched]),
            "unmatched": np.array(unmatched, dtype=object),
            "notes": [
                *scored.matched.problems,
                *scored.found.notes,
                *scored.transform.notes,
                *scored.matched.notes,
            ],
        },
    )
    for problem in scored.matched.problems:
        logger.warning(problem)
    against = table.loc[(table["group"] == "") & (table["agreement"] == CONTRADICT), "type"].tolist()
    if against:
        logger.warning(
            f"the markers contradict the labels {', '.join(against)}: see uns[{key!r}]['markers_agree']['table']"
        )
    if unmatched:
        n = int(np.isin(labels, unmatched).sum())
        left = np.delete(names, sorted(set(list_of.values()))).tolist()
        logger.log(WARNING if 2 * len(unmatched) > len(occur) else INFO, _not_compared(unmatched, len(occur), n, left))


def _not_compared(labels: list[str], n_labels: int, n_cells: int, lists: list[str]) -> str:
    """Labels without a list, lists without a label, and how to bring them together."""
    return (
        f"{len(labels)} of {n_labels} labels ({counted(n_cells, 'cell')}) have no list of their name or meaning, and are not compared: "
        f"{', '.join(map(repr, labels[:10]))}{', ...' if len(labels) > 10 else ''}. Lists without a label: "
        f"{', '.join(map(repr, lists[:10])) or 'none'}. Say which belong together: types={{'label': 'name of a list'}}"
    )


def _table(found: Compared, groups: Groups | None) -> pd.DataFrame:
    """A row for each label, and for each label in each group; contradicted labels first."""
    import pandas as pd

    rows = []
    for label, own in found.list_of.items():
        cells = found.labels == label
        parts = [("", cells)]
        if groups is not None:
            parts += [(str(name), cells & (groups.code == g)) for g, name in enumerate(groups.names)]
        rows += [
            _row(label, name, found.lists, own, compare(found.scores[part], found.agreement[part], own))
            for name, part in parts
            if part.any()
        ]
    table = pd.DataFrame(rows)
    order = {CONTRADICT: 0, "silent": 1, "agree": 2}
    first = table[table["group"] == ""].set_index("type")
    table = table.assign(
        _rank=table["type"].map(first["agreement"].map(order)), _gap=table["type"].map(first["difference"])
    )
    table = table.sort_values(["_rank", "_gap", "type", "group"], kind="stable").drop(columns=["_rank", "_gap"])
    table.index = pd.Index([str(i) for i in range(len(table))], dtype=object)
    return table


def _row(label: str, group: str, lists: NDArray[np.str_], own: int, row: Comparison) -> dict[str, Any]:
    agree, contradict = AGREEMENTS.index("agree"), AGREEMENTS.index(CONTRADICT)
    return {
        "type": label,
        "group": group,
        "list": str(lists[own]),
        "n_cells": row.n,
        "agree": row.shares[agree],
        "agree_low": row.low[agree],
        "agree_high": row.high[agree],
        "contradict": row.shares[contradict],
        "contradict_low": row.low[contradict],
        "contradict_high": row.high[contradict],
        "score": row.own,
        "rival": str(lists[row.rival]),
        "score_rival": row.other,
        "difference": row.difference[0],
        "low": row.difference[1],
        "high": row.difference[2],
        "agreement": row.agreement,
    }
