"""Principal components of a cells x genes matrix, sparse or dense, as two arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arrays import leading_directions
from sc_annotate.annotators._moments import mean_and_factor, scale_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.annotators._moments import Matrix


def fit_pca(
    X: Matrix, n_components: int, rng: int, *, scaling: str = "each", scale: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Loadings (genes x components) and shift, so that ``X @ loadings - shift`` are the component scores.

    Genes are centred and divided by their standard deviation or by one number (`scaling`), or multiplied by `scale`; both are folded into the result, so
    that a sparse matrix is never centred. Signs are fixed: the largest entry of each component is positive.
    """
    n_cells, n_genes = X.shape
    mean, factor = mean_and_factor(X, scaling)
    scale = factor if scale is None else scale
    scaled: Any = scale_columns(X, scale)
    Z = scaled.astype(np.float64)
    center = mean * scale
    k = min(n_components, n_cells - 1, n_genes)
    _, vt = leading_directions(Z, center, k, rng)
    loadings = scale[:, None] * vt.T
    return np.ascontiguousarray(loadings, dtype=np.float32), (mean @ loadings).astype(np.float32)


def project(X: Matrix, loadings: NDArray[np.float32], shift: NDArray[np.float32]) -> NDArray[np.float32]:
    """Component scores, cells x components."""
    return np.asarray(X @ loadings, dtype=np.float32) - shift
