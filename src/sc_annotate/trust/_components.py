"""Principal components of a cells x genes matrix that is never centred, and what they leave unexplained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.sparse import csr_array, issparse

from sc_annotate._core.arrays import as_csr_array, leading_directions
from sc_annotate._core.stored_arrays import Stored
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A component with less than this share of the largest one's length holds rounding errors.
_NOTHING = 1e-5


def as_cells(X: Any, n_columns: int | None = None) -> Any:
    """`X` as float32, dense or CSR, checked: two dimensions, finite, as many columns as were fitted on."""
    matrix: Any = as_csr_array(X) if issparse(X) else np.asarray(X)
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiub":
        raise InputError(f"X must be numbers, cells x genes, not {matrix.dtype} of shape {matrix.shape}.")
    if n_columns is not None and matrix.shape[1] != n_columns:
        raise InputError(
            f"X has {matrix.shape[1]} columns, but this was fitted on {n_columns}. Hand in the same genes in the same order."
        )
    matrix = matrix.astype(np.float32, copy=False)
    if not np.isfinite(matrix.data if issparse(matrix) else matrix).all():
        raise InputError("X has NaN or infinite values. Remove those cells, or put numbers in their place.")
    # Detected genes are counted by their entries, so each must have one, and zeros none.
    if issparse(matrix) and not (matrix.has_canonical_format and matrix.data.all()):
        matrix = matrix.copy()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
    return matrix


def _square(X: Any) -> Any:
    return csr_array((X.data**2, X.indices, X.indptr), shape=X.shape) if issparse(X) else X**2


class Components:
    """Genes divided by their spread, rotated to their leading directions.

    Centring and scaling are folded into `loadings` (genes x components) and `shift`, so a cell's place is one product.
    `weight` (genes) and `offset` give the squared length of a scaled, centred cell, of which the place is one part and
    the residual the other.
    """

    ARRAYS: ClassVar[dict[str, Stored]] = {
        "loadings": Stored("f4", ("genes", "components")),
        "shift": Stored("f4", ("components",)),
        "weight": Stored("f4", ("genes",), low=0),
        "offset": Stored("f4", ("genes and one",)),
        "curve": Stored("f8", (5,)),
    }
    """In a file, where the curve is left out if it is empty."""

    loadings: NDArray[np.float32]
    shift: NDArray[np.float32]
    weight: NDArray[np.float32]
    offset: NDArray[np.float32]
    curve: NDArray[np.float64]
    """Log residual by log number of genes: three coefficients, then the range they were fitted on; empty: no residual."""

    @classmethod
    def fit(cls, X: Any, n_components: int, rng: int) -> Components:
        """Find at most `n_components` directions; fewer where fewer vary."""
        n, p = X.shape
        mean = np.asarray(X.mean(axis=0, dtype=np.float64)).ravel()
        variance = np.asarray(_square(X).mean(axis=0, dtype=np.float64)).ravel() - mean**2
        # What is left of a constant gene is rounding.
        varies = variance > 1e-6 * (mean**2 + variance)
        scale = np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1)), 0.0)
        if not varies.any():
            raise InputError("no gene varies between the cells. Hand in the genes that do.")
        center, Z = mean * scale, (X @ _diagonal(scale) if issparse(X) else X * scale)
        k = min(n_components, n - 1, int(varies.sum()))
        length, vt = leading_directions(Z, center, k, rng)
        vt = vt[length > _NOTHING * length[0]]
        self = cls()
        loadings = scale[:, None] * vt.T
        self.loadings = np.ascontiguousarray(loadings, dtype=np.float32)
        self.shift = (mean @ loadings).astype(np.float32)
        self.weight = (scale**2).astype(np.float32)
        # First what the squares are short of after centring, gene by gene; then what that amounts to in all.
        self.offset = np.append(2 * mean * scale**2, center @ center).astype(np.float32)
        self.curve = np.empty(0)
        if len(vt) < min(n - 1, int(varies.sum())):
            self._fit_curve(X)
        return self

    def _fit_curve(self, X: Any) -> None:
        log_genes, log_residual = _log_genes(X), np.log(self.unexplained(X, self.place(X)))
        low, high = log_genes.min(), log_genes.max()
        terms = _terms(log_genes, low, high)
        # Of least length where all cells have as many genes, so it is a constant then.
        coefficients = np.linalg.lstsq(terms, log_residual, rcond=1e-10)[0]
        self.curve = np.concatenate([coefficients, [low, high]])

    def place(self, X: Any) -> NDArray[np.float32]:
        """Component scores, cells x components."""
        return np.asarray(X @ self.loadings, dtype=np.float32) - self.shift

    def unexplained(self, X: Any, place: NDArray[np.float32]) -> NDArray[np.float64]:
        """Squared length of what the components leave of each scaled, centred cell; above 0."""
        total = np.asarray(_square(X) @ self.weight - X @ self.offset[:-1] + self.offset[-1], dtype=np.float64)
        rest = total - np.square(place, dtype=np.float64).sum(axis=1)
        # float32 leaves a hundred-thousandth of the total at most.
        return np.maximum(rest, 1e-5 * np.maximum(total, 1e-5))

    def residual(self, X: Any, unexplained: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log of what the components leave, minus what they leave in reference cells with as many genes."""
        return np.log(unexplained) - _terms(_log_genes(X), *self.curve[3:]) @ self.curve[:3]


def _log_genes(X: Any) -> NDArray[np.float64]:
    n_genes = np.diff(X.indptr) if issparse(X) else np.count_nonzero(X, axis=1)
    return np.log(np.maximum(n_genes, 1))


def _terms(x: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """1, x, x squared with x brought to -1 ... 1 and kept there: beyond the range a parabola means nothing."""
    z = np.clip(2 * (x - low) / (high - low) - 1, -1, 1) if high > low else np.zeros_like(x)
    return np.stack([np.ones_like(z), z, z**2], axis=1)


def _diagonal(values: NDArray[np.float64]) -> csr_array:
    n = values.size
    return csr_array((values, np.arange(n), np.arange(n + 1)), shape=(n, n))
