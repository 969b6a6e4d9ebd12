"""Cells x genes matrices as methods take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, issparse

from sc_annotate._core.arguments import public
from sc_annotate._core.arrays import as_csr_array
from sc_annotate.errors import GeneError, InputError, MatrixError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@public
def as_matrix(X: Any) -> NDArray[np.float32] | csr_array:
    """A matrix as float32, dense or canonical CSR with 32-bit indices where they suffice.

    Parameters
    ----------
    X
        Cells x genes, anything that numpy reads, or any format of scipy.sparse. Not modified.

    Returns
    -------
    A numpy array, or a ``scipy.sparse.csr_array`` where `X` is sparse; `X` itself where nothing has to change.

    Raises
    ------
    sc_annotate.errors.MatrixError
        Values that are no numbers, or other than two dimensions.

    Examples
    --------
    >>> as_matrix([[1, 0], [0, 2]]).dtype
    dtype('float32')
    """
    if not issparse(X):
        try:
            dense = np.asarray(X, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise MatrixError(
                f"X cannot be read as numbers ({error}). Hand in a float32 array or a CSR matrix."
            ) from error
        if dense.ndim != 2:
            raise MatrixError(f"X must have two dimensions, cells x genes, not {dense.ndim}.")
        return dense
    if X.ndim != 2:
        raise MatrixError(f"X must have two dimensions, cells x genes, not {X.ndim}.")
    sparse = as_csr_array(X)
    if sparse.dtype != np.float32:
        sparse = sparse.astype(np.float32)
    if sparse.indices.dtype != np.int32 and max(sparse.nnz, *sparse.shape) < np.iinfo(np.int32).max:
        # liblinear and the trees of scikit-learn refuse 64-bit indices.
        index = sparse.indices.astype(np.int32), sparse.indptr.astype(np.int32)
        sparse = csr_array((sparse.data, *index), shape=sparse.shape)
    if not sparse.has_canonical_format:
        sparse = sparse.copy()
        sparse.sum_duplicates()
    return sparse


def need_finite(X: NDArray[np.float32] | csr_array) -> None:
    """Raise MatrixError where a value is NaN or infinite."""
    values: Any = X.data if issparse(X) else X
    with np.errstate(invalid="ignore", over="ignore"):
        # A sum takes a fraction of the time; one that is not finite may only have run over.
        finite = np.isfinite(values.sum()) or np.isfinite(values).all()
    if not finite:
        raise MatrixError("X has NaN or infinite values. Remove those cells or genes, or put numbers in their place.")


def check_cells(X: Any, *, genes: Any, batch: Any = None) -> NDArray[np.float32] | csr_array:
    """The matrix that an encoder is fitted on, checked; not modified.

    Parameters
    ----------
    X
        Cells x genes.
    genes
        One name a column, or their number.
    batch
        One entry a cell, or None.
    """
    matrix = as_matrix(X)
    need_finite(matrix)
    n_cells, n_genes = matrix.shape
    wanted = genes if isinstance(genes, int) else len(genes)
    if wanted != n_genes:
        raise GeneError(
            f"X has {n_genes} columns, and there are {wanted} genes. Hand in the same genes in the same order."
        )
    if n_genes == 0:
        raise GeneError("X has no genes. Select at least one.")
    if batch is not None and len(batch) != n_cells:
        raise InputError(
            f"batch has {len(batch)} entries and X has {n_cells} cells. Hand in one entry a cell, or None."
        )
    return matrix
