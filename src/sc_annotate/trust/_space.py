"""The space in which distances to a reference are measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg, sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_OF_A_TYPE = 20
"""So many landmarks a type has, if it has as many cells, however rare it is."""


@dataclass(frozen=True, eq=False)
class Space:
    """Principal components of scaled genes, whitened by the covariance within types.

    Coordinates of a cell are ``x @ basis - offset``: scaling, rotation and whitening are folded into one product.
    """

    basis: NDArray[np.float32]
    offset: NDArray[np.float32]
    centers: NDArray[np.float32]
    landmarks: NDArray[np.float32]

    @classmethod
    def of(cls, X: Any, codes: NDArray[np.intp], *, n_components: int, n_landmarks: int, rng: int) -> Space:
        """Learn the space from labelled cells."""
        mean, scale = _moments(X)
        types, codes = np.unique(codes, return_inverse=True)
        axes = _principal_axes(X, mean, scale, max(1, min(n_components, X.shape[0] - 1, X.shape[1])))
        basis = scale[:, None] * axes
        where = np.asarray(X @ basis, dtype=np.float64) - mean @ basis
        centers = np.stack([where[codes == i].mean(axis=0) for i in range(len(types))])
        whitening = _whitening(where - centers[codes])
        chosen = choose_landmarks(codes, n_landmarks, rng)
        return cls(
            basis=(basis @ whitening).astype(np.float32),
            offset=(mean @ basis @ whitening).astype(np.float32),
            centers=(centers @ whitening).astype(np.float32),
            landmarks=(where[chosen] @ whitening).astype(np.float32),
        )

    def coordinates(self, X: Any) -> NDArray[np.float32]:
        """Where cells lie, float32, cells x components."""
        return np.asarray(X @ self.basis, dtype=np.float32) - self.offset


def nearest(where: NDArray[np.float32], points: NDArray[np.float32], k: int) -> NDArray[np.float64]:
    """Mean distance of each cell to the `k` nearest points."""
    square = (where**2).sum(axis=1)[:, None] - 2 * where @ points.T + (points**2).sum(axis=1)
    if k < square.shape[1]:
        square = np.partition(square, k - 1, axis=1)[:, :k]
    return np.sqrt(np.maximum(square, 0)).mean(axis=1, dtype=np.float64)


def choose_landmarks(codes: NDArray[np.intp], most: int, rng: int) -> NDArray[np.intp]:
    """Cells of all types in proportion, but some of each, in ascending order."""
    if len(codes) <= most:
        return np.arange(len(codes))
    generator = np.random.default_rng(rng)
    n = np.bincount(codes)
    wanted = np.minimum(
        n, np.maximum(np.minimum(FEWEST_OF_A_TYPE, most // len(n) + 1), np.floor(most * n / n.sum()))
    ).astype(int)
    return np.sort(
        np.concatenate([generator.choice(np.flatnonzero(codes == i), w, replace=False) for i, w in enumerate(wanted)])
    )


def _moments(X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of each column, and 1 / its standard deviation (0 for a constant one)."""
    n = X.shape[0]
    if sparse.issparse(X):
        values = X.astype(np.float64)
        mean = np.asarray(values.sum(axis=0)).ravel() / n
        square = np.asarray(values.multiply(values).sum(axis=0)).ravel() / n
        sd = np.sqrt(np.maximum(square - mean**2, 0))
    else:
        mean, sd = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
    # Rounding leaves a constant column with a tiny deviation.
    return mean, np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 1e-6 * np.maximum(1, np.abs(mean)))


def _principal_axes(X: Any, mean: NDArray[np.float64], scale: NDArray[np.float64], d: int) -> NDArray[np.float64]:
    """The `d` leading axes of the centred and scaled cells, genes x d, from the smaller Gram matrix."""
    n, p = X.shape
    if p <= n:
        product = (X.T @ X).toarray() if sparse.issparse(X) else X.T @ X
        gram = (np.asarray(product, dtype=np.float64) - n * np.outer(mean, mean)) * np.outer(scale, scale)
        return np.asarray(linalg.eigh(gram, subset_by_index=(p - d, p - 1))[1][:, ::-1])
    dense = np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float64)
    dense = (dense - mean) * scale
    values, vectors = linalg.eigh(dense @ dense.T, subset_by_index=(n - d, n - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > 1e-9 * max(values[0], 1e-300)
    kept[0] = True
    return np.asarray(dense.T @ (vectors[:, kept] / np.sqrt(np.maximum(values[kept], 1e-300))))


def _whitening(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """What makes the covariance within types (Ledoit-Wolf) the identity."""
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(residuals, assume_centered=True)
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors / np.sqrt(np.maximum(values, 1e-9 * max(values[-1], 1e-300))))
