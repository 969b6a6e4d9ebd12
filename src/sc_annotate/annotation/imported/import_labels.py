"""Labels of another tool as a result of this package."""

from __future__ import annotations

import hashlib
from collections import Counter
from logging import INFO
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import sanitize, table
from sc_annotate._core.settings import counted, say
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.obs import NAMES, as_labels, in_memory, is_no_type, with_tables
from sc_annotate._store import storage
from sc_annotate._store.slots import Slots
from sc_annotate.annotation.cell_groups import read_groups
from sc_annotate.annotation.imported.aligned_names import places
from sc_annotate.annotation.imported.opened_labels import Opened, check_types, open_labels
from sc_annotate.annotation.result import categorical
from sc_annotate.errors import InputError, LabelError
from sc_annotate.interop.label_columns import UNKNOWN

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate.annotation.imported.import_request import ImportRequest


def store_imported(adata: AnnData, key: Any, request: ImportRequest, key_added: str) -> None:
    """Store the labels, their confidence where there is one, and where they are from."""
    check_adata(adata, what="adata")
    storage.check_writable(adata, key_added)
    _not_its_own(adata, key, key_added)
    tables = with_tables(adata)
    opened = open_labels(tables, key, request)
    check_types(opened.labels)
    cells = _Cells(tables, request.groupby)
    labels, present = as_labels(cells.take(opened.labels, opened.by_name, "key"))
    labels, unassigned = _without_no_types(labels, present)
    types = np.unique(labels[labels != ""])
    _check_labels(types, int((labels != "").sum()), opened.source)
    score = None if opened.score is None else _confidence(tables, opened.score, opened, cells)
    if score is not None and opened.column.note:
        cells.problems.append(opened.column.note)
    n_missing = int((labels == "").sum())
    if n_missing:
        words = ", ".join(f"{name!r} ({n:,})" for name, n in unassigned.items())
        cells.notes.append(f"{counted(n_missing, 'cell')} without a label{f': {words}' if words else ''}")
    result = _result(labels, types, score, key=key_added, method=request.method or opened.column.tool)
    result.colors = _colors(tables, key, types)
    result.uns |= {
        "params": {"key": key if isinstance(key, str) else opened.source, **_written(request)},
        "input": {"notes": cells.notes, "problems": cells.problems},
        "imported": {
            "source": opened.source,
            "score": "none" if score is None else str(opened.column.score),
            "n_without_label": n_missing,
            "unassigned": table({"label": list(unassigned), "n_cells": list(unassigned.values())}, texts=("label",)),
        },
    }
    storage.write(adata, key_added, result)
    say(cells.problems)
    say([*cells.notes, result.uns["calibration"]["note"]], INFO)


def _not_its_own(adata: AnnData, key: Any, key_added: str) -> None:
    stored = in_memory(adata.uns.get(key_added))
    own = [str(name) for name in stored.get("written", ())] if storage.is_result(stored) else []
    if isinstance(key, str) and key in own:
        raise InputError(
            f"adata.obs[{key!r}] (key) is part of the result {key_added!r} itself, which it would replace. Choose another key_added."
        )


class _Cells:
    """The cells that get labels: by their names, or by those of their groups; and what there is to say of the names."""

    def __init__(self, adata: AnnData, groupby: str | None) -> None:
        self.notes: list[str] = []
        self.problems: list[str] = []
        self.index = adata.obs_names
        self.names = [str(name) for name in adata.obs_names]
        self.code: NDArray[Any] = np.arange(adata.n_obs)
        self.of = "cells of adata"
        if groupby is not None:
            groups = read_groups(adata, groupby)
            self.names, self.code, self.of = groups.names.tolist(), groups.code, f"groups of adata.obs[{groupby!r}]"

    def take(self, values: pd.Series, by_name: bool, argument: str) -> pd.Series:
        """One value for each cell."""
        if by_name:
            row, notes = places(values.index, self.names, argument=argument, of=self.of)
            self.problems += [note for note in notes if note not in self.problems]
            values = values.iloc[row[self.code]]
        return values.set_axis(self.index)


def _without_no_types(labels: NDArray[np.str_], present: NDArray[np.bool_]) -> tuple[NDArray[np.str_], dict[str, int]]:
    """Labels without the words that stand for no type, and how many cells have each of these."""
    words = {name: n for name, n in sorted(Counter(labels[present].tolist()).items()) if is_no_type(name)}
    return np.where(np.isin(labels, list(words)), "", labels), words


def _check_labels(types: NDArray[np.str_], n: int, source: str) -> None:
    if not n:
        raise LabelError(f"{source} holds no label at all. Name other labels with key=.")
    if len(types) > max(NAMES, 0.5 * n):
        raise LabelError(
            f"{source} has {len(types):,} different labels for {counted(n, 'cell')}: this looks like names or numbers, not types. "
            "Name other labels with key= (of a table, with column=)."
        )


def _confidence(adata: AnnData, score: pd.Series, opened: Opened, cells: _Cells) -> NDArray[np.float32] | None:
    """The confidence as numbers from 0 to 1; None, with a note, where one that was found by itself is none."""
    import pandas as pd

    score = cells.take(score, opened.score_by_name, "score")
    name = opened.column.score
    found = pd.to_numeric(score.astype(object), errors="coerce")
    values = found.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = [value for value in score[found.isna().to_numpy()].tolist() if not _is_missing(value)]
    votes = in_memory(adata.uns.get("prediction_keys")) if opened.column.counts_votes else None
    if votes is not None and not wrong and len(votes) > 1:
        cells.notes.append(f"{name} counts votes: divided by {len(votes)}, the number of adata.uns['prediction_keys']")
        values = values / len(votes)
    known = values[~np.isnan(values)]
    if wrong:
        problem = f"it holds {wrong[0]!r}"
    elif not len(known):
        problem = "it has no value in any cell"
    elif known.min() < 0 or known.max() > 1 + 1e-6:
        problem = f"its values go from {known.min():g} to {known.max():g}"
    else:
        return np.clip(values, 0, 1).astype(np.float32)
    fix = "divide by the number of methods that vote" if opened.column.counts_votes else "bring it to that scale"
    text = f"the score {name!r} is no confidence from 0 to 1: {problem}"
    if opened.asked:
        raise InputError(f"{text}. Pass one that is (a pandas Series, score=...; {fix}), or score=False to store none.")
    cells.problems.append(f"{text}; it was not stored. To have it, {fix} and pass it with score=")
    return None


def _is_missing(value: Any) -> bool:
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def _result(
    labels: NDArray[np.str_], types: NDArray[np.str_], score: NDArray[np.float32] | None, *, key: str, method: str
) -> storage.Annotation:
    import pandas as pd

    digest = hashlib.sha256(method.encode())
    digest.update("\0".join(labels.tolist()).encode())
    digest.update(b"" if score is None else score.tobytes())
    model = digest.hexdigest()[:10]
    has = labels != ""
    slots = Slots(key)
    obs: dict[str, Any] = {slots.label: categorical(np.where(has, np.searchsorted(types, labels), -1), types)}
    if score is not None:
        obs[slots.confidence] = score
    obs[slots.model] = pd.Categorical.from_codes(np.where(has, 0, -1), pd.Index([model], dtype=object))
    tool = "another tool" if method == UNKNOWN else method
    note = f"the labels of {tool} were imported, without a confidence"
    if score is not None:
        note = (
            f"the confidence is that of {tool}, which was imported: it was not calibrated on held-out cells here. Where the types of "
            "some cells are known, sca.tl.compare_labels says how far it can be trusted"
        )
    uns: dict[str, Any] = {
        "method": method,
        "model": model,
        "classes": types.astype(object),
        "proba": "none",
        "reference": {},
        "calibration": {"method": "none", "note": note},
        "quality": {},
        "baseline": {},
    }
    return storage.Annotation(obs, None, uns)


def _written(request: ImportRequest) -> dict[str, Any]:
    """The arguments as ``uns`` can hold them."""
    score = request.score if request.score is None or isinstance(request.score, str | bool) else "by name"
    return {name: sanitize(value) for name, value in (request.but(score=score).to_uns()).items()}


def _colors(adata: AnnData, key: Any, types: NDArray[np.str_]) -> list[str] | None:
    """The colours that the column of the labels has, where every type has one."""
    if not isinstance(key, str) or key not in adata.obs or not hasattr(adata.obs[key], "cat"):
        return None
    names = [str(name) for name in adata.obs[key].cat.categories]
    stored = adata.uns.get(Slots(key).colors, ())
    color = dict(zip(names, map(str, stored), strict=False))
    return [color[name] for name in types.tolist()] if all(name in color for name in types.tolist()) else None
