"""The covariance within classes: formed, or as a product with a solver; its Ledoit-Wolf shrinkage, and components of genes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import issparse

from sc_annotate._core.arrays import ledoit_wolf
from sc_annotate._core.cells import as_matrix
from sc_annotate.annotators._moments import inverse_or_zero
from sc_annotate.annotators.checks import row_blocks
from sc_annotate.annotators.statistics import Statistics, class_means, mean_and_sd, typical_sd
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Matrix

_FORMED = 4096  # genes; up to here the matrix is formed (134 MB), beyond it is only applied
_PROBES = 256  # random directions for its squared norm where it is not formed
_VALUES = 4_000_000  # looked at together: 32 MB as float64


def is_formed(n_genes: int) -> bool:
    """Whether the covariance of so many genes is made, which a pass over blocks can do."""
    return n_genes <= _FORMED


@dataclass(eq=False)
class Distances:
    """Squared distances of cells from the mean of their class, summed up in a second pass over the blocks.

    Parameters
    ----------
    means
        Classes x genes, float64, before scaling.
    scale
        What each gene is multiplied by, shape (genes,).
    n, second, fourth
        Cells so far, and the sums over them of the squared distance and of its square.
    """

    means: NDArray[np.float64]
    scale: NDArray[np.float64]
    n: int = 0
    second: float = 0.0
    fourth: float = 0.0

    @classmethod
    def around(cls, statistics: Statistics) -> Self:
        """Of no cells yet, around the means of a first pass, in units of each gene's spread within classes."""
        return cls(class_means(statistics), inverse_or_zero(typical_sd(statistics)))

    def update(self, X: Matrix, codes: NDArray[np.intp]) -> Self:
        """Add a block of cells x genes, CSR or dense; `codes` are the classes of the cells."""
        matrix: Any = as_matrix(X)
        n_cells, n_genes = matrix.shape
        if n_genes != len(self.scale) or np.shape(codes) != (n_cells,):
            raise InputError(
                f"a block of {matrix.shape} and {np.shape(codes)} codes: {len(self.scale)} genes expected."
            )
        stored = matrix.nnz if issparse(matrix) else matrix.size
        for rows in row_blocks(n_cells, max(1, _VALUES * n_cells // max(1, stored))):
            square = self._squared(matrix[rows], codes[rows])
            self.second += float(square.sum())
            self.fourth += float(square @ square)
        self.n += n_cells
        return self

    def merge(self, other: Distances) -> Self:
        """Add those of other cells from the same means."""
        if not (np.array_equal(self.means, other.means) and np.array_equal(self.scale, other.scale)):
            raise InputError("distances from different means do not combine.")
        self.n, self.second, self.fourth = (
            self.n + other.n,
            self.second + other.second,
            self.fourth + other.fourth,
        )
        return self

    def _squared(self, block: Any, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        if not issparse(block):
            return np.square((block - self.means[codes]) * self.scale).sum(axis=1)
        # Genes that are 0 add the square of their mean; only the others are looked at one by one.
        cell = np.repeat(np.arange(len(codes)), np.diff(block.indptr))
        center = self.means[codes[cell], block.indices]
        change = (block.data - 2 * center) * block.data * np.square(self.scale)[block.indices]
        at_zero = np.square(self.means * self.scale).sum(axis=1)[codes]
        return np.maximum(at_zero + np.bincount(cell, change, len(codes)), 0.0)


def shrinkage_of(frobenius: float, p: int, distances: Distances) -> float:
    """Ledoit and Wolf's shrinkage of a covariance of squared norm `frobenius` towards a multiple of the identity, in p dimensions."""
    n = distances.n
    second, fourth = distances.second / n, distances.fourth / n
    return ledoit_wolf(squared_norm=frobenius, n_dimensions=p, n=n, second=second, fourth=fourth)


class WithinCovariance:
    """Pooled covariance (divided by the number of cells) of the rows of `Z` around the mean of their class."""

    def __init__(self, Z: Matrix, codes: NDArray[np.intp], means: NDArray[np.float64], rng: int) -> None:
        self.n, self.p = Z.shape
        self.means, self.rng = means, rng
        self.counts = np.bincount(codes, minlength=len(means)).astype(np.float64)
        self.Z: Any = Z.astype(np.float64)
        self.formed: NDArray[np.float64] | None = None
        if is_formed(self.p):
            self.formed = within_covariance(Statistics.of(Z, codes, len(means), gram=True), np.ones(self.p))
        self.distances = Distances(means, np.ones(self.p)).update(Z, codes)
        self.mean_variance = self.distances.second / self.n / self.p

    def __matmul__(self, V: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.formed is not None:
            return self.formed @ V
        between = self.means.T @ (self.counts[:, None] * (self.means @ V))
        return np.asarray(self.Z.T @ (self.Z @ V) - between) / self.n

    def ledoit_wolf(self) -> float:
        """Shrinkage towards ``mean_variance`` times the identity."""
        if self.formed is not None:
            frobenius = float(np.square(self.formed).sum())
        else:
            # E |S v|^2 over standard normal v is the sum of the squared entries of S.
            probes = np.random.default_rng(self.rng).standard_normal((self.p, _PROBES))
            frobenius = float(np.square(self @ probes).sum()) / _PROBES
        return shrinkage_of(frobenius, self.p, self.distances)


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


def full_gram(statistics: Statistics) -> NDArray[np.float64]:
    """The Gram matrix of all genes, in their order."""
    gram, genes = statistics.gram, statistics.gram_genes
    if gram is None or genes is None or not np.array_equal(genes, np.arange(len(statistics.squares))):
        raise InputError("the Gram matrix of all genes is needed. Start with Statistics.empty(..., gram=True).")
    return gram


def within_covariance(statistics: Statistics, scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pooled covariance, divided by the number of cells, of the genes times `scale` around the means of classes."""
    means = class_means(statistics)
    within = full_gram(statistics) - means.T @ (statistics.n[:, None] * means)
    within *= scale[:, None] / statistics.n.sum()
    within *= scale
    return within


class Components(NamedTuple):
    """Principal components of scaled genes: ``(X - mean) / sd @ loadings`` are the scores, where `sd` is not 0."""

    loadings: NDArray[np.float64]
    """Genes x components, orthonormal; the largest entry of each is positive."""
    mean: NDArray[np.float64]
    """Of each gene."""
    sd: NDArray[np.float64]
    """Population standard deviation of each gene; 0 for one that does not vary, whose loadings are 0."""
    variances: NDArray[np.float64]
    """Of the scores of each component, divided by n - 1, descending."""


def components_from_statistics(statistics: Statistics, n_components: int) -> Components:
    """Principal components of the genes divided by their standard deviation.

    Parameters
    ----------
    statistics
        With the Gram matrix of all genes.
    n_components
        At most so many; no more than cells - 1, or genes.
    """
    gram = full_gram(statistics)
    n, n_genes = int(statistics.n.sum()), len(gram)
    k = min(n_components, n - 1, n_genes)
    if k < 1:
        raise InputError(f"principal components need one gene, two cells and n_components >= 1; {n} cells are there.")
    mean, sd = mean_and_sd(statistics)
    scale = inverse_or_zero(sd)
    correlation = (gram / n - np.outer(mean, mean)) * scale[:, None] * scale
    values, vectors = eigh(correlation, subset_by_index=[n_genes - k, n_genes - 1])
    values, vectors = values[::-1], vectors[:, ::-1]
    vectors = vectors * np.where(vectors[np.abs(vectors).argmax(axis=0), np.arange(k)] < 0, -1.0, 1.0)
    return Components(vectors, mean, sd, np.maximum(values, 0.0) * n / (n - 1))
