"""A part of a result, or a column of ``obs``, as a panel of an embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._store.reading import obs_of
from sc_annotate._store.slots import AMBIGUOUS, CONFIDENT, GIVEN, LOW_QUALITY, UNFAMILIAR, Slots
from sc_annotate.errors import InputError, StorageError
from sc_annotate.pl import _style as style
from sc_annotate.pl._embedding import Panel

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate.pl._parts import Part

SHARES = ("voted_share",)
LOW_IS_GOOD = ("unfamiliarity", "set_size", "disagreement")
"""Numbers that are low where a label can be trusted."""

MOST_TYPES = 400

SURE = {CONFIDENT: 1.0, GIVEN: 1.0, AMBIGUOUS: 0.35, UNFAMILIAR: 0.1, LOW_QUALITY: 0.1}
"""Saturation of a cell of this status."""


def panel_of(adata: AnnData, part: Part) -> Panel:
    """Points, colours and notes of a panel."""
    column = part.values
    if column.dtype.kind in "fiu":
        known = part.key is not None
        share = known and (part.name.endswith("confidence") or part.name in SHARES)
        panel = Panel.of_numbers(column, (0.0, 1.0) if share else None, high=not (known and part.name in LOW_IS_GOOD))
    else:
        column = _categories(column, part.column)
        panel = Panel.of_types(column, _colors(adata, part, column))
    missing = ~panel.known
    if missing.any():
        given = np.zeros(len(column), dtype=bool)
        if part.frame is not None and "status" in part.frame:
            given = np.asarray(part.frame["status"] == GIVEN, dtype=bool)
        why = "pre-labelled cells" if given[missing].all() else "cells without a value"
        panel.notes.append(f"grey: {int(missing.sum()):,} {why}")
    return panel


def how_sure(part: Part, shade: str) -> NDArray[np.float64]:
    """Saturation of each cell, 0 to 1; pre-labelled cells have 1."""
    frame = part.frame
    if frame is None or shade not in frame:
        raise StorageError(
            f"the result {part.key!r} has no {shade} to shade by: the model was fitted with trust=None, the labels were imported "
            "without it, or the column was deleted. Leave shade out, or annotate again with trust='temperature'."
        )
    status = frame["status"].astype(object) if "status" in frame else None
    if shade == "status":
        return np.array([SURE.get(s, 0.0) for s in np.asarray(status, dtype=object)], dtype=np.float64)
    confidence = frame["confidence"].to_numpy(dtype=np.float64, na_value=np.nan)
    given = np.isnan(confidence) if status is None else np.asarray(status == GIVEN, dtype=bool)
    return np.where(given, 1.0, np.nan_to_num(confidence))


def _categories(column: pd.Series, name: str) -> pd.Series:
    if column.dtype.kind not in "OTSUb" and not hasattr(column, "cat") and not str(column.dtype).startswith("str"):
        raise InputError(f"adata.obs[{name!r}] (color) holds neither types nor numbers, but {column.dtype}.")
    n = column.nunique()
    if n > MOST_TYPES:
        raise InputError(
            f"adata.obs[{name!r}] (color) has {n:,} different values; at most {MOST_TYPES} can be drawn. Name a column of "
            "types, groups or numbers."
        )
    return column.astype("category")


def _colors(adata: AnnData, part: Part, column: pd.Series) -> dict[str, str]:
    used = [str(c) for c in column.cat.remove_unused_categories().cat.categories]
    if part.key is None or part.name == "label":
        return style.type_colors(adata, part.column, column)
    if part.name == "status" and set(used) <= set(style.STATUS_COLORS):
        return style.STATUS_COLORS
    if not part.is_label or Slots(part.column).colors in adata.uns:
        return style.type_colors(adata, part.column, column.cat.remove_unused_categories())
    # A type has the colour that it has as a label.
    labels = obs_of(adata)[part.key].astype("category")
    return style.kept_apart(used, style.type_colors(adata, part.key, labels))
