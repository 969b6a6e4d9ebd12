"""Read a stored annotation back, checked: what `get` hands out as tables and `pl` draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import Unset, value_of
from sc_annotate._core.frames import is_frame
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.obs import check_column, in_memory, obs_of
from sc_annotate._store.slots import Slots
from sc_annotate._store.storage import check_key, is_result, model_ids, read_uns
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

_PARTS = (
    *("label", "confidence", "status", "set_size", "unfamiliarity", "group", "low_quality", "disagreement"),
    *("voted", "voted_share", "clusters", "rollup", "rollup_confidence"),
)
"""Columns of a result by their plain names, in the order of the table."""


def read_annotation(adata: AnnData, key: str) -> pd.DataFrame:
    """The columns of ``obs`` that an annotation owns, by plain names; also of concatenated objects, without ``uns``."""
    check_adata(adata, what="adata")
    slots = check_key(key)
    names = {getattr(slots, part): part for part in _PARTS}
    names |= {slots.rollup_id: "rollup_ontology_term_id", slots.model: "model"}
    if slots.label not in adata.obs or slots.model not in adata.obs:
        read_uns(adata, key)  # says what there is
        raise StorageError(
            f"adata.obs lacks {slots.label!r} or {slots.model!r}: columns of the result were deleted. Annotate again."
        )
    table = obs_of(adata)
    check_column(adata, slots.label, argument="key")
    names |= _level_columns(adata, slots, taken=set(names.values()))
    return table[[name for name in names if name in table]].rename(columns=names)


def result_keys(adata: AnnData) -> list[str]:
    """Names of the annotations in an object, also of those whose metadata in ``uns`` was lost."""
    found = [str(name) for name, stored in list(adata.uns.items()) if is_result(stored)]
    left = [str(name).removesuffix("_model") for name in adata.obs if str(name).endswith("_model")]
    columns = {str(name) for name in adata.obs}
    return [*found, *(name for name in left if {name, f"{name}_confidence"} <= columns and name not in found)]


def _level_columns(adata: AnnData, slots: Slots, taken: set[str]) -> dict[str, str]:
    """Columns of coarser levels, by the name of the level; by their own where that is another part of the result."""
    stored = in_memory(adata.uns.get(slots.uns))
    levels = stored.get("levels") if isinstance(stored, dict) else None
    names = [] if levels is None else [str(name) for name in levels.columns[:-1]]
    parts = [part for name in names for part in (name, f"{name}_confidence")]
    return {f"{slots.key}_{part}": f"{slots.key}_{part}" if part in taken else part for part in parts}


def read_probabilities(adata: AnnData, key: str, *, whole: bool = False) -> pd.DataFrame:
    """Cells x types with the names of the types; refuses columns that do not belong to the cells any more.

    Of a result that keeps the largest of each cell, the others are 0; refused where the `whole` is needed.
    """
    import pandas as pd
    from scipy import sparse

    stored = read_uns(adata, key)
    slots = Slots(key)
    classes = np.array([str(c) for c in stored["classes"]])
    if slots.proba not in adata.obsm:
        refuse_imported(stored, key, "probabilities of all types, and so no prediction sets, roll-up or consensus")
        raise StorageError(
            f"adata.obsm has no {slots.proba!r}: the probabilities were not stored (store_proba=False), or were deleted. "
            "Annotate again with store_proba='all'."
        )
    ids = model_ids(adata, key)
    if any(i != str(stored.get("model")) for i in ids):
        raise StorageError(
            f"the cells of adata were labelled by the models {', '.join(ids)}, but adata.uns[{key!r}] describes "
            f"{stored.get('model')}: objects of different models were concatenated, and the columns of the probabilities do not "
            "agree. Take the probabilities before concatenating, or annotate again."
        )
    kept: Any = adata.obsm[slots.proba]
    if sparse.issparse(kept):
        if whole:
            raise StorageError(
                f"adata.obsm[{slots.proba!r}] has the largest probabilities of each cell only (store_proba='topk'), and all "
                "are needed here. Annotate again with store_proba='all'."
            )
        kept = kept.toarray()
        # Cells that no model labelled have none.
        kept[np.asarray(obs_of(adata)[slots.model].isna())] = np.nan
    values: NDArray[Any] = np.asarray(kept)
    if values.ndim != 2 or values.shape[1] != len(classes):
        raise StorageError(
            f"adata.obsm[{slots.proba!r}] has shape {values.shape}, and adata.uns[{key!r}] names {len(classes)} types. "
            "Annotate again."
        )
    return pd.DataFrame(values, index=obs_of(adata).index, columns=classes)


def read_baseline(adata: AnnData, key: str) -> dict[str, Any]:
    """The held-out scores of an annotation."""
    baseline = read_uns(adata, key).get("baseline")
    if not isinstance(baseline, dict) or "scores" not in baseline or "confusion" not in baseline:
        refuse_uncalibrated(adata, key)
        if names := method_names(adata, key):
            raise StorageError(
                f"adata.uns[{key!r}] is a consensus without held-out scores: the methods were fitted with cv=0, or their "
                "results were combined afterwards (sca.tl.consensus), when their held-out predictions are no longer available. Annotate with "
                f"method=[...] and cv=1 or more, or look at one of its methods, such as key={names[0]!r}."
            )
        raise StorageError(
            f"adata.uns[{key!r}]['baseline'] has no held-out scores: it was annotated with cv=0, or with a model that was "
            "fitted so. Annotate again with cv=1 (one hold-out) or more folds."
        )
    return baseline


def read_history(adata: Any, key: Any) -> pd.DataFrame:
    """The losses of the training of a result's model, or of a fitted model, which has no `key`."""
    if hasattr(adata, "annotator") and hasattr(adata, "history"):
        if not isinstance(key, Unset):
            raise InputError(f"key={key!r} names a result in an AnnData; a model has one training. Leave key out.")
        history, whose = adata.history, f"the {adata.method!r} model"
    else:
        key = value_of(key)
        stored = read_uns(adata, key)
        history, whose = stored.get("history"), f"adata.uns[{key!r}], a result of {stored.get('method')!r},"
    if history is None:
        raise StorageError(f"{whose} has no training history, which deep methods leave (sca.tl.methods()['deep']).")
    return history.copy()


def read_confusion(adata: AnnData, key: str) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """The types, and held-out cells by true (row) and predicted (column) type."""
    baseline = read_baseline(adata, key)
    types = [str(name) for name in baseline.get("classes", read_uns(adata, key)["classes"])]
    place = {name: i for i, name in enumerate(types)}
    pairs = baseline["confusion"]
    try:
        true, predicted = ([place[str(name)] for name in pairs[column]] for column in ("true", "predicted"))
        counts = np.zeros((len(types), len(types)), dtype=np.int64)
        np.add.at(counts, (true, predicted), np.asarray(pairs["n"], dtype=np.int64))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise StorageError(
            f"adata.uns[{key!r}]['baseline']['confusion'] is no table of the pairs of its {len(types)} types. Annotate again."
        ) from error
    return np.array(types), counts


def read_calibration(adata: AnnData, key: str, *parts: str) -> dict[str, Any]:
    """The calibration of an annotation's confidence on held-out cells, with at least these parts."""
    found = read_uns(adata, key).get("calibration")
    if isinstance(found, dict) and all(part in found for part in parts):
        return found
    refuse_uncalibrated(adata, key)
    methods = method_names(adata, key)
    if methods:
        raise StorageError(
            f"adata.uns[{key!r}] is a consensus, whose own probabilities were not checked on held-out cells. Look at one of "
            f"its methods, such as key={methods[0]!r}, if it is in adata."
        )
    raise StorageError(
        f"adata.uns[{key!r}]['calibration'] holds no {' or '.join(map(repr, parts))}: the model was fitted with "
        "trust=None, or too few cells were held out to learn it from. Annotate again with "
        "trust='temperature' and, where types are small, more reference cells."
    )


def refuse_imported(stored: dict[str, Any], key: str, what: str) -> None:
    """An error that says what labels of other tools never have."""
    if "imported" in stored:
        raise StorageError(
            f"the labels of {key!r} were imported from another tool, which brings no {what}. To have that, annotate with "
            "`sca.tl.annotate`."
        )


def refuse_uncalibrated(adata: AnnData, key: str) -> None:
    """An error that says so where there never were held-out cells: for markers, and for models that came without any."""
    stored = adata.uns.get(key)
    calibration = stored.get("calibration") if isinstance(stored, dict) else None
    note = calibration.get("note") if isinstance(calibration, dict) else None
    if note is not None:
        raise StorageError(
            f"adata.uns[{key!r}] has nothing from held-out cells: {note}. To have it, annotate with labelled cells as "
            "the reference, or with a model that `sca.tl.fit_annotator` fitted on them."
        )


def read_sets(adata: AnnData, key: str) -> dict[str, Any]:
    """The rule of the prediction sets of an annotation."""
    read_calibration(adata, key, "sets")
    found = read_uns(adata, key).get("sets")
    if not isinstance(found, dict) or "coverage" not in found:
        raise StorageError(
            f"adata.uns[{key!r}] has no prediction sets: the model was fitted without calibration. Annotate again with "
            "trust='temperature'."
        )
    return found


def read_familiarity(adata: AnnData, key: str) -> dict[str, Any]:
    """The threshold of ``unfamiliar``, and the quantiles of the reference's held-out scores."""
    found = read_uns(adata, key).get("familiarity")
    if not isinstance(found, dict) or "threshold" not in found or "reference" not in found:
        refuse_uncalibrated(adata, key)
        methods = method_names(adata, key)
        fix = f"Look at one of its methods, such as key={methods[0]!r}" if methods else "Annotate again"
        why = "a consensus has none" if methods else "it was annotated with false_positive_rate=None, or trust=None"
        raise StorageError(f"adata.uns[{key!r}] has no scores of unfamiliarity: {why}. {fix}.")
    return found


def read_groups(adata: AnnData, key: str) -> pd.DataFrame:
    """The table of the query's groups."""
    found = read_uns(adata, key).get("groups")
    if not isinstance(found, dict) or not is_frame(found.get("table")):
        raise StorageError(
            f"adata.uns[{key!r}] has no groups of cells. They are looked for in 50 cells or more, by a model with calibration, "
            "unless false_positive_rate is None."
        )
    table: pd.DataFrame = found["table"].reset_index(drop=True)
    return table


def refuse_markers(key: str, stored: dict[str, Any]) -> None:
    """Labels from marker lists have no evidence beside the lists."""
    if stored.get("method") == "markers":
        raise StorageError(
            f"{key!r} was annotated with marker lists, so its evidence is these lists: `sca.tl.markers_agree(adata, {key!r}, "
            f"markers=...)` and `sca.pl.markers_agree(adata, {key!r})` show how well they fit the cells."
        )


def read_evidence(adata: AnnData, key: str) -> dict[str, Any]:
    """The entry that ``sca.tl.evidence`` stored."""
    stored = read_uns(adata, key)
    found = stored.get("evidence")
    if found is None:
        refuse_markers(key, stored)
    refuse_imported(stored, key, "model, and so no evidence")
    if not isinstance(found, dict) or "table" not in found:
        raise StorageError(f"adata.uns[{key!r}] has no evidence. Run `sca.tl.evidence(adata, key={key!r})` first.")
    return found


def read_evidence_table(adata: AnnData, key: str, *, group: str | None) -> pd.DataFrame:
    """The table of ``sca.tl.evidence``, of one group or type if requested."""
    table: pd.DataFrame = read_evidence(adata, key)["table"].copy()
    if group is None:
        return table.reset_index(drop=True)
    if not isinstance(group, str):
        raise InputError(f"group must be the name of a group or type, not {group!r}.")
    rows = table["group"].astype(str).eq(group)
    rows = rows if rows.any() else table["type"].astype(str).eq(group)
    if not rows.any():
        have = sorted({*table["group"].astype(str), *table["type"].astype(str)})
        raise InputError(f"there is no group or type {group!r} with evidence; there are: {', '.join(map(repr, have))}.")
    return table[rows.to_numpy(dtype=bool)].reset_index(drop=True)


def read_disagreements(adata: AnnData, key: str) -> pd.DataFrame:
    """Cells x methods of a consensus: which methods predict another label for a cell."""
    import pandas as pd

    read_uns(adata, key)
    methods = method_names(adata, key)
    slot = Slots(key).disagrees
    if not methods:
        have = [name for name in list(adata.uns) if method_names(adata, name)]
        found = f"there are: {', '.join(map(repr, have))}" if have else "there is none"
        raise StorageError(
            f"adata.uns[{key!r}] is the result of one method, no consensus ({found}). Name one with key=, or make one: "
            "sca.tl.consensus(adata, [...])."
        )
    values = np.asarray(adata.obsm[slot]) if slot in adata.obsm else np.empty((0, 0))
    if values.shape != (adata.n_obs, len(methods)):
        raise StorageError(
            f"adata.obsm has no {slot!r} of {adata.n_obs} cells x {len(methods)} methods: it was deleted or changed. "
            "Make the consensus again."
        )
    return pd.DataFrame(values.astype(bool), index=adata.obs_names, columns=methods)


def method_names(adata: AnnData, key: str) -> list[str]:
    """Names of the results that a consensus combines, in the order of their columns; empty where it is no consensus."""
    stored = in_memory(adata.uns.get(key))
    methods = stored.get("methods") if isinstance(stored, dict) and "schema" in stored else None
    return [] if methods is None else [str(name) for name in np.atleast_1d(methods)]
