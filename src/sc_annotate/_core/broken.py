"""What is wrong with a matrix that cannot be used, in words. Imported when something is."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.files import one_line
from sc_annotate.errors import MatrixError, ScAnnotateError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REPAIR = (
    "The object or its file is damaged: make it again, or read it from the original file. `X.check_format()` of scipy shows "
    "the same fault."
)


def broken(X: Any, what: str) -> MatrixError:
    """The error for a compressed sparse matrix whose parts do not fit together."""
    return MatrixError(f"{what} is a broken sparse matrix ({X.format.upper()}): {_fault(X)}. {_REPAIR}")


def _fault(X: Any) -> str:
    rows, columns = ("row", "columns") if X.format == "csr" else ("column", "rows")
    n, m = X.shape if X.format == "csr" else X.shape[::-1]
    data, indices, indptr = np.asarray(X.data), np.asarray(X.indices), np.asarray(X.indptr)
    if not data.ndim == indices.ndim == indptr.ndim == 1 or indptr.dtype.kind not in "iu":
        return "its data, indices and indptr are not one-dimensional arrays with whole numbers as indptr"
    if len(indptr) != n + 1:
        return f"indptr has {len(indptr):,} entries for {n:,} {rows}s, not {n + 1:,}"
    if len(data) != len(indices):
        return f"there are {len(data):,} values and {len(indices):,} indices"
    if indptr[0] != 0:
        return f"indptr starts at {indptr[0]}, not at 0"
    down = np.flatnonzero(indptr[:-1] > indptr[1:])
    if down.size:
        return f"indptr decreases after {rows} {down[0]:,}"
    if indptr[-1] > len(indices):
        return f"indptr ends at {indptr[-1]:,}, and there are {len(indices):,} values"
    if indices.dtype.kind not in "iu":
        return f"its indices are of type {indices.dtype}"
    used = indices[: indptr[-1]]
    out = np.flatnonzero((used < 0) | (used >= m))
    if not out.size:
        return "its indices are not in the byte order of this machine"
    at = int(np.searchsorted(indptr, out[0], side="right")) - 1
    more = f", and {len(out) - 1:,} more" if len(out) > 1 else ""
    return f"the index {used[out[0]]} in {rows} {at:,} lies outside its {m:,} {columns}{more}"


def check_other_format(X: Any, what: str) -> None:
    """Refuse a COO or BSR whose parts do not fit together; others are converted without compiled code."""
    if X.format == "coo":
        parts: list[NDArray[Any]] = [np.asarray(part) for part in (X.row, X.col)]
        wrong = any(part.shape != np.shape(X.data) or part.dtype.kind not in "iu" for part in parts)
        wrong = wrong or any(
            part.size and (part.min() < 0 or part.max() >= n) for part, n in zip(parts, X.shape, strict=True)
        )
        if wrong:
            raise MatrixError(f"{what} is a broken sparse matrix (COO): its coordinates lie outside of it. {_REPAIR}")
    elif X.format == "bsr":
        try:
            X.check_format(full_check=True)
        except Exception as error:
            raise MatrixError(f"{what} is a broken sparse matrix (BSR): {one_line(error)}. {_REPAIR}") from error


def unreadable(X: Any, error: Exception) -> MatrixError:
    """The error for a matrix in a file that cannot be read; what this package or the memory says is raised as it is."""
    if isinstance(error, ScAnnotateError | MemoryError):
        raise error
    return MatrixError(
        f"a matrix cannot be read from {file_of(X) or 'its file'}: {one_line(error)[:300]} The file was moved, cut short or "
        "damaged, or closed or changed by another program. Open it again, or restore it from a copy."
    )


def file_of(X: Any) -> str | None:
    """The file or folder that a matrix, or its group, is in."""
    for each in (X, getattr(X, "group", None)):
        for name in ("file", "store_path", "store"):
            # A closed file has no name.
            with suppress(Exception):
                found = getattr(each, name)
                found = found.filename if name == "file" else found
                return str(found).removeprefix("file://") if found is not None else None
    return None
