"""The covariance within classes as a product, its Ledoit-Wolf shrinkage, and a solver that needs only products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse

from sc_annotate.annotators._inputs import row_blocks
from sc_annotate.annotators._moments import as_dense

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sc_annotate.annotators._moments import Matrix

_FORMED = 4096  # genes; up to here the matrix is formed (134 MB), beyond it is only applied
_PROBES = 256  # random directions for its squared norm where it is not formed


class WithinCovariance:
    """Pooled covariance (divided by the number of cells) of the rows of `Z` around the mean of their class."""

    def __init__(self, Z: Matrix, codes: NDArray[np.intp], means: NDArray[np.float64], rng: int) -> None:
        self.n, self.p = Z.shape
        self.codes, self.means, self.rng = codes, means, rng
        self.counts = np.bincount(codes, minlength=len(means)).astype(np.float64)
        self.Z: Any = Z
        self.formed: NDArray[np.float64] | None = None
        if self.p <= _FORMED:
            gram = np.zeros((self.p, self.p))
            for rows in row_blocks(self.n, 4096):
                block = as_dense(Z[rows]).astype(np.float64)
                gram += block.T @ block
            self.formed = (gram - means.T @ (self.counts[:, None] * means)) / self.n
        else:
            self.Z = Z.astype(np.float64)
        length = self._squared_distances()
        self._fourth = float(np.square(length).mean())
        self.mean_variance = float(length.mean() / self.p)

    def __matmul__(self, V: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.formed is not None:
            return self.formed @ V
        between = self.means.T @ (self.counts[:, None] * (self.means @ V))
        return np.asarray(self.Z.T @ (self.Z @ V) - between) / self.n

    def _squared_distances(self) -> NDArray[np.float64]:
        """Of each cell from the mean of its class."""
        square = self.Z.multiply(self.Z) if issparse(self.Z) else np.square(self.Z)
        lengths = np.asarray(square.sum(axis=1, dtype=np.float64)).ravel()
        along = np.asarray(self.Z @ self.means.T)[np.arange(self.n), self.codes]
        distances: NDArray[np.float64] = lengths - 2 * along + np.square(self.means).sum(axis=1)[self.codes]
        return np.maximum(distances, 0.0)

    def ledoit_wolf(self) -> float:
        """Shrinkage towards ``mean_variance`` times the identity."""
        if self.formed is not None:
            frobenius = float(np.square(self.formed).sum())
        else:
            # E |S v|^2 over standard normal v is the sum of the squared entries of S.
            probes = np.random.default_rng(self.rng).standard_normal((self.p, _PROBES))
            frobenius = float(np.square(self @ probes).sum()) / _PROBES
        delta = frobenius - self.p * self.mean_variance**2
        beta = (self._fourth - frobenius) / self.n
        return 1.0 if delta <= 0 else float(np.clip(beta / delta, 0.0, 1.0))


def conjugate_gradients(
    product: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    B: NDArray[np.float64],
    *,
    tol: float = 1e-6,
    max_iter: int = 2000,
) -> NDArray[np.float64]:
    """Solve ``A X = B`` for a positive definite A given as a product; every column of `B` on its own."""
    X = np.zeros_like(B)
    residual = B.copy()
    direction = residual.copy()
    square = np.square(residual).sum(axis=0)
    goal = tol**2 * square
    for _ in range(max_iter):
        active = square > goal
        if not active.any():
            break
        along = product(direction)
        curvature = (direction * along).sum(axis=0)
        step = np.divide(square, curvature, out=np.zeros_like(square), where=active & (curvature > 0))
        X += step * direction
        residual -= step * along
        new = np.square(residual).sum(axis=0)
        direction = residual + np.divide(new, square, out=np.zeros_like(square), where=active) * direction
        square = np.where(active, new, square)
    return X
