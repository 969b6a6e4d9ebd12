"""Rows and formats of matrices of any kind: dense, sparse, on disk, on a graphics card, or of Dask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rows(X: Any, where: slice | NDArray[np.intp]) -> sparse.csr_matrix | NDArray[Any]:
    """Some rows of any kind of matrix, in memory: CSR where the matrix is sparse, else dense."""
    block = _view(X, where) if isinstance(where, slice) and getattr(X, "format", None) == "csr" else X[where]
    if hasattr(block, "compute"):
        block = block.compute(scheduler="synchronous")
    if type(block).__module__.partition(".")[0] in ("cupy", "cupyx"):
        # As rapids-singlecell leaves matrices: blocks of them come to the main memory one by one.
        block = block.get()
    if isinstance(block, np.ma.MaskedArray):
        raise MatrixError("the matrix is a masked array; fill it first, for example with `.filled(0)`.")
    if not sparse.issparse(block):
        block = np.asarray(block)
    if block.dtype.kind not in "biuf":
        raise MatrixError(
            f"the matrix holds values of type {block.dtype}, not numbers. Convert it first, for example with `.astype('float32')`."
        )
    # Half precision and another byte order come out of files; scipy's sparse matrices know neither.
    if block.dtype.itemsize == 2 and block.dtype.kind == "f":
        block = block.astype(np.float32)
    elif not block.dtype.isnative:
        block = block.astype(block.dtype.newbyteorder("="))
    if not sparse.issparse(block):
        return block
    csr = sparse.csr_matrix(block)
    if not csr.has_canonical_format:
        # A value may be stored as a sum of several entries; a logarithm must see the sum.
        csr = csr.copy()
        csr.sum_duplicates()
    return csr


def _view(X: Any, where: slice) -> Any:
    """Successive rows of a CSR without a copy; blocks are not changed in place. A matrix in a file is sliced as it is."""
    if not sparse.issparse(X):
        return X[where]
    start, stop, step = where.indices(X.shape[0])
    if step != 1 or start >= stop:
        return X[where]
    low, high = X.indptr[start], X.indptr[stop]
    parts = X.data[low:high], X.indices[low:high], X.indptr[start : stop + 1] - low
    return type(X)(parts, shape=(stop - start, X.shape[1]), copy=False)


def row_ordered(X: Any) -> Any:
    """`X`, or where reading rows of it would cost a pass over the whole matrix each time (CSC), a CSR of it."""
    if sparse.issparse(X) and X.format != "csr":
        return X.tocsr()
    if getattr(X, "format", None) == "csc" and hasattr(X, "to_memory"):
        return X.to_memory().tocsr()
    return X


def as_csr_array(X: Any) -> sparse.csr_array:
    """`X` as a CSR array; where it is known that nothing is stored twice, that is not forgotten."""
    out = sparse.csr_array(X)
    if out is not X and getattr(X, "format", None) == "csr" and X.has_canonical_format:
        out.has_canonical_format = True
    return out
