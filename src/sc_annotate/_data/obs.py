"""Read labels and batches from ``obs`` as plain strings."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import whole
from sc_annotate.errors import InputError, LabelError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray


NO_TYPES = frozenset(
    (
        "unknown",
        "unassigned",
        "unlabeled",
        "unlabelled",
        "undefined",
        "na",
        "n/a",
        "nan",
        "none",
        "null",
        "?",
        "-",
        "doublet",
        "doublets",
    )
)
"""Words that people write for want of a label."""

FEW_CELLS = 10
"""Types with fewer labelled cells than this are reported: little can be learned or checked from them."""

NAMES = 10
"""More types than this, most of them of one cell, are names of cells or measurements."""


def read_labels(adata: AnnData, key: str, *, what: str) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Labels as strings and where there are any; NaN, None and blanks are missing labels."""
    column = check_column(adata, key, argument="labels_key", what=what)
    present = ~np.asarray(column.isna(), dtype=bool)
    labels = np.full(adata.n_obs, "", dtype=object)
    labels[present] = [_name(v) for v in np.asarray(column, dtype=object)[present]]
    labels = labels.astype(str)
    present &= np.char.strip(labels) != ""
    if not present.any():
        raise LabelError(f"{what}.obs[{key!r}] holds no label at all. Name another column with labels_key=.")
    return labels, present


def _name(value: object) -> str:
    # Cluster numbers that a missing value has turned into floats are still "3", not "3.0".
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)


def usable(
    labels: NDArray[np.str_], present: NDArray[np.bool_], *, min_cells: int | None, key: str, what: str
) -> tuple[NDArray[np.bool_], list[str]]:
    """Which labelled cells to learn from, and notes on the types.

    A type of one cell is an error unless `min_cells` says to leave small types out.
    """
    if min_cells is not None:
        min_cells = whole(min_cells, "min_cells", least=1)
    types, counts = np.unique(labels[present], return_counts=True)
    notes = []
    kept = present.copy()
    if min_cells is not None and (counts < min_cells).any():
        small = types[counts < min_cells]
        kept &= ~np.isin(labels, small)
        notes.append(f"left out, as fewer than min_cells={min_cells} cells have the label: {', '.join(small)}")
        types, counts = types[counts >= min_cells], counts[counts >= min_cells]
    if min_cells is None and (counts == 1).any():
        single = types[counts == 1]
        if len(types) > max(NAMES, 0.5 * counts.sum()):
            raise LabelError(_names(types, counts, key, what))
        raise LabelError(
            f"one cell only is labelled {', '.join(map(repr, single[:5].tolist()))} in {what}.obs[{key!r}]: nothing can be learned "
            "from it. Pass min_cells=2 (or more) to leave such types out, or merge them with another."
        )
    if len(types) < 2:
        raise LabelError(
            f"{what}.obs[{key!r}] has {len(types)} usable type{'' if len(types) == 1 else 's'} ({', '.join(types)}); at "
            "least two are needed to distinguish cells."
        )
    if len(types) > 0.5 * counts.sum():
        raise LabelError(_names(types, counts, key, what))
    no_types = [f"{t!r} ({c})" for t, c in zip(types.tolist(), counts, strict=True) if t.strip().casefold() in NO_TYPES]
    if no_types:
        notes.append(
            f"{', '.join(no_types)} is taken as a type like the others; set it to NaN to leave these cells unlabelled"
        )
    alike: dict[str, list[str]] = {}
    for t in types.tolist():
        alike.setdefault(" ".join(t.split()).casefold(), []).append(repr(t))
    for group in alike.values():
        if len(group) > 1:
            notes.append(f"{' and '.join(group)} differ in blanks or case only and are taken as different types")
    few = [f"{t} ({c})" for t, c in zip(types, counts, strict=True) if c < FEW_CELLS]
    if few:
        notes.append(
            f"fewer than {FEW_CELLS} reference cells: {', '.join(few)}; do not rely on these labels or their scores, or "
            f"leave these types out (min_cells={FEW_CELLS})"
        )
    return kept, notes


def _names(types: NDArray[np.str_], counts: NDArray[np.intp], key: str, what: str) -> str:
    return (
        f"{what}.obs[{key!r}] has {len(types)} different labels for {counts.sum()} cells: this looks like a column of "
        "names or numbers, not of types. Name another column with labels_key=."
    )


def read_batches(adata: AnnData, key: str | None, *, what: str) -> NDArray[np.str_] | None:
    """Batches as strings; a missing batch is an error."""
    if key is None:
        return None
    column = check_column(adata, key, argument="batch_key", what=what)
    if column.isna().any():
        raise InputError(
            f"{what}.obs[{key!r}] (batch_key) is missing for {int(column.isna().sum())} cells. Fill or drop them."
        )
    return np.asarray(column.astype(str), dtype=str)


def check_column(adata: AnnData, column: str, *, argument: str, what: str = "adata") -> pd.Series:
    """A column of ``obs`` that a user named."""
    import pandas as pd

    if not isinstance(column, str) or column not in adata.obs:
        near = difflib.get_close_matches(str(column), list(map(str, adata.obs)), n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise InputError(
            f"{what}.obs has no column {column!r} ({argument}). {hint}There are: {', '.join(map(repr, adata.obs)) or 'none'}."
        )
    values = adata.obs[column]
    if isinstance(values, pd.DataFrame):
        raise InputError(f"{what}.obs has {values.shape[1]} columns named {column!r} ({argument}). Rename all but one.")
    return values if isinstance(values, pd.Series) else pd.Series(np.asarray(values), index=adata.obs_names)


def is_lazy(adata: AnnData) -> bool:
    """Whether ``obs`` is no DataFrame, as ``anndata.experimental.read_lazy`` leaves it."""
    import pandas as pd

    return not isinstance(adata.obs, pd.DataFrame)


def obs_of(adata: AnnData) -> pd.DataFrame:
    """``obs`` as a table in memory."""
    obs: Any = adata.obs
    if not is_lazy(adata):
        table: pd.DataFrame = obs
        return table
    table = obs.to_memory()
    if table.index.name == "_index":  # what files call an index without a name
        table.index.name = None
    return table


def in_memory(value: Any) -> Any:
    """An entry of ``uns`` whose arrays and tables were read lazily, with all of them in memory; others as they are."""
    if isinstance(value, dict):
        found = {name: in_memory(v) for name, v in value.items()}
        return found if any(found[name] is not v for name, v in value.items()) else value
    for read in ("to_memory", "compute"):  # a table of anndata, an array of dask
        if hasattr(value, read):
            return getattr(value, read)()
    return value


def with_tables(adata: AnnData) -> AnnData:
    """`adata`, or, where it was read lazily, one with the same matrices and with ``obs`` and ``var`` in memory."""
    if not is_lazy(adata):
        return adata
    from anndata import AnnData

    obs, var = obs_of(adata), adata.var.to_memory()
    layers = {name: X for name, X in adata.layers.items() if name is not None}
    return AnnData(X=adata.X, obs=obs, var=var, uns=in_memory(dict(adata.uns)), obsm=dict(adata.obsm), layers=layers)
