"""Check the tables of an AnnData, and read labels and batches from ``obs`` as plain strings."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import whole
from sc_annotate._core.codec import check_texts
from sc_annotate._core.settings import counted
from sc_annotate.errors import GeneError, InputError, LabelError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray


NO_TYPES = frozenset(
    (
        *(
            "unknown",
            "unassigned",
            "not assigned",
            "unlabeled",
            "unlabelled",
            "unclassified",
            "undefined",
            "undetermined",
            "heterogeneous",
            "rejected",
        ),
        *("unidentified", "unspecified", "unannotated", "uncharacterized", "uncharacterised", "ambiguous", "missing"),
        *("na", "n/a", "#n/a", "<na>", "nan", "none", "null", "not available", "no label", "tbd", "?", "-", "."),
        *("doublet", "multiplet", "low quality", "low quality cell", "poor quality", "bad quality", "debris"),
        *("empty", "empty droplet", "excluded", "filtered", "removed"),
    )
)
"""Labels in use for missing types, doublets and debris; see `is_no_type`."""

FEW_CELLS = 10
FEW_NAMED = 5
"""Types that a note names, the smallest first."""
"""Types with fewer labelled cells than this are reported: little can be learned or checked from them."""

NAMES = 10
"""More types than this, most of them of one cell, are names of cells or measurements."""


def read_labels(
    adata: AnnData, key: str, *, what: str, argument: str = "labels_key"
) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Labels as strings and where there are any; NaN, None and blanks are missing labels."""
    labels, present = as_labels(check_column(adata, key, argument=argument, what=what))
    if not present.any():
        raise LabelError(f"{what}.obs[{key!r}] holds no label at all. Name another column with {argument}=.")
    return labels, present


def as_labels(column: pd.Series) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Labels as strings, "" where there is none, and where there are any."""
    present = ~np.asarray(column.isna(), dtype=bool)
    labels = np.full(len(column), "", dtype=object)
    labels[present] = [_name(v) for v in np.asarray(column, dtype=object)[present]]
    labels = labels.astype(str)
    present &= np.char.strip(labels) != ""
    labels[~present] = ""
    return labels, present


def _name(value: object) -> str:
    # Cluster numbers that a missing value has turned into floats are still "3", not "3.0".
    return str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)


def is_no_type(label: str) -> bool:
    """Whether a label stands for no type, in any case, with blanks, underscores or dashes, one cell or many."""
    text = label.strip().casefold()
    text = " ".join(re.split(r"[\s_-]+", text)).strip() or text
    return bool(NO_TYPES.intersection((text, text.removesuffix("s"), text.removesuffix("s").removesuffix(" cell"))))


def usable(
    labels: NDArray[np.str_], present: NDArray[np.bool_], *, min_cells: int, key: str, what: str
) -> tuple[NDArray[np.bool_], list[str]]:
    """Which labelled cells to learn from, and notes on the types.

    Types with fewer than `min_cells` cells are left out; where that is 1, a type of one cell is an error.
    """
    min_cells = whole(min_cells, "min_cells", least=1)
    types, counts = np.unique(labels[present], return_counts=True)
    notes = []
    kept = present.copy()
    # Whoever sets min_cells knows that there are small types.
    if min_cells <= 2 and len(types) > max(NAMES, 0.5 * counts.sum()):
        raise LabelError(_names(types, counts, key, what))
    single = types[counts == 1].tolist()
    if min_cells == 1 and single:
        raise LabelError(
            f"one cell only is labelled {', '.join(map(repr, single[:5]))} in {what}.obs[{key!r}]: nothing can be learned "
            "from it. Pass min_cells=2 (or more) to leave such types out, or merge them with another."
        )
    small = counts < min_cells
    if small.any():
        kept &= ~np.isin(labels, types[small])
        notes.append(_left_out(types[small], counts[small], min_cells, key, what))
        types, counts = types[~small], counts[~small]
    if len(types) < 2:
        raise LabelError(
            f"{what}.obs[{key!r}] has {len(types)} usable type{'' if len(types) == 1 else 's'} ({', '.join(types) or 'none'}); at "
            f"least two are needed to distinguish cells, of {max(2, min_cells)} cells or more."
        )
    alike: dict[str, list[str]] = {}
    for t in types.tolist():
        alike.setdefault(" ".join(t.split()).casefold(), []).append(repr(t))
    for group in alike.values():
        if len(group) > 1:
            notes.append(f"{' and '.join(group)} differ in blanks or case only and are taken as different types")
    few = sorted((int(c), str(t)) for t, c in zip(types, counts, strict=True) if c < FEW_CELLS)
    if few:
        some = ", ".join(f"{t} ({c})" for c, t in few[:FEW_NAMED])
        notes.append(
            f"{len(few):,} type{'' if len(few) == 1 else 's'} with fewer than {FEW_CELLS} reference cells: {some}"
            f"{', ...' if len(few) > FEW_NAMED else ''}; do not rely on these labels or their scores, or leave these types out "
            f"(min_cells={FEW_CELLS})"
        )
    return kept, notes


def _left_out(types: NDArray[np.str_], counts: NDArray[np.intp], min_cells: int, key: str, what: str) -> str:
    n, cells = len(types), f"{counts.sum():,} cell{'' if counts.sum() == 1 else 's'}"
    some = ", ".join(f"{t!r}" for t in types[:10].tolist())
    return (
        f"{n:,} type{'' if n == 1 else 's'} of {what}.obs[{key!r}] with fewer than min_cells={min_cells} cells "
        f"{'was' if n == 1 else 'were'} left out ({cells}): {some}{', ...' if n > 10 else ''}; cells of "
        f"{'this type' if n == 1 else 'these types'} will get another label"
    )


def no_type_notes(adata: AnnData, key: str, *, what: str) -> list[str]:
    """Labels of a column that stand for no type, with the number of their cells; empty ones are missing labels."""
    column = check_column(adata, key, argument="labels_key", what=what)
    found = Counter(value for value in np.asarray(column, dtype=object).tolist() if isinstance(value, str)).items()
    notes = []
    if words := [f"{name!r} ({n:,})" for name, n in sorted(found) if name.strip() and is_no_type(name)]:
        notes.append(
            f"labels of {what}.obs[{key!r}] that seem to stand for no type are taken as types like the others: "
            f"{', '.join(words)}; set them to NaN to leave these cells unlabelled"
        )
    if n := sum(n for name, n in found if not name.strip()):
        notes.append(
            f"{n:,} cell{' has' if n == 1 else 's have'} an empty label in {what}.obs[{key!r}], and "
            f"{'is' if n == 1 else 'are'} taken as unlabelled"
        )
    return notes


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
            f"{what}.obs[{key!r}] (batch_key) is missing for {counted(int(column.isna().sum()), 'cell')}. Fill or drop them."
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
    check_texts([column], argument, InputError)
    values = adata.obs[column]
    if isinstance(values, pd.DataFrame):
        raise InputError(f"{what}.obs has {values.shape[1]} columns named {column!r} ({argument}). Rename all but one.")
    series = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values), index=adata.obs_names)
    texts = series.cat.categories if isinstance(series.dtype, pd.CategoricalDtype) else series
    if not pd.api.types.is_numeric_dtype(texts.dtype):
        error = LabelError if argument == "labels_key" else InputError
        check_texts(texts.tolist(), f"{what}.obs[{column!r}] ({argument})", error)
    return series


def check_tables(adata: AnnData, *, what: str) -> None:
    """Refuse names of cells, genes and columns that results cannot be stored under."""
    import pandas as pd

    tables = {"obs": adata.obs, "var": adata.var} | ({} if adata.raw is None else {"raw.var": adata.raw.var})
    for name, table in tables.items():
        for axis, index in (("index", table.index), ("columns", table.columns)):
            if isinstance(index, pd.MultiIndex):
                raise InputError(
                    f"the {axis} of {what}.{name} has {index.nlevels} levels (a MultiIndex), where files hold one name each. Join "
                    f"them: `{what}.{name}.{axis} = ['_'.join(map(str, each)) for each in {what}.{name}.{axis}]`."
                )
        if isinstance(table.index.dtype, pd.PeriodDtype | pd.IntervalDtype) or table.index.dtype.kind in "mM":
            raise InputError(
                f"the index of {what}.{name} holds values of type {table.index.dtype}, where files hold text. Run "
                f"`{what}.{name}.index = {what}.{name}.index.astype(str)` first."
            )
        if name != "obs":
            names = [] if pd.api.types.is_numeric_dtype(table.index.dtype) else table.index.tolist()
            check_texts(names, f"the index of {what}.{name}", GeneError)


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


def var_of(adata: AnnData) -> pd.DataFrame:
    """``var`` as a table in memory."""
    var: Any = adata.var
    table: pd.DataFrame = var.to_memory() if hasattr(var, "to_memory") else var
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
