"""Whether the user's own marker lists say the same as an annotation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.progress import logger
from sc_annotate._data.lazy import with_tables
from sc_annotate._store.slots import DEFAULT_KEY, Slots
from sc_annotate._store.storage import add_columns, read_uns
from sc_annotate._store.stored import read_annotation
from sc_annotate._vocabulary.marker_lists.lists import read_markers
from sc_annotate.annotation.markers.agreement import CONTRADICT, WORDS, Row, cell_verdicts, judge
from sc_annotate.annotation.markers.annotate import groups_of, read_rule
from sc_annotate.annotation.markers.scored import score_cells
from sc_annotate.annotation.markers.types_of_lists import lists_of_calls
from sc_annotate.annotation.result import categorical
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.transform import Stated


def markers_agree(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    markers: Any,
    types: Mapping[str, str] | None = None,
    groupby: str | None = None,
    method_kwargs: Mapping[str, Any] | None = None,
    layer: str | None = None,
    use_raw: bool | None = None,
    gene_symbols: str | None = None,
    total_counts_key: str | None = None,
    values: Stated | None = None,
) -> None:
    """Say which calls your own marker lists contradict, with numbers.

    Each cell gets a score for each list (see ``annotate(method="markers")``). A cell agrees where the list of its call
    scores highest and stands out of the cell's other genes; it contradicts where another list stands out and is clearly
    ahead; else the lists are silent, as they often are for a single cell of few molecules. So look at the table, which
    judges all cells of a call together: there a silent list is one that does not tell the call from its rival.

    A contradiction does not say who is wrong, the call or the list.

    Parameters
    ----------
    adata
        An annotated object.
    key
        Name of the result (``key_added``).
    markers
        Genes of each type: a dict, a table, the path of a CSV file or the name of a packaged list, as in
        :func:`annotate`.
    types
        Which list a call belongs to: called type to name of a list. Others are matched by equal names, then by names
        that differ in case, punctuation, plurals and the word "cell" only. Calls without a list are listed, and their
        cells left out.
    groupby
        Column of ``obs``: the calls are looked at in each of its groups (clusters, samples) as well.
    method_kwargs
        ``score``, ``min_genes``, ``min_support`` and names of columns, as for ``annotate(method="markers")``.
    layer, use_raw, gene_symbols, total_counts_key, values
        Which values of `adata`, as in :func:`annotate`.

    Returns
    -------
    None. Written to `adata`:

    ``obs[f"{key}_markers_agree"]`` : categorical
        ``"agree"``, ``"contradict"`` or ``"silent"``; missing where the call has no list.
    ``uns[key]["markers_agree"]`` : dict
        ``table``: a row for each call (and group), contradicted ones first: ``type``, ``group`` ("" for all cells), ``list``,
        ``n_cells``, shares of cells that agree and contradict with 95 % intervals (Wilson), ``score`` of the own list,
        ``rival`` and ``score_rival``, their ``difference`` with a 95 % interval (``low``, ``high``), and the ``verdict``.
        ``scores``: mean scores, ``calls`` x ``lists``. ``unmatched``: calls without a list. ``notes``.

    Raises
    ------
    StorageError
        No such result, or a foreign column in the way.
    LabelError
        No call has a list, or `types` names a call or list that is not there.
    InputError
        The lists, the values or the genes cannot be used.
    MissingExtraError
        decoupler is not installed.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sca.tl.markers_agree(query, markers="pbmc", types={"CD19+ B": "B cell"})
    >>> query.uns["annotation"]["markers_agree"]["table"][["type", "verdict"]].values.tolist()
    [['CD19+ B', 'agree']]
    """
    read_uns(adata, key)
    calls = read_annotation(adata, key)
    rule = read_rule(method_kwargs)
    lists = read_markers(markers, min_support=rule.min_support, columns=rule.columns)
    tables = with_tables(adata)
    groups = None if groupby is None else groups_of(tables, groupby)
    if groups is not None and "" in groups[0]:
        raise InputError(f"a group of adata.obs[{groupby!r}] (groupby) has an empty name. Give it one.")
    scored = score_cells(
        tables,
        lists,
        group=None,
        n_groups=0,
        score=rule.score,
        min_genes=rule.min_genes,
        layer=layer,
        use_raw=use_raw,
        gene_symbols=gene_symbols,
        total_counts_key=total_counts_key,
        values=values,
    )
    missing = np.asarray(calls["label"].isna(), dtype=bool)
    labels = np.where(missing, "", np.asarray(calls["label"].astype(object), dtype=object)).astype(str)
    called = np.unique(labels[~missing])
    names = scored.matched.types
    own_of = lists_of_calls(called.tolist(), names, lists.types, types or {})
    own = np.array([own_of.get(label, -1) for label in labels.tolist()], dtype=np.intp)
    verdict = cell_verdicts(scored.scores, own)
    table = _table(scored.scores, verdict, labels, own_of, names, groups)
    unmatched = [name for name in called.tolist() if name not in own_of]
    matched_calls = sorted(own_of)
    means = np.array([scored.scores[labels == name].mean(axis=0) for name in matched_calls])
    add_columns(
        adata,
        key,
        {Slots(key).markers_agree: categorical(verdict, WORDS)},
        "markers_agree",
        {
            "markers": lists.source,
            "groupby": groupby,
            **rule.to_dict(),
            "table": table,
            "calls": np.array(matched_calls, dtype=object),
            "list_of_call": np.array([str(names[own_of[name]]) for name in matched_calls], dtype=object),
            "lists": names.astype(object),
            "scores": means,
            "unmatched": np.array(unmatched, dtype=object),
            "notes": [*scored.found.notes, *scored.matched.notes],
        },
    )
    against = table.loc[(table["group"] == "") & (table["verdict"] == CONTRADICT), "type"].tolist()
    if against:
        logger.warning(
            f"the markers contradict the calls {', '.join(against)}: see uns[{key!r}]['markers_agree']['table']"
        )
    if unmatched:
        logger.info(f"calls without a list, which types= can give one: {', '.join(unmatched)}")


def _table(
    scores: NDArray[np.float64],
    verdict: NDArray[np.int8],
    labels: NDArray[np.str_],
    own_of: dict[str, int],
    names: NDArray[np.str_],
    groups: tuple[NDArray[np.str_], NDArray[np.int32]] | None,
) -> pd.DataFrame:
    """A row for each call, and each call in each group."""
    import pandas as pd

    rows = []
    for call, own in own_of.items():
        cells = labels == call
        parts = [("", cells)]
        if groups is not None:
            parts += [(str(name), cells & (groups[1] == g)) for g, name in enumerate(groups[0])]
        rows += [
            _row(call, name, str(names[own]), names, judge(scores[part], verdict[part], own))
            for name, part in parts
            if part.any()
        ]
    table = pd.DataFrame(rows)
    order = {CONTRADICT: 0, "silent": 1, "agree": 2}
    first = table[table["group"] == ""].set_index("type")
    table = table.assign(
        _rank=table["type"].map(first["verdict"].map(order)), _gap=table["type"].map(first["difference"])
    )
    table = table.sort_values(["_rank", "_gap", "type", "group"], kind="stable").drop(columns=["_rank", "_gap"])
    table.index = pd.Index([str(i) for i in range(len(table))], dtype=object)
    return table


def _row(call: str, group: str, own: str, names: NDArray[np.str_], row: Row) -> dict[str, Any]:
    agree, contradict = WORDS.index("agree"), WORDS.index(CONTRADICT)
    return {
        "type": call,
        "group": group,
        "list": own,
        "n_cells": row.n,
        "agree": row.shares[agree],
        "agree_low": row.low[agree],
        "agree_high": row.high[agree],
        "contradict": row.shares[contradict],
        "contradict_low": row.low[contradict],
        "contradict_high": row.high[contradict],
        "score": row.own,
        "rival": str(names[row.rival]),
        "score_rival": row.other,
        "difference": row.ahead[0],
        "low": row.ahead[1],
        "high": row.ahead[2],
        "verdict": row.verdict,
    }
