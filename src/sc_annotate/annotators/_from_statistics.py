"""What follows from the statistics of a pass: means, spreads, covariance, principal components."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import eigh

from sc_annotate.annotators._moments import inverse_or_zero
from sc_annotate.errors import GeneError, InputError, LabelError, MatrixError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.annotators.statistics import Statistics


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


def ready(statistics: Statistics, classes: ArrayLike) -> tuple[Statistics, NDArray[np.str_]]:
    """The statistics and names of the classes that have cells; raises what `fit` raises where one cannot learn."""
    names = np.asarray(classes).astype(str)
    if names.shape != statistics.n.shape:
        raise LabelError(f"classes has shape {names.shape} and the statistics are of {len(statistics.n)} classes.")
    if len(statistics.squares) == 0:
        raise GeneError("the statistics are of no genes. Select at least one.")
    if not np.isfinite(statistics.squares).all():
        raise MatrixError("X has NaN or infinite values. Remove those cells or genes, or put numbers in their place.")
    seen = statistics.n > 0
    if seen.sum() < 2:
        found = f"only {str(names[seen][0])!r}" if seen.any() else "none"
        raise LabelError(f"y needs at least 2 different labels and has {found}.")
    if not seen.all():
        parts = {name: getattr(statistics, name)[seen] for name in ("n", "sums", "nonzero")}
        statistics, names = replace(statistics, **parts), names[seen]
    return statistics, names


def class_means(statistics: Statistics) -> NDArray[np.float64]:
    """Mean of each gene over the cells of each class, classes x genes; 0 for a class without cells."""
    return statistics.sums / np.maximum(statistics.n, 1)[:, None]


def mean_and_sd(statistics: Statistics) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and population standard deviation of each gene."""
    n = statistics.n.sum()
    mean = statistics.sums.sum(axis=0) / n
    return mean, _root(statistics.squares / n - mean**2, statistics.squares / n)


def typical_sd(statistics: Statistics) -> NDArray[np.float64]:
    """Spread of each gene within its class, at least a tenth of its overall spread (see `_moments.typical_sd`)."""
    n = statistics.n.sum()
    within = statistics.squares - statistics.n @ class_means(statistics) ** 2
    return np.maximum(_root(within / n, statistics.squares / n), 0.1 * mean_and_sd(statistics)[1])


def _root(variance: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    # What is left of a constant gene is rounding, and must not become a huge weight.
    return np.sqrt(np.where(variance < 1e-6 * second, 0.0, np.maximum(variance, 0.0)))


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
