"""Matrices that are not in memory: in a file, or a Dask array whose chunks may be other than declared. Imported where there is one."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core.broken import unreadable
from sc_annotate._core.files import one_line
from sc_annotate.errors import MatrixError, ScAnnotateError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIX = "Create the array with its actual chunk sizes (`map_blocks(..., chunks=...)` declares what a function returns)."


Check = Callable[[Any, str], None]


def read(X: Any, where: Any, check: Check) -> Any:
    """Rows of a matrix, a slice or an array of numbers, in memory; sparse ones are checked by `check`."""
    if hasattr(X, "dask"):
        block = computed(checked(X, check)[where])
    elif type(X).__module__.partition(".")[0] in ("cupy", "cupyx"):
        return X[where]
    else:
        try:
            block = X[where]
        except Exception as error:
            raise unreadable(X, error) from error
    check_whole(X)
    n = len(range(*where.indices(X.shape[0]))) if isinstance(where, slice) else len(where)
    if block.shape != (n, X.shape[1]):
        raise MatrixError(
            f"a matrix of {X.shape[1]:,} columns gave {block.shape} for {n:,} rows: it is not what its file or its chunks "
            "declare. Read or make it again."
        )
    check(block, "the matrix")
    return block


def read_whole(X: Any) -> Any:
    """A matrix in a file, in memory."""
    try:
        block = X.to_memory()
    except Exception as error:
        raise unreadable(X, error) from error
    check_whole(X)
    return block


def check_whole(X: Any) -> None:
    """Refuse what was read from an HDF5 file that was cut short since it was opened: there it reads as zeros."""
    size, expected = 0, 0
    # Only a local file has a descriptor, whose size can be read; a file that is being written may be incomplete.
    with suppress(Exception):
        file = getattr(X, "group", X).file
        if file.mode == "r":
            size, expected = os.fstat(file.id.get_vfd_handle()).st_size, file.id.get_filesize()
    if size < expected:
        raise unreadable(X, OSError(f"{size:,} bytes of {expected:,} are there."))


def checked(X: Any, check: Check) -> Any:
    """The same Dask array, each chunk of which is compared with its declaration, and by `check`, before it is used."""
    check_sizes(X, "the matrix")
    return X.map_blocks(_same, check=check, dtype=X.dtype, meta=X._meta)


def check_sizes(X: Any, what: str) -> None:
    """Refuse an array of unknown shape."""
    if np.isnan(X.shape).any():
        raise MatrixError(
            f"{what} is a Dask array whose chunk sizes are unknown. Call `X.compute_chunk_sizes()` on it before "
            "this call."
        )


def _same(chunk: Any, check: Check, block_info: Mapping[Any, Any] | None = None) -> Any:
    """The chunk, if it is what was declared."""
    place = [] if block_info is None else [tuple(map(int, each)) for each in block_info[0]["array-location"]]
    where = ", ".join(f"{low:,}:{high:,}" for low, high in place)
    if not (sparse.issparse(chunk) or isinstance(chunk, np.ndarray) or type(chunk).__module__.startswith("cupy")):
        raise MatrixError(f"the chunk [{where}] of the Dask array is a {type(chunk).__name__}, not an array. {_FIX}")
    declared = tuple(high - low for low, high in place)
    if place and chunk.shape != declared:
        raise MatrixError(
            f"the chunk [{where}] of the Dask array should have the shape {declared}, and has {chunk.shape}. {_FIX}"
        )
    check(chunk, f"the chunk [{where}] of the Dask array")
    return chunk


def computed(lazy: Any) -> Any:
    """A chunk, or rows of an array, computed on this thread."""
    try:
        return lazy.compute(scheduler="synchronous")
    except (ScAnnotateError, MemoryError):
        raise
    except Exception as error:
        raise failed(error) from error


def failed(error: Exception) -> MatrixError:
    """The error for chunks that cannot be computed."""
    return MatrixError(
        f"the Dask array cannot be computed: {type(error).__name__}: {one_line(error)[:300]} If it reads from a file, check "
        "that the file is there and whole; else see what `X.compute()` says."
    )
