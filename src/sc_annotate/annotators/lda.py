"""Linear discriminant analysis with a shrunken covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.sparse import issparse

from sc_annotate.annotators._inputs import check_fit, need_choice, row_blocks
from sc_annotate.annotators._linear import LinearAnnotator
from sc_annotate.annotators._moments import class_means, mean_and_sd, scale_columns, typical_sd, inverse_or_zero
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Matrix


class _Within:
    """The pooled covariance within classes, as a product: it is never held, so all genes fit into memory."""

    def __init__(self, Z: Any, codes: NDArray[np.intp], means: NDArray[np.float64]) -> None:
        self.Z, self.codes, self.means = Z, codes, means
        self.counts = np.bincount(codes, minlength=len(means)).astype(np.float64)
        self.n, self.p = Z.shape

    def __matmul__(self, V: NDArray[np.float64]) -> NDArray[np.float64]:
        between = self.means.T @ (self.counts[:, None] * (self.means @ V))
        return np.asarray(self.Z.T @ (self.Z @ V) - between) / self.n

    def ledoit_wolf(self) -> tuple[float, float]:
        """Mean variance, and the shrinkage towards it of Ledoit and Wolf (2004)."""
        Z, means, codes = self.Z, self.means, self.codes
        squares = np.asarray((Z.multiply(Z) if issparse(Z) else Z * Z).sum(axis=1)).ravel()
        with_means = np.asarray(Z @ means.T)[np.arange(self.n), codes]
        length = squares - 2 * with_means + np.square(means).sum(axis=1)[codes]
        mu = float(length.sum() / self.n / self.p)
        frobenius = 0.0
        for block in row_blocks(self.p, 512):
            columns = Z[:, block]
            columns = columns.toarray() if issparse(columns) else columns
            product = np.asarray(Z.T @ columns) - means.T @ (self.counts[:, None] * means[:, block])
            frobenius += float(np.square(product / self.n).sum())
        delta = frobenius - self.p * mu**2
        beta = (float(np.square(length).sum()) / self.n - frobenius) / self.n
        return mu, 1.0 if delta <= 0 else float(np.clip(beta / delta, 0.0, 1.0))


def conjugate_gradients(A: Any, B: NDArray[np.float64], *, tol: float = 1e-6, max_iter: int = 2000) -> NDArray[np.float64]:
    """Solve ``A X = B`` for a positive definite `A` that is only a product; each column on its own."""
    X = np.zeros_like(B)
    residual = B.copy()
    direction = residual.copy()
    square = np.square(residual).sum(axis=0)
    goal = tol**2 * np.maximum(square, np.finfo(np.float64).tiny)
    for _ in range(max_iter):
        active = square > goal
        if not active.any():
            break
        product = A(direction)
        curvature = (direction * product).sum(axis=0)
        step = np.divide(square, curvature, out=np.zeros_like(square), where=active & (curvature > 0))
        X += step * direction
        residual -= step * product
        new = np.square(residual).sum(axis=0)
        direction = residual + np.divide(new, square, out=np.zeros_like(square), where=active) * direction
        square = np.where(active, new, square)
    return X


@dataclass
class LDA(LinearAnnotator):
    shrinkage: float | Literal["auto"] = "auto"
    priors: Literal["observed", "uniform"] = "observed"

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Learn discriminants; deterministic, so `rng` changes nothing, and `batch` is not used."""
        need_choice(self, "priors", ("observed", "uniform"))
        matrix, codes, classes = check_fit(X, y, genes, batch)
        means = class_means(matrix, codes, len(classes))
        scale = inverse_or_zero(typical_sd(matrix, codes, means))
        center = mean_and_sd(matrix)[0] * scale
        means = means * scale
        within = _Within(scale_columns(matrix, scale).astype(np.float64), codes, means)
        mu, shrinkage = within.ledoit_wolf()
        if self.shrinkage != "auto":
            shrinkage = float(self.shrinkage)
        # Without any shrinkage the covariance of more genes than cells cannot be inverted.
        shrinkage = max(shrinkage, 1e-4)
        self.s_=shrinkage
        ridge = shrinkage * (mu if mu > 0 else 1.0)
        coef = conjugate_gradients(lambda V: (1 - shrinkage) * (within @ V) + ridge * V, (means - center).T).T
        prior = np.bincount(codes) / len(codes) if self.priors == "observed" else np.full(len(classes), 1 / len(classes))
        intercept = -0.5 * (coef * (means + center)).sum(axis=1) + np.log(prior)
        return self._set(classes, coef, intercept, scale=scale)
