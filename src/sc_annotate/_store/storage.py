"""Write an annotation into an AnnData, all of it or nothing, and read it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import sanitize
from sc_annotate._data.obs import in_memory, obs_of
from sc_annotate._store.slots import SCHEMA, Slots, one_at_a_time, result_name
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray


@dataclass
class Annotation:
    """What is to be stored: one array a column of ``obs``, the probabilities, and the metadata in ``uns``."""

    obs: dict[str, pd.Series | NDArray[Any]]
    proba: Any
    uns: dict[str, Any]
    colors: list[str] | None = field(default=None)
    obsm: dict[str, NDArray[Any]] = field(default_factory=dict)


def check_key(key: Any) -> Slots:
    """Refuse keys that h5ad cannot hold."""
    return Slots(result_name(key))


def check_writable(adata: AnnData, key: str, columns: Sequence[str] = ()) -> None:
    """Refuse to overwrite anything that this package did not write; `columns` of ``obs`` come beside the usual ones."""
    slots = check_key(key)
    names = [*slots.obs, *(name for name in columns if name not in slots.obs)]
    if adata.obs.index.name in names:
        raise StorageError(
            f"the index of adata.obs is named {adata.obs.index.name!r}, as a column of the result would be, which no file can "
            "hold. Choose another key_added, or rename the index."
        )
    stored = in_memory(adata.uns.get(slots.uns))
    if _schema(stored) is None and slots.uns not in adata.uns and _left_over(adata, slots):
        ours = {*slots.obs, *(name for name in columns if _level_left_over(adata, name))}
        others = [f"obs[{name!r}]" for name in names if name in adata.obs and name not in ours]
        if others:
            raise StorageError(_not_ours(others, key))
        return
    if _schema(stored) is not None:
        if _schema(stored) != SCHEMA:
            raise StorageError(
                f"adata.uns[{key!r}] has schema number {_schema(stored)}, this version writes {SCHEMA}. "
                "Choose another key_added, or delete the old result."
            )
        ours = {str(name) for name in stored.get("written", [*slots.obs, *slots.obsm])}
        since = [f"obs[{name!r}]" for name in names if name in adata.obs and name not in ours]
        since += [f"obsm[{name!r}]" for name in slots.obsm if name in adata.obsm and name not in ours]
        if since:
            raise StorageError(
                f"{', '.join(since)} was added to adata since by other code; it would be lost. Choose another key_added than "
                f"{key!r}, or rename it."
            )
        return
    others = [f"uns[{slots.uns!r}]"] if slots.uns in adata.uns else []
    others += [f"obs[{name!r}]" for name in names if name in adata.obs]
    others += [f"obsm[{name!r}]" for name in slots.obsm if name in adata.obsm]
    if others:
        raise StorageError(_not_ours(others, key))


def _not_ours(names: Sequence[str], key: str) -> str:
    return (
        f"{', '.join(names)} exist already and were not written by sc_annotate. Choose another key_added than "
        f"{key!r}, or rename or delete them."
    )


def _left_over(adata: AnnData, slots: Slots) -> bool:
    """Whether these are columns of a result whose metadata was lost, as ``ad.concat`` leaves them."""
    return all(name in adata.obs for name in (slots.label, slots.confidence, slots.model))


def _level_left_over(adata: AnnData, name: str) -> bool:
    """Whether a column and its confidence are there together, as a level of a result whose metadata was lost leaves them."""
    label = name.removesuffix("_confidence")
    return label in adata.obs and f"{label}_confidence" in adata.obs


def _written_columns(adata: AnnData, slots: Slots) -> list[str]:
    """Columns of ``obs`` that an earlier result under this key owns, those of its levels included."""
    stored = in_memory(adata.uns.get(slots.uns))
    more = stored.get("written", []) if isinstance(stored, dict) and _schema(stored) is not None else []
    others = [str(name) for name in more if str(name) not in (*slots.obs, *slots.obsm)]
    return [name for name in (*slots.obs, *others) if name in adata.obs]


def _schema(stored: Any) -> int | None:
    """The schema number, if the entry is one of ours."""
    if isinstance(stored, dict) and "schema" in stored and "classes" in stored:
        number = stored["schema"]
        return int(number) if isinstance(number, int | np.integer) and not isinstance(number, bool) else -1
    return None


def is_result(stored: Any) -> bool:
    """Whether an entry of ``uns`` describes an annotation of this package."""
    return _schema(in_memory(stored)) is not None


@one_at_a_time
def write(adata: AnnData, key: str, annotation: Annotation) -> None:
    """Store an annotation; columns of an earlier one under the same key go."""
    check_writable(adata, key, list(annotation.obs))
    slots = Slots(key)
    if annotation.proba is not None and annotation.proba.shape[:1] != (adata.n_obs,):
        raise StorageError(f"{annotation.proba.shape} probabilities do not fit the {adata.n_obs} cells of adata.")
    before = adata.uns.get(key)
    own_colors = isinstance(before, dict) and bool(before.get("wrote_colors", False))
    paint = annotation.colors is not None and (own_colors or slots.colors not in adata.uns)
    proba = [] if annotation.proba is None else [slots.proba]
    metadata = {"schema": SCHEMA, "written": [*annotation.obs, *proba, *annotation.obsm], "wrote_colors": paint}
    uns = sanitize(metadata | annotation.uns, where=f"uns[{key!r}]")
    old = _written_columns(adata, slots)
    # Ids of the earlier labels would stand beside the new ones.
    mapped = is_label_map(adata.uns.get(slots.terms))
    if mapped and slots.term_id in adata.obs:
        old.append(slots.term_id)
    obs = obs_of(adata).drop(columns=old)
    for name, column in annotation.obs.items():
        obs[name] = column
    obs_was, obsm_was = adata.obs, _kept(adata.obsm, slots.obsm)
    entries = (slots.uns, slots.colors, slots.terms)
    uns_was = _kept(adata.uns, entries)
    try:
        adata.obs = obs
        for name in slots.obsm:
            adata.obsm.pop(name, None)
        if annotation.proba is not None:
            adata.obsm[slots.proba] = annotation.proba
        for name, array in annotation.obsm.items():
            adata.obsm[name] = array
        adata.uns[slots.uns] = uns
        if mapped:
            del adata.uns[slots.terms]
        if paint:
            adata.uns[slots.colors] = annotation.colors
        elif own_colors:
            adata.uns.pop(slots.colors, None)
    except BaseException:
        # All that can fail has been computed before, but Ctrl-C may come at any time.
        adata.obs = obs_was
        _restore(adata.obsm, slots.obsm, obsm_was)
        _restore(adata.uns, entries, uns_was)
        raise


def is_label_map(stored: Any) -> bool:
    """Whether an entry of ``uns`` says how labels were mapped to an ontology."""
    return isinstance(stored, dict) and {"schema", "table", "n_cells_unmapped"} <= set(stored)


def _restore(mapping: Any, names: tuple[str, ...], kept: dict[str, Any]) -> None:
    for name in names:
        mapping.pop(name, None)
        if name in kept:
            mapping[name] = kept[name]


def _kept(mapping: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: mapping[name] for name in names if name in mapping}


def read_uns(adata: AnnData, key: str) -> dict[str, Any]:
    """The metadata of an annotation, checked."""
    from sc_annotate._data.matrix import check_adata

    check_adata(adata, what="adata")
    stored = in_memory(adata.uns.get(check_key(key).uns))
    number = _schema(stored)
    if number is None:
        have = [name for name, value in list(adata.uns.items()) if _schema(value) is not None]
        if Slots(key).model in adata.obs:
            raise StorageError(
                f"adata.obs has the columns of {key!r}, but adata.uns[{key!r}] is gone, as `ad.concat` leaves it: what the "
                f"columns of the probabilities mean is lost. Annotate again, or concatenate with uns_merge='same'."
            )
        raise StorageError(
            f"adata.uns has no annotation {key!r}; there are: {', '.join(map(repr, have)) or 'none'}. "
            "Run `sca.tl.annotate(adata, ...)` first."
        )
    if number != SCHEMA:
        raise StorageError(
            f"adata.uns[{key!r}] has schema number {number}; this version reads {SCHEMA}. Annotate again."
        )
    if not isinstance(stored, dict):  # pragma: no cover - _schema has seen a dict
        raise StorageError(f"adata.uns[{key!r}] is no annotation.")
    return stored


def model_ids(adata: AnnData, key: str) -> list[str]:
    """Short ids of the models that labelled the cells of this object."""
    if Slots(key).model not in adata.obs:
        raise StorageError(f"adata.obs lacks {Slots(key).model!r}: a column of the result was deleted. Annotate again.")
    column = obs_of(adata)[Slots(key).model]
    return sorted({str(v) for v in column.dropna().unique()})


@one_at_a_time
def add_columns(
    adata: AnnData,
    key: str,
    columns: dict[str, Any],
    entry: str,
    metadata: dict[str, Any],
    *,
    drop: Sequence[str] = (),
) -> None:
    """Add columns to an annotation that is there, and an entry to its metadata; earlier ones of the same name go.

    Columns named in `drop`, of an earlier result, go too. All of it is done or nothing; a view becomes an object of its own.
    """
    stored = read_uns(adata, key)
    written = [str(name) for name in stored.get("written", Slots(key).obs)]
    others = [f"obs[{name!r}]" for name in columns if name in adata.obs and name not in written]
    if others:
        raise StorageError(
            f"{', '.join(others)} exist already and were not written by sc_annotate. Rename or delete them."
        )
    if adata.obs.index.name in columns:
        raise StorageError(
            f"the index of adata.obs is named {adata.obs.index.name!r}, as the new column would be. Rename the index."
        )
    gone = [name for name in drop if name in written and name in adata.obs and name not in columns]
    names = [*(name for name in written if name not in gone), *(name for name in columns if name not in written)]
    added = {"written": sanitize(names), entry: sanitize(metadata, where=f"uns[{key!r}][{entry!r}]")}
    obs_was = adata.obs
    obs = obs_of(adata).drop(columns=gone)
    for name, column in columns.items():
        obs[name] = column
    try:
        if columns or gone or adata.is_view:
            adata.obs = obs
        # A view and a shallow copy share the metadata of their parent: a new dict takes its place.
        adata.uns[key] = {**stored, **added}
    except BaseException:
        # Ctrl-C may come at any time.
        adata.obs = obs_was
        adata.uns[key] = stored
        raise
