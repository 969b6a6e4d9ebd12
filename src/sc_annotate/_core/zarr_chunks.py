"""Zarr arrays with missing chunks, which zarr reads as zeros. Imported where a matrix is not in memory."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.broken import unreadable
from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPAIR = "Restore the store from a copy, or write it again."


def check_stored(X: Any) -> None:
    """Refuse a matrix in a zarr store, or a Dask array that reads one, with missing chunks.

    Chunks that hold zeros alone are not written by zarr, so of a dense array only one without any chunk is refused. Of a
    sparse matrix no chunk is zeros alone, but for indices of rows (or columns) with one entry each.
    """
    for held in _in_stores(X):
        group = getattr(held, "group", None)
        try:
            _check_array(held) if group is None else _check_group(group, held.shape, held.format)
        except MatrixError:
            raise
        except Exception as error:
            raise unreadable(held, error) from error


def _in_stores(X: Any) -> list[Any]:
    """The matrices in zarr stores that it is, or reads."""
    graph = getattr(X, "dask", None)
    if graph is None:
        return [X] if _of_zarr(X) else []
    seen: set[int] = set()
    found: dict[str, Any] = {}
    for layer in getattr(graph, "layers", {"": graph}).values():
        # What a blockwise layer does is one task for all of its chunks.
        once = getattr(layer, "task", None)
        for task in layer.values() if once is None else (once, layer.indices, layer.io_deps):
            for held in _held(task, seen):
                found.setdefault(f"{type(held).__name__} {getattr(held, 'group', held)}", held)
    return list(found.values())


def _held(task: Any, seen: set[int]) -> Iterator[Any]:
    """Matrices in zarr stores among what a task is made of."""
    if id(task) in seen or isinstance(task, str | bytes | int | float | slice | np.ndarray | type | None):
        return
    seen.add(id(task))
    if _of_zarr(task):
        yield task
        return
    parts: list[Any] = []
    if isinstance(task, list | tuple | set):
        parts.extend(task)
    elif isinstance(task, Mapping):
        parts.extend(task.values())
    else:
        # Tasks, functions with arguments bound to them, and what holds a piece of data in a graph.
        parts.extend(getattr(task, name, None) for name in ("func", "args", "kwargs", "keywords", "value"))
    for part in parts:
        yield from _held(part, seen)


def _of_zarr(X: Any) -> bool:
    within = type(getattr(X, "group", X))
    return (
        within.__module__.partition(".")[0] == "zarr" and within.__name__ in ("Array", "Group") and hasattr(X, "shape")
    )


def _opened(store: Any, path: str) -> Any:
    """An array as it is now: consolidated metadata also lists arrays that were deleted."""
    import zarr

    return zarr.open_array(store=store, path=path, mode="r")


def _n_missing(array: Any) -> int:
    # A store that cannot be listed is not checked.
    with suppress(Exception):
        return max(0, int(array.nchunks) - int(array.nchunks_initialized))
    return 0


def _check_array(array: Any) -> None:
    array = _opened(array.store, array.path)
    if array.nchunks and _n_missing(array) == array.nchunks:
        raise MatrixError(f"no chunk of the array {array.path!r} is in {_place(array)}. {_REPAIR}")


def _check_group(group: Any, shape: tuple[int, int], form: str) -> None:
    parts = {name: _opened(group.store, f"{group.path}/{name}".strip("/")) for name in ("data", "indices", "indptr")}
    missing = {name: _n_missing(array) for name, array in parts.items()}
    if not any(missing.values()):
        return
    if missing["data"]:
        raise _incomplete(parts["data"], missing["data"])
    indptr = np.asarray(parts["indptr"][...]).astype(np.int64)
    n_minor = shape[1] if form == "csr" else shape[0]
    if missing["indptr"] and not _is_whole(indptr, parts["indices"], n_minor):
        raise _incomplete(parts["indptr"], missing["indptr"])
    if missing["indices"]:
        size = int((getattr(parts["indices"], "shards", None) or parts["indices"].chunks)[0])
        for low in range(0, parts["indices"].shape[0], size):
            high = min(low + size, parts["indices"].shape[0])
            several = np.diff(np.clip(indptr, low, high)).max(initial=0) > 1
            if several and not np.any(parts["indices"][low:high]):
                raise _incomplete(parts["indices"], missing["indices"])


def _is_whole(indptr: Any, indices: Any, n_minor: int) -> bool:
    """Whether its leading zeros are of empty rows (or columns): then the first that is not holds no index twice."""
    if indptr[-1] != indices.shape[0] or (np.diff(indptr) < 0).any():
        return False
    first = int(indptr[np.flatnonzero(indptr)[0]]) if indptr.any() else 0
    return first <= n_minor and len(np.unique(indices[:first])) == first


def _incomplete(array: Any, n: int) -> MatrixError:
    return MatrixError(
        f"{n:,} of the {int(array.nchunks):,} chunks of the array {array.path!r} are missing in {_place(array)}; zarr would read "
        f"them as zeros. {_REPAIR} (If the values are zeros that were stored on purpose, call `eliminate_zeros()` on the matrix "
        "before it is written.)"
    )


def _place(array: Any) -> str:
    return str(array.store).removeprefix("file://")
