"""Tables that files can hold: DataFrames with columns of one kind, in ``uns`` as they are, in JSON as columns."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    import pandas as pd


def is_frame(value: Any) -> bool:
    """Whether `value` is a DataFrame, without importing pandas to look at a number."""
    return type(value).__name__ == "DataFrame" and hasattr(value, "columns")


def table(data: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, texts: Collection[str] = ()) -> pd.DataFrame:
    """A DataFrame that files can hold, from columns or from rows: strings are objects, the index is numbers as strings.

    A column of integers, of booleans or of strings stays one; any other becomes float64, with NaN for None. Columns named
    in `texts` hold strings also when they are empty.

    Examples
    --------
    >>> table([{"method": "logreg", "n": 3}, {"method": "lda", "n": 4}]).dtypes.astype(str).to_dict()
    {'method': 'object', 'n': 'int64'}
    """
    import pandas as pd

    if not isinstance(data, Mapping):
        names = list(data[0]) if data else list(texts)
        data = {name: [row[name] for row in data] for name in names}
    columns = {str(name): _column(values, text=name in texts) for name, values in data.items()}
    _same_length(columns)
    frame = pd.DataFrame({name: pd.Series(v, dtype=v.dtype) for name, v in columns.items()})
    frame.index = frame.index.astype(str)
    return frame


def _column(values: Any, *, text: bool) -> np.ndarray[Any, Any]:
    array = np.asarray(values) if hasattr(values, "dtype") else None
    if array is not None and array.dtype.kind in "biuf" and not text:
        return array
    items = list(values) if array is None else array.tolist()
    items = [v.item() if isinstance(v, np.generic) else v for v in items]
    kinds = {type(v) for v in items}
    if text or str in kinds or (array is not None and array.dtype.kind in "US"):
        out = np.empty(len(items), dtype=object)
        out[:] = items
        return out
    if items and (kinds == {bool} or kinds == {int}):
        return np.array(items)
    return np.array([math.nan if v is None else v for v in items], dtype=np.float64)


def _same_length(columns: Mapping[str, Any]) -> None:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"the columns of a table differ in length: {', '.join(f'{k} {n}' for k, n in lengths.items())}"
        )


_DTYPES: dict[str, tuple[str, Any, tuple[type, ...]]] = {
    "bool": ("b", np.bool_, (bool,)),
    "int": ("iu", np.int64, (int,)),
    "float": ("f", np.float64, (float, int, str, type(None))),
    "text": ("OUT", object, (str, type(None))),
}
"""Names in JSON: kinds of numpy, dtype read back, types of the values."""


def frame_to_json(frame: pd.DataFrame, where: str) -> dict[str, Any]:
    """Columns and their types; see :func:`sc_annotate._core.codec.to_json`."""
    columns: dict[str, list[Any]] = {}
    dtypes: dict[str, str] = {}
    for name in frame:
        values = np.asarray(frame[name])
        dtype = next((d for d, (kinds, _, _) in _DTYPES.items() if values.dtype.kind in kinds), None)
        items = values.tolist()
        if dtype == "float":
            items = [v if math.isfinite(v) else None if math.isnan(v) else str(v) for v in items]
        elif dtype == "text":
            items = [v if isinstance(v, str) else None if v is None or v != v else v for v in items]
        if dtype is None or str(name) in columns or not all(isinstance(v, _DTYPES[dtype][2]) for v in items):
            raise StorageError(f"{where} holds a table whose column {name!r} JSON cannot hold.")
        columns[str(name)], dtypes[str(name)] = items, dtype
    return {"columns": columns, "dtypes": dtypes}


def frame_from_json(columns: Any, dtypes: Any) -> pd.DataFrame:
    """Back; a ValueError where the columns are not whole."""
    if not isinstance(columns, dict) or not isinstance(dtypes, dict) or columns.keys() != dtypes.keys():
        raise ValueError("a table has other columns than dtypes")
    _same_length(columns)
    arrays: dict[str, Any] = {}
    for name, items in columns.items():
        _, dtype, types = _DTYPES[dtypes[name]]
        # True is an int to Python, and no number here.
        if not all(isinstance(v, types) and (dtype is np.bool_ or not isinstance(v, bool)) for v in items):
            raise ValueError(f"the column {name!r} of a table does not hold values of type {dtypes[name]}")
        if dtypes[name] == "float" and any(isinstance(v, str) and v not in ("inf", "-inf") for v in items):
            raise ValueError(f"the column {name!r} of a table holds a text among its numbers")
        arrays[name] = (
            np.array([math.nan if v is None else float(v) for v in items]) if dtypes[name] == "float" else items
        )
        arrays[name] = np.asarray(arrays[name], dtype=dtype)
    return table(arrays, texts=[name for name, dtype in dtypes.items() if dtype == "text"])
