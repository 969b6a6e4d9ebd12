"""Matrices of any kind: rows, formats, principal directions without centring, the shrinkage of covariances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, svds

from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def in_memory(X: Any) -> bool:
    """Whether several threads may read rows of it at once."""
    if isinstance(X, SomeColumns):
        return in_memory(X.X)
    return sparse.issparse(X) or type(X).__module__.partition(".")[0] == "numpy"


def rows(X: Any, where: slice | NDArray[np.intp]) -> sparse.csr_matrix | NDArray[Any]:
    """Some rows of any kind of matrix, in memory: CSR where the matrix is sparse, else dense.

    Sparse ones are checked before compiled code of other packages touches them.
    """
    if isinstance(X, SomeColumns):
        block = X[where]
    elif not in_memory(X):
        from sc_annotate._core.lazy import read, read_whole

        is_csc = getattr(X, "format", None) == "csc" and hasattr(X, "to_memory")
        # Of a CSC the whole is read either way.
        block = rows(read_whole(X), where) if is_csc else read(X, where, check_layout)
    elif not sparse.issparse(X):
        block = X[where]
    elif X.format == "csr":
        block = _view(X, where)
    else:
        check_layout(X)
        block = (X if X.format == "csc" else X.tocsr())[where]
    if type(block).__module__.partition(".")[0] in ("cupy", "cupyx"):
        # As rapids-singlecell leaves matrices: blocks of them come to the main memory one by one.
        block = block.get()
        check_layout(block)
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
    csr = block if isinstance(block, sparse.csr_matrix) else sparse.csr_matrix(block)
    if not csr.has_canonical_format:
        # A value may be stored as a sum of several entries; a logarithm must see the sum.
        csr = csr.copy()
        csr.sum_duplicates()
    return csr


def _view(X: Any, where: slice | NDArray[np.intp]) -> Any:
    """Rows of a CSR; successive ones without a copy, as blocks are not changed in place."""
    n = X.shape[0]
    if len(X.indptr) != n + 1 or X.indptr[0] != 0 or X.data.shape != X.indices.shape:
        raise _broken(X)
    if isinstance(where, slice):
        start, stop, step = where.indices(n)
        if step == 1 and start < stop:
            low, high = int(X.indptr[start]), int(X.indptr[stop])
            parts = X.data[low:high], X.indices[low:high], X.indptr[start : stop + 1] - X.indptr[start]
            if low >= 0 and _sizes_fit(*parts, stop - start):
                block = type(X)(parts, shape=(stop - start, X.shape[1]), copy=False)
                if _ordered_inside(block):
                    return block
            raise _broken(X)
        where = np.arange(start, stop, step)
    low, high = X.indptr[where], X.indptr[where + 1]
    if not len(where) or (low.min() >= 0 and (low <= high).all() and high.max() <= X.indices.size):
        block = X[where]
        if _inside(block.indices, X.shape[1]):
            return block
    raise _broken(X)


def check_layout(X: Any, what: str = "the matrix") -> None:
    """Refuse a sparse matrix whose parts do not fit together: compiled code would read and write outside of them.

    Takes one pass over the indices. Of Dask arrays only the sizes are looked at; others are let through.
    """
    if isinstance(X, SomeColumns):
        X = X.X
    if hasattr(X, "dask"):
        from sc_annotate._core.lazy import check_sizes

        check_sizes(X, what)
    if not sparse.issparse(X):
        return
    if X.format in ("csr", "csc"):
        if not fits(X.data, X.indices, X.indptr, X.shape if X.format == "csr" else X.shape[::-1]):
            raise _broken(X, what)
        return
    from sc_annotate._core.broken import check_other_format

    check_other_format(X, what)


def fits(data: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any], shape: tuple[int, int]) -> bool:
    """Whether these are the parts of a compressed matrix, along whose first axis it is compressed."""
    return _sizes_fit(data, indices, indptr, shape[0]) and _inside(indices[: int(indptr[-1])], shape[1])


def _sizes_fit(data: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any], n: int) -> bool:
    """As :func:`fits`, whatever the indices are."""
    if not data.ndim == indices.ndim == indptr.ndim == 1 or indptr.dtype.kind not in "iu":
        return False
    right = len(indptr) == n + 1 and indptr[0] == 0 and len(data) == len(indices)
    return right and int(indptr[-1]) <= len(indices) and bool((indptr[:-1] <= indptr[1:]).all())


def _ordered_inside(block: Any) -> bool:
    """Whether all indices of a CSR just made of checked sizes are columns; where they ascend, the ends of each row say so."""
    if not block.has_canonical_format:
        return _inside(block.indices, block.shape[1])
    filled = np.diff(block.indptr) > 0
    ends = block.indices[np.concatenate([block.indptr[:-1][filled], block.indptr[1:][filled] - 1])]
    return _inside(ends, block.shape[1])


def _inside(indices: NDArray[Any], n: int) -> bool:
    if not indices.size:
        return True
    if indices.dtype.kind == "i" and indices.dtype.isnative:
        # A negative number is a huge one without its sign: one pass sees both ends.
        indices = indices.view(f"u{indices.dtype.itemsize}")
    return indices.dtype.kind == "u" and int(indices.max()) < n


def _broken(X: Any, what: str = "the matrix") -> MatrixError:
    from sc_annotate._core.broken import broken

    return broken(X, what)


@dataclass(frozen=True)
class SomeColumns:
    """Some columns of a matrix in memory or in a file, selected from the rows that are read: the whole is not copied."""

    X: Any
    columns: slice | NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int]:
        n = self.X.shape[1]
        chosen = range(n)[self.columns] if isinstance(self.columns, slice) else self.columns
        return int(self.X.shape[0]), len(chosen)

    @property
    def dtype(self) -> Any:
        return self.X.dtype

    def __getitem__(self, where: slice | NDArray[np.intp]) -> Any:
        return rows(self.X, where)[:, self.columns]


def with_columns(X: Any, columns: slice | NDArray[np.intp]) -> Any:
    """Some columns of any kind of matrix: of a Dask array another one, of others selected when rows are read."""
    if not hasattr(X, "dask"):
        return SomeColumns(X, columns)
    from sc_annotate._core.lazy import checked

    return checked(X, check_layout)[:, columns]


def row_ordered(X: Any) -> Any:
    """`X`, or where reading rows of it would cost a pass over the whole matrix each time (CSC), a CSR of it."""
    if isinstance(X, SomeColumns):
        return SomeColumns(row_ordered(X.X), X.columns)
    if sparse.issparse(X) and X.format != "csr":
        check_layout(X)
        return X.tocsr()
    if getattr(X, "format", None) == "csc" and hasattr(X, "to_memory"):
        from sc_annotate._core.lazy import read_whole

        return row_ordered(read_whole(X))
    return X


def as_csr_array(X: Any) -> sparse.csr_array:
    """`X` as a CSR array; where it is known that nothing is stored twice, that is not forgotten."""
    out = sparse.csr_array(X)
    if out is not X and getattr(X, "format", None) == "csr" and X.has_canonical_format:
        out.has_canonical_format = True
    return out


# Up to this many rows or columns a full decomposition is the quickest.
_FEW = 100
# Up to this many, and this many values in all, the products of rows (or columns) are decomposed whole: several times
# quicker than ARPACK, which comes into its own with larger matrices.
_SOME = 1000
_VALUES = 10_000_000


def leading_directions(
    Z: Any, center: NDArray[np.float64], k: int, rng: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The `k` largest singular values of ``Z - center``, largest first, and their right singular vectors as rows.

    `Z` is float64, dense or sparse. The largest entry of each vector is positive.
    """
    n, p = Z.shape
    few = min(n, p)
    if k >= few or few <= _FEW:
        length, vt = np.linalg.svd(_centred(Z, center), full_matrices=False)[1:]
    elif few <= _SOME and n * p <= _VALUES:
        length, vt = _of_products(_centred(Z, center), k)
    else:
        centred = LinearOperator(
            (n, p),
            matvec=lambda v: Z @ v.ravel() - center @ v.ravel(),
            rmatvec=lambda u: Z.T @ u.ravel() - center * u.sum(),
            dtype=np.float64,
        )
        length, vt = svds(centred, k=k, v0=np.random.default_rng(rng).standard_normal(few))[1:]
    order = np.argsort(-length, kind="stable")[:k]
    length, vt = length[order], vt[order]
    return length, vt * np.where(vt[np.arange(k), np.abs(vt).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]


def _centred(Z: Any, center: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((Z.toarray() if issparse(Z) else Z) - center, dtype=np.float64)


def _of_products(C: NDArray[np.float64], k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Through the products of rows with each other, or of columns where these are fewer."""
    if C.shape[0] > C.shape[1]:
        vectors = np.linalg.eigh(C.T @ C)[1][:, -k:]
        length, turned = np.linalg.svd(C @ vectors, full_matrices=False)[1:]
        return length, turned @ vectors.T
    vectors = np.linalg.eigh(C @ C.T)[1][:, -k:]
    # Eigenvectors of no length say nothing of the other side; this gives unit vectors for them too.
    return np.linalg.svd(vectors.T @ C, full_matrices=False)[1:]


def ledoit_wolf(*, squared_norm: float, n_dimensions: int, n: int, second: float, fourth: float) -> float:
    """Weight of the identity, from sums that can be gathered without forming a matrix.

    Parameters
    ----------
    squared_norm
        Sum of the squared entries of the covariance, which is divided by `n`.
    n_dimensions
        Its size.
    n
        Number of observations.
    second, fourth
        Means over the observations of the squared distance from the mean, and of the square of that.

    References
    ----------
    Ledoit & Wolf 2004, A well-conditioned estimator for large-dimensional covariance matrices,
    `doi:10.1016/S0047-259X(03)00096-4 <https://doi.org/10.1016/S0047-259X(03)00096-4>`_.
    """
    away = squared_norm - second**2 / n_dimensions
    error = (fourth - squared_norm) / n
    return 1.0 if away <= 0 else float(np.clip(error / away, 0.0, 1.0))


def shrunken_covariance(R: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shrunken covariance of centred rows, divided by their number.

    Examples
    --------
    >>> import numpy as np
    >>> shrunken_covariance(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])).round(3).tolist()
    [[1.208, 0.0], [0.0, 1.292]]
    """
    n, k = R.shape
    S = R.T @ R / n
    squared = np.square(R).sum(axis=1)
    weight = ledoit_wolf(
        squared_norm=float(np.square(S).sum()),
        n_dimensions=k,
        n=n,
        second=float(np.trace(S)),
        fourth=float(np.square(squared).mean()),
    )
    return (1 - weight) * S + weight * np.trace(S) / k * np.eye(k)
