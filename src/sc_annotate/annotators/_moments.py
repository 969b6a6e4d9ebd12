"""Means and spreads of genes, overall and by class, without ever centring a sparse matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from scipy.sparse import csr_array, issparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix: TypeAlias = NDArray[np.float32] | csr_array


def as_dense(X: Any) -> NDArray[np.float32]:
    """`X` as an array; an array as it is."""
    return np.asarray(X.toarray() if issparse(X) else X)


_VALUES = 4_000_000  # looked at together: 32 MB as float64


def _sums(X: Any, factor: float = 1.0, *, squared: bool = False) -> NDArray[np.float64]:
    """Sum over cells of each gene, or of its square, times `factor`, in float64, with no copy of the matrix.

    Values are added one after the other in the order of the cells, so that neither the size of a part nor the format has
    a say in the last digit.
    """
    if issparse(X):
        total = np.zeros(X.shape[1])
        for start in range(0, len(X.data), _VALUES):
            part = slice(start, start + _VALUES)
            values = X.data[part].astype(np.float64)
            if squared:
                np.square(values, out=values)
            np.add.at(total, X.indices[part], values * factor if factor != 1 else values)
        return total
    # Parts of columns, not of rows: what is added up to a sum is then added in one go.
    n_cells, n_genes = X.shape
    several = max(2, _VALUES // max(1, n_cells))
    starts = list(range(0, n_genes, several)) or [0]
    if len(starts) > 1 and n_genes - starts[-1] == 1:
        # A lone column would be added up pairwise.
        starts.pop()
    parts = []
    for start, stop in zip(starts, [*starts[1:], n_genes], strict=True):
        values = X[:, start:stop]
        parts.append((np.square(values, dtype=np.float64) if squared else values).sum(axis=0, dtype=np.float64))
    return np.concatenate(parts) * factor if factor != 1 else np.concatenate(parts)


def membership(codes: NDArray[np.intp], n_classes: int) -> csr_array:
    """Classes x cells indicator matrix, float64."""
    n = len(codes)
    return csr_array((np.ones(n), (codes, np.arange(n))), shape=(n_classes, n))


def class_sums(X: Matrix, codes: NDArray[np.intp], n_classes: int) -> NDArray[np.float64]:
    """Sum of each gene over the cells of each class, classes x genes."""
    sums = membership(codes, n_classes) @ X
    return np.asarray(sums.toarray() if issparse(sums) else sums, dtype=np.float64)


def class_means(X: Matrix, codes: NDArray[np.intp], n_classes: int) -> NDArray[np.float64]:
    """Mean of each gene over the cells of each class, classes x genes."""
    counts = np.bincount(codes, minlength=n_classes)
    return class_sums(X, codes, n_classes) / counts[:, None]


def mean_and_sd(X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and population standard deviation of each gene."""
    if issparse(X):
        # The mean method of a sparse float32 matrix adds up in float32, whatever dtype is requested.
        mean, second = _sums(X) / X.shape[0], _sums(X, 1.0 / X.shape[0], squared=True)
    else:
        mean, second = X.mean(axis=0, dtype=np.float64), _sums(X, squared=True) / X.shape[0]
    variance = second - mean**2
    # What is left of a constant gene is rounding, and must not become a huge weight.
    variance[variance < 1e-6 * second] = 0.0
    return mean, np.sqrt(np.maximum(variance, 0.0))


def within_sd(X: Matrix, codes: NDArray[np.intp], means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pooled standard deviation of each gene around its class mean (population form)."""
    counts = np.bincount(codes, minlength=len(means))
    second = _sums(X, squared=True)
    variance = second - counts @ means**2
    variance[variance < 1e-6 * second] = 0.0
    return np.sqrt(np.maximum(variance, 0.0) / len(codes))


# With a smaller share of values other than 0 a matrix is read as sparse: most often faster, and the same model to the last
# bit, whichever way it was kept.
_SPARSE = 0.4


def sparse_if_mostly_zero(X: Matrix) -> Matrix:
    """A dense matrix of mostly zeros as CSR, any other as it is."""
    return csr_array(X) if not issparse(X) and np.count_nonzero(X) < _SPARSE * X.size else X


def inverse_or_zero(scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """``1 / scale``, and 0 where the scale is 0: a constant gene gets no weight at all."""
    return np.divide(1.0, scale, out=np.zeros_like(scale, dtype=np.float64), where=scale > 0)


def inverse_of_sd(sd: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """``1 / max(sd, floor)``, and 0 for a gene that does not vary."""
    return np.divide(1.0, np.maximum(sd, floor), out=np.zeros_like(sd, dtype=np.float64), where=sd > 0)


Scaling: TypeAlias = Literal["each", "common"]
"""How columns are scaled: genes each by its own standard deviation, dimensions of an embedding all by one number."""


def mean_and_factor(X: Any, scaling: str, floor: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of each column, and what it is multiplied by: ``inverse_of_sd``, or one number for all that vary.

    That number makes the mean variance 1, however small or large the values are, so a least standard deviation, which is
    meant for noise in log values, has no part in it. Distances between cells keep their proportions.
    """
    if scaling != "common":
        mean, sd = mean_and_sd(X)
        return mean, inverse_of_sd(sd, floor)
    dense = as_dense(X)
    mean = dense.mean(axis=0, dtype=np.float64)
    # In two passes: the dimensions of an embedding may lie far from 0 and vary little.
    return mean, common_factor(mean, dense.std(axis=0, dtype=np.float64))


def common_factor(mean: NDArray[np.float64], sd: NDArray[np.float64]) -> NDArray[np.float64]:
    """One number for all columns that vary, with which their mean variance is 1; 0 for the others."""
    varies = sd > 1e-6 * np.abs(mean)
    spread = float(np.sqrt(np.square(sd[varies]).mean())) if varies.any() else 1.0
    return np.where(varies, 1 / spread, 0.0)


def scale_columns(X: Any, factor: NDArray[np.float64]) -> Matrix:
    """A copy of `X` with each gene multiplied by its factor; sparse stays sparse."""
    factor = factor.astype(np.float32)
    if issparse(X):
        return csr_array((X.data * factor[X.indices], X.indices, X.indptr), shape=X.shape)
    return X * factor


def class_weights(codes: NDArray[np.intp], how: str | None) -> dict[int, float] | None:
    """Weight of each class, with mean 1 over the cells so that a penalty keeps its meaning; None for equal weights."""
    if how is None:
        return None
    counts = np.bincount(codes).astype(np.float64)
    weights = counts ** (-1.0 if how == "balanced" else -0.5)
    weights *= len(codes) / (counts @ weights)
    return dict(enumerate(weights.tolist()))


def typical_sd(X: Matrix, codes: NDArray[np.intp], means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread of each gene within its class, at least a tenth of its overall spread.

    The least value keeps a gene that happens to be constant within every class, such as a perfect marker in few cells,
    from getting all the weight, or none.
    """
    return np.maximum(within_sd(X, codes, means), 0.1 * mean_and_sd(X)[1])
