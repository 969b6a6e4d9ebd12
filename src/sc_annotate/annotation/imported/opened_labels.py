"""Labels of another tool, opened: a column of ``obs``, a table (in memory or a file), a Series or a dict."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import check_texts
from sc_annotate._core.text_tables import read_table
from sc_annotate._data.obs import check_column
from sc_annotate.errors import InputError, LabelError
from sc_annotate.interop.label_columns import LabelColumn, label_column

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from sc_annotate.annotation.imported.import_request import ImportRequest

TABLES = (".csv", ".tsv", ".txt")
PACKED = (".gz", ".bz2", ".xz", ".zip")
KINDS = (
    "a column of adata.obs, a pandas Series or a dict by name of the cell (or of the group, with groupby), a DataFrame, or "
    "the path of a CSV file"
)


@dataclass(frozen=True)
class Opened:
    """Labels and, where there is one, their confidence: by name of the cell or group, or of the cells in their order."""

    labels: pd.Series
    score: pd.Series | None
    by_name: bool
    score_by_name: bool
    column: LabelColumn
    """What is known of the tool, with the column of the confidence that is used."""
    source: str
    asked: bool
    """Whether the user named the confidence, so that one that cannot be used is an error."""


def open_labels(adata: AnnData, key: Any, request: ImportRequest) -> Opened:
    """The labels of `key`; refused where the other arguments do not fit what it is."""
    import pandas as pd

    if isinstance(key, str) and key in adata.obs:
        return _of_obs(adata, key, request)
    if isinstance(key, os.PathLike) or (isinstance(key, str) and _is_file(key)):
        return _of_table(_read(adata, key, request), request, f"{Path(key).name}")
    if isinstance(key, pd.DataFrame):
        return _of_table(key, request, "a table")
    if isinstance(key, Mapping):
        names = list(key)
        values = np.empty(len(names), dtype=object)
        values[:] = list(key.values())
        key = pd.Series(values, index=pd.Index(names, dtype=object), dtype=object)
    if isinstance(key, pd.Series):
        return _of_series(adata, key, request)
    if isinstance(key, str):
        check_column(adata, key, argument="key, which may be the path of a CSV file too")
    raise InputError(f"key must be {KINDS}, not a {type(key).__name__}.")


def _is_file(text: str) -> bool:
    name = text.lower()
    for ending in PACKED:
        name = name.removesuffix(ending)
    return name.endswith(TABLES) or os.path.isfile(text)


def _of_obs(adata: AnnData, key: str, request: ImportRequest) -> Opened:
    request.refuse(
        "groupby",
        why=f"is for labels of groups, and adata.obs[{key!r}] has one for each cell. Leave it out, or pass a dict or a Series of "
        "labels by group.",
    )
    request.refuse("column", why=f"is for tables, and key names a column itself ({key!r}). Leave it out.")
    labels = check_column(adata, key, argument="key")
    found = label_column(key, [str(name) for name in adata.obs])
    return _with_score(adata, Opened(labels, None, False, False, found, f"obs[{key!r}]", False), request)


def _of_series(adata: AnnData, labels: pd.Series, request: ImportRequest) -> Opened:
    request.refuse("column", why="is for tables, and key has one label for each name. Leave it out.")
    found = Opened(labels, None, True, False, LabelColumn(), "labels by name", False)
    return _with_score(adata, found, request)


def _with_score(adata: AnnData, found: Opened, request: ImportRequest) -> Opened:
    """The same with the confidence that the user names, or that is known to belong to the labels."""
    import pandas as pd

    score, known = request.score, found.column
    if score is False:
        return replace(found, column=replace(known, score=None, note=""))
    if score is None:
        if known.score is None:
            return found
        return replace(found, score=check_column(adata, known.score, argument="score"))
    if isinstance(score, str):
        same = score == known.score
        column = known if same else replace(known, score=score, counts_votes=False, note="")
        return replace(found, score=check_column(adata, score, argument="score"), column=column, asked=True)
    if isinstance(score, Mapping):
        score = pd.Series(list(score.values()), index=pd.Index(list(score), dtype=object), dtype=object)
    if not isinstance(score, pd.Series):
        raise InputError(
            "score must be the name of a column with the confidence of the labels, a pandas Series or a dict by name as the labels "
            f"have it, False for none, or None to look for it, not {score!r}."
        )
    column = replace(known, score="by name", counts_votes=False, note="")
    return replace(found, score=score, score_by_name=True, column=column, asked=True)


def _read(adata: AnnData, path: Any, request: ImportRequest) -> pd.DataFrame:
    """The table in a file, whose first column names the cells or groups."""
    of = adata.obs_names if request.groupby is None else check_column(adata, request.groupby, argument="groupby")
    known = set(map(str, of))
    # A file without a header begins with a cell.
    table = read_table(path, what="a table of labels", is_header=lambda fields: fields[0] not in known)
    if table.shape[1] < 2:
        raise InputError(
            f"{os.fspath(path)!r} has one column, where a table of labels has names of cells (or groups) in the first and labels in "
            "another."
        )
    return table.set_index(table.columns[0]).rename(columns=str)


def _of_table(table: pd.DataFrame, request: ImportRequest, what: str) -> Opened:

    names = [str(name) for name in table.columns]
    check_texts(names, f"the columns of {what}", InputError)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{what} has several columns named {twice!r}. Rename all but one.")
    table = table.set_axis(names, axis=1)
    name = request.column
    if name is None:
        scores = {label_column(each, names).score for each in names}
        texts = [each for each in names if each not in scores and not _is_numbers(table[each])]
        if len(texts) != 1:
            raise InputError(
                f"{what} has {len(texts)} columns that may be the labels. Name one with column=: {', '.join(map(repr, names))}."
            )
        name = texts[0]
    if name not in names:
        raise InputError(f"{what} has no column {name!r} (column). There are: {', '.join(map(repr, names))}.")
    known = label_column(name, names)
    score, asked = known.score, False
    if request.score is False:
        score = None
    elif request.score is not None:
        if not isinstance(request.score, str) or request.score not in names:
            raise InputError(
                f"score must be a column of {what} ({', '.join(map(repr, names))}), False for none, or None to look for it, not "
                f"{request.score!r}."
            )
        score, asked = request.score, True
    column = known if score == known.score else LabelColumn(known.tool, score)
    values = None if score is None else table[score]
    labels: pd.Series = table[name]
    return Opened(labels, values, True, True, column, f"{what}, column {name!r}", asked)


def _is_numbers(values: pd.Series) -> bool:
    import pandas as pd

    texts = values[values.notna() & (values.astype(object) != "")]
    return bool(pd.to_numeric(texts.astype(object), errors="coerce").notna().all())


def check_types(labels: pd.Series) -> None:
    """Refuse what are no names of types."""
    values = labels.dropna()
    wrong = [value for value in values.astype(object).tolist() if not isinstance(value, str | int | float | np.generic)]
    if wrong:
        raise LabelError(f"labels must be texts, and one is a {type(wrong[0]).__name__}: {wrong[0]!r}.")
    check_texts(values.astype(object).tolist(), "the labels", LabelError)
