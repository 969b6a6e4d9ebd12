"""Results as plain arrays under a path each, and in a folder of npz files."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Leaves = dict[str, "np.ndarray[Any, Any]"]
_NOTHING = "<none>"


def leaves(value: Any) -> Leaves:
    """Every number and text in `value`, under the path of names that leads to it.

    A DataFrame and a dict of lists look the same, as do a dataclass and a dict, so that a change of the container alone
    is no difference.
    """
    return {"/".join(path): array for path, array in _walk(value, ())}


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, AnnData):
        for part in ("obs", "var", "obsm", "varm", "layers", "uns"):
            yield from _walk(dict(getattr(value, part)), (*path, part))
        yield from _walk(np.asarray(value.obs_names, dtype=str), (*path, "obs_names"))
        yield from _walk(np.asarray(value.var_names, dtype=str), (*path, "var_names"))
        yield from _walk(value.X, (*path, "X"))
    elif isinstance(value, pd.DataFrame):
        yield from _walk({str(name): value[name] for name in value}, path)
        if value.index.dtype.kind not in "iu" and list(value.index) != [str(i) for i in range(len(value))]:
            yield (*path, "index"), _texts(value.index)
    elif isinstance(value, pd.Series):
        if isinstance(value.dtype, pd.CategoricalDtype):
            yield (*path, "categories"), _texts(value.cat.categories)
        text = isinstance(value.dtype, pd.CategoricalDtype) or value.dtype == object or value.dtype.kind in "OUST"
        yield path, _column(value) if text else _array(value.to_numpy())
    elif sparse.issparse(value):
        yield path, _array(value.toarray())
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _walk({f.name: getattr(value, f.name) for f in fields(value)}, path)
    elif hasattr(value, "items"):
        if not value:
            yield path, _array("<empty>")
        for name in sorted(value, key=str):
            yield from _walk(value[name], (*path, str(name).replace("/", ":")))
    elif isinstance(value, (list, tuple)) and any(isinstance(v, (list, tuple, dict)) or is_dataclass(v) for v in value):
        for i, v in enumerate(value):
            yield from _walk(v, (*path, str(i)))
    else:
        yield path, _column(value) if isinstance(value, (list, tuple)) else _array(value)


def _column(values: Any) -> Any:
    """Numbers where all are numbers or missing, else texts."""
    if all(v is None or isinstance(v, (int, float, np.number)) for v in values):
        return np.array([np.nan if v is None else v for v in values], dtype=float)
    return _texts(values)


def _texts(values: Any) -> Any:
    return np.array([_NOTHING if v is None or v is pd.NA or v != v else str(v) for v in values], dtype=str)


def _array(value: Any) -> Any:
    if value is None:
        return np.array(_NOTHING)
    array = np.asarray(value)
    if array.dtype.kind in "OTS":
        return _texts(array.ravel()).reshape(array.shape)
    return array if array.dtype.kind in "biufU" else np.array(str(value))


def write(folder: Path, name: str, found: Mapping[str, Any]) -> None:
    """The leaves of one case; paths stand in JSON, since not every path is the name of a file in an archive."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = list(found)
    arrays = {f"a{i}": found[path] for i, path in enumerate(paths)}
    with (folder / f"{name}.npz").open("wb") as file:
        np.savez_compressed(file, paths=np.array(json.dumps(paths)), **arrays)


def read(folder: Path) -> dict[str, Leaves]:
    """The leaves of all cases in a folder."""
    out = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            out[path.stem] = {p: file[f"a{i}"] for i, p in enumerate(json.loads(str(file["paths"])))}
    return out
