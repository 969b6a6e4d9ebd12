"""Several columns of labels, coarse to fine: read from a reference, scored on held-out cells, stored beside the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate import metrics
from sc_annotate._core.codec import from_json, table
from sc_annotate._core.settings import counted
from sc_annotate._data.obs import read_labels
from sc_annotate._store.slots import Slots
from sc_annotate.errors import InputError, LabelError
from sc_annotate.evaluation import interval
from sc_annotate.metrics.calibration import calibration_error
from sc_annotate.trust import Levels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._store.storage import Annotation

MOST_NAMED = 3
"""Contradictions that an error names; the rest is counted."""


def level_names(labels_key: Any) -> tuple[str, ...]:
    """One name or several, coarse to fine, as a tuple; what cannot name columns of results is refused."""
    if isinstance(labels_key, str | bytes) or not hasattr(labels_key, "__iter__"):
        return (labels_key,)  # what is no name is refused where the column is looked for
    if hasattr(labels_key, "tolist"):
        labels_key = labels_key.tolist()  # an array, or an index or column of pandas
    # A set has no order, and a dict says something else.
    if (
        not isinstance(labels_key, list | tuple)
        or not labels_key
        or not all(isinstance(key, str) for key in labels_key)
    ):
        raise InputError(
            f"labels_key must be the name of a column of obs, or a list of names, coarse to fine, not {labels_key!r}."
        )
    names = tuple(labels_key)
    if len(set(names)) < len(names):
        raise InputError(f"labels_key names a column twice: {', '.join(map(repr, names))}. Name each level once.")
    if len(names) > 1:
        _check_names(names)
    return names


def _check_names(names: tuple[str, ...]) -> None:
    """Refuse levels whose columns files cannot hold, or that would be taken for another column of the result."""
    taken = {name for name in Slots("key").obs if name != "key"}
    for name in names:
        if not name or "/" in name or "\0" in name:
            raise InputError(
                f"a level becomes a column of the result, whose name cannot hold '/' or be empty: {name!r} (labels_key). "
                "Rename that column of the reference."
            )
        columns = level_columns("key", name)
        if name != names[-1] and taken.intersection(columns):
            raise InputError(
                f"the level {name!r} (labels_key) would be stored as f'{{key_added}}_{name}', which is another part of the "
                "result. Rename that column of the reference."
            )
        taken.update(columns)


def level_columns(key: str, name: str) -> tuple[str, str]:
    """Columns of ``obs`` with the labels of a coarser level and their confidence."""
    return f"{key}_{name}", f"{key}_{name}_confidence"


def check_apart(keys: Sequence[str], coarser: Sequence[str]) -> None:
    """Refuse levels whose columns under one key would be those of a result under another key."""
    owner: dict[str, str] = {}
    for key in keys:
        for column in (*Slots(key).obs, *(c for name in coarser for c in level_columns(key, name))):
            if owner.setdefault(column, key) != key:
                raise InputError(
                    f"obs[{column!r}] would hold parts of two results, {owner[column]!r} and {key!r}. Choose another key_added, "
                    "or rename the level (labels_key) in the reference."
                )


def read_levels(
    adata: AnnData,
    names: tuple[str, ...],
    labels: NDArray[np.str_],
    present: NDArray[np.bool_],
    *,
    what: str,
) -> tuple[Levels | None, list[str]]:
    """Under which coarser labels each type lies, from cells with both, and what to say of cells that lack one.

    `labels` are those of the finest level. A type that lies under two labels is a LabelError that names them.
    """
    if len(names) == 1:
        return None, []
    types, codes = np.unique(labels[present], return_inverse=True)
    labels_of = np.full((len(types), len(names)), "", dtype=object)
    labels_of[:, -1] = types
    notes, without = [], np.zeros(adata.n_obs, dtype=bool)
    for level, name in enumerate(names[:-1]):
        coarse, there = read_labels(adata, name, what=what)
        without |= there & (labels == "")
        both = there[present]
        labels_of[:, level] = _above(types, codes[both], coarse[present][both], name, names, what)
        if n := int((~both).sum()):
            notes.append(
                f"{counted(n, 'cell')} of {what} without a label in obs[{name!r}] took that of the other cells of their type"
            )
    if what == "reference" and (n := int(without.sum())):
        notes.append(
            f"{counted(n, 'cell')} of {what} with a coarser label but none in obs[{names[-1]!r}] could not be learned from"
        )
    try:
        return Levels(names, labels_of.astype(str)), notes
    except InputError as error:
        raise LabelError(
            f"the levels of {what}.obs (labels_key) are no tree: {error} List them coarse to fine, and give parts of one "
            "name under two labels different names, such as 'cycling T' and 'cycling B'."
        ) from error


def stray_cells(
    adata: AnnData,
    names: tuple[str, ...],
    labels: NDArray[np.str_],
    present: NDArray[np.bool_],
    *,
    min_cells: int,
    what: str,
) -> tuple[NDArray[np.bool_], list[str]]:
    """Cells with a coarser label of fewer than `min_cells` cells whose type lies under a larger one, and what to say of them.

    Of a rare label beside another one of the same type it cannot be known whether it is meant, so its cells are left out
    instead of making the type lie under two.
    """
    strays, notes = np.zeros(adata.n_obs, dtype=bool), []
    for name in names[:-1]:
        coarse, there = read_labels(adata, name, what=what)
        both = there & present
        above, place, counts = np.unique(coarse[both], return_inverse=True, return_counts=True)
        large = counts[place] >= min_cells
        of_large_type = np.isin(labels[both], np.unique(labels[both][large]))
        some = np.flatnonzero(both)[~large & of_large_type]
        strays[some] = True
        if n := len(some):
            rare = ", ".join(map(repr, np.unique(coarse[some]).tolist()[:MOST_NAMED]))
            notes.append(
                f"left out, {counted(n, 'cell')}: fewer than min_cells={min_cells} cells of {what} have the "
                f"label {rare} in obs[{name!r}], and other cells of the same type lie under another"
            )
    return strays, notes


def _above(
    types: NDArray[np.str_],
    codes: NDArray[np.intp],
    coarse: NDArray[np.str_],
    name: str,
    names: tuple[str, ...],
    what: str,
) -> NDArray[np.object_]:
    """The one coarser label of each type."""
    above, place = np.unique(coarse, return_inverse=True)
    counts = np.zeros((len(types), len(above)), dtype=np.intp)
    np.add.at(counts, (codes, place), 1)
    found = (counts > 0).sum(axis=1)
    if (found > 1).any():
        wrong = np.flatnonzero(found > 1)
        named = [
            f"{str(types[i])!r} under "
            + " and ".join(
                f"{str(above[j])!r} ({counted(int(counts[i, j]), 'cell')})" for j in np.flatnonzero(counts[i])
            )
            for i in wrong[:MOST_NAMED]
        ]
        more = f", and {len(wrong) - MOST_NAMED} more types" if len(wrong) > MOST_NAMED else ""
        swapped = "Is the order coarse to fine? " if len(above) > len(types) else ""
        raise LabelError(
            f"a type of {what}.obs[{names[-1]!r}] lies under more than one label of obs[{name!r}]: {'; '.join(named)}{more}. "
            f"{swapped}Correct the labels of these cells, or give the parts of the type different names."
        )
    if (found == 0).any():
        raise LabelError(
            f"no cell of {', '.join(repr(str(t)) for t in types[found == 0][:MOST_NAMED])} (obs[{names[-1]!r}]) has a label in "
            f"{what}.obs[{name!r}]. Fill that column, or set these cells' finest label to NaN."
        )
    return above[counts.argmax(axis=1)].astype(object)


def score_levels(
    proba: NDArray[Any],
    truth: NDArray[np.intp],
    levels: Levels,
    groups: NDArray[np.str_] | None,
    rng: int,
    powers: NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    """How often the labels of held-out cells are right at each level, and how well its confidence is calibrated.

    `proba` in the order of the types of `levels`, `truth` their codes. Accuracy with a 95 % bootstrap interval, over whole
    groups where there are any.
    """
    codes = levels.decide(proba)
    confidence = levels.confidence(proba, codes, powers)
    rows: list[dict[str, Any]] = []
    for level, name in enumerate(levels.names):
        y, predicted = (levels.of(level)[levels.path(c, level)] for c in (truth, codes))
        found = interval(y, predicted, metric="accuracy", groups=groups, rng=rng)
        rows.append(
            {
                "level": name,
                "labels": len(levels.of(level)),
                "n": len(truth),
                "accuracy": float(found.estimate),
                "low": float(found.low),
                "high": float(found.high),
                "mean_confidence": float(confidence[:, level].mean()),
                "expected_calibration_error": calibration_error(confidence[:, level], y == predicted),
                "if_calibrated": metrics.expected_calibration_error_if_calibrated(confidence[:, level], rng=rng),
            }
        )
    return table(rows)


def add_levels(
    annotation: Annotation,
    key: str,
    levels: Levels,
    codes: NDArray[np.intp],
    confidence: NDArray[np.float32],
    scores: pd.DataFrame | None,
) -> None:
    """Put the coarser levels beside a result: labels, confidence (NaN for cells that were labelled already), and their table.

    `codes` are those of all rows of `levels`, which may name more types than the model knows.
    """
    import pandas as pd

    for level, name in enumerate(levels.names[:-1]):
        label, sure = level_columns(key, name)
        occur = np.unique(levels.labels[codes, level]).tolist()
        column: Any = pd.Categorical(levels.labels[codes, level].astype(object), categories=occur)
        annotation.obs[label] = column
        annotation.obs[sure] = confidence[:, level].astype(np.float32)
    known = levels.at([str(c) for c in annotation.uns["classes"]])
    annotation.uns["levels"] = table(dict(zip(known.names, known.labels.T, strict=True)))
    if scores is not None:
        annotation.uns["level_scores"] = scores


def add_levels_of_consensus(annotation: Annotation, key: str, levels: Levels) -> None:
    """The coarser levels of averaged probabilities: the path of each label, and its summed probability."""
    types = levels.labels[:, -1]
    codes = np.searchsorted(types, np.asarray(annotation.obs[key]).astype(str))
    classes = [str(c) for c in annotation.uns["classes"]]
    whole = np.zeros((len(codes), len(types)))
    labelled = np.isnan(np.asarray(annotation.proba)).any(axis=1)
    whole[:, np.searchsorted(types, classes)] = np.nan_to_num(np.asarray(annotation.proba))
    confidence = levels.confidence(whole, codes).astype(np.float32)
    confidence[labelled] = np.nan
    add_levels(annotation, key, levels, codes, confidence, None)


def levels_of_methods(tables: Sequence[Any], labels: Sequence[str]) -> Levels | None:
    """The levels that all methods of a consensus share, if these are known for all `labels`; None otherwise."""
    import pandas as pd

    if any(table is None for table in tables) or len({tuple(map(str, table)) for table in tables}) > 1:
        return None
    rows = pd.concat([table.astype(str) for table in tables]).drop_duplicates()
    rows = rows.sort_values(str(rows.columns[-1]))
    try:
        levels = Levels(tuple(map(str, rows)), rows.to_numpy(dtype=str))
    except InputError:  # one method has a type under another label than the others
        return None
    return levels if set(labels) <= set(levels.labels[:, -1].tolist()) else None


def restored(stored: Mapping[str, Any] | None, classes: NDArray[np.str_]) -> tuple[Levels | None, pd.DataFrame | None]:
    """Levels and their scores as a model file holds them, checked against its classes; an error where they do not fit."""
    if stored is None:
        return None, None
    names, texts, scores = list(stored["names"]), [list(row) for row in stored["labels"]], from_json(stored["scores"])
    if not all(isinstance(v, str) for row in [names, *texts] for v in row) or len(names) < 2:
        raise ValueError("the levels are not strings")
    levels = Levels(tuple(names), np.array(texts, dtype=str).reshape(len(texts), -1))
    if not np.array_equal(levels.labels[:, -1], classes):
        raise ValueError("the levels and the classes differ")
    if scores is not None and scores["level"].tolist() != names:
        raise ValueError("the scores do not fit the levels")
    return levels, scores
