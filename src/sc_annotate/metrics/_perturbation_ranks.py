"""Whether the prediction for a condition resembles that condition more than the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.metrics._perturbation_inputs import ROUNDING, columns, finite, pair, size

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Distances closer than this are equal: the mean of two profiles is as far from both, whatever the last digit says.
_TIE = 1e-9


def _squared(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances of all rows by one matrix product: fast, and wrong by about 1e-12 of the squared norms."""
    out = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2.0 * (a @ b.T)
    return np.maximum(out, 0.0)


def _same_rows(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows of `b` are those of `a` but for rounding, (rows of a, rows of b)."""
    scale = size(a)
    out = _squared(a, b) <= 1e-8 * a.shape[1] * scale[:, None] ** 2
    for i, j in zip(*np.nonzero(out), strict=True):
        out[i, j] = np.abs(a[i] - b[j]).max() <= ROUNDING * scale[i]
    return out


def _share_farther(
    guess: NDArray[np.float64], own: NDArray[np.float64], others: NDArray[np.float64], skip: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Share of `others`, those in `skip` left out, that lie farther from each row of `guess` than its `own` does."""
    middle = others.mean(axis=0)
    guess, own, others = guess - middle, own - middle, others - middle
    nearest = np.square(guess - own).sum(axis=1)
    rough = _squared(guess, others)
    norms = np.square(guess).sum(axis=1)[:, None] + np.square(others).sum(axis=1)
    unsure = np.abs(rough - nearest[:, None]) <= 1e-9 * (norms + nearest[:, None])
    wins = (rough > nearest[:, None]).astype(np.float64)
    for i in np.flatnonzero(unsure.any(axis=1)):
        exact = np.square(others[unsure[i]] - guess[i]).sum(axis=1)
        wins[i, unsure[i]] = win(exact, nearest[i])
    n = (~skip).sum(axis=1)
    return np.where(skip, 0.0, wins).sum(axis=1) / np.where(n > 0, n, np.nan)


def win(distance: NDArray[np.float64], own: np.float64, least: float = 0.0) -> NDArray[np.float64]:
    """1 where `distance` is larger than `own`, a half where they are equal, else 0."""
    tied = np.abs(distance - own) <= _TIE * own + least
    return np.where(tied, 0.5, distance > own)


def centroid_accuracy(
    truth: ArrayLike, predicted: ArrayLike, *, centroids: ArrayLike | None = None, genes: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Share of the other conditions' measured profiles that are farther from the prediction than the right one.

    1 is best; a half is chance, and what a model that says the same of every perturbation gets on average. Distances
    are Euclidean; a tie counts half. All conditions in `truth` compete, also those that were not predicted.

    Parameters
    ----------
    truth
        Measured profiles, shape (conditions, genes).
    predicted
        Predicted profiles, rows and columns as in `truth`; NaN throughout a row that was not predicted.
    centroids
        Measured profiles to compete with in place of those in `truth`, such as those of the training conditions too,
        shape (m, genes). A row equal to the condition's own is the condition itself and does not compete.
    genes
        Integer columns to use; None for all.

    Returns
    -------
    Float64, 0 to 1, shape (conditions,); NaN where nothing was predicted or there is no other condition.

    Raises
    ------
    sc_annotate.errors.InputError
        Arrays of different shapes, `truth` that is not finite, a row of `predicted` that is NaN in part, or columns
        that do not exist.

    References
    ----------
    Viñas Torné et al. 2025 (Systema), doi:10.1038/s41587-025-02777-8.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> truth = [[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]
    >>> sca.metrics.centroid_accuracy(truth, [[1.0, 0.0], [1.0, 0.0], [2.0, 2.0]])
    array([1. , 0.5, 0.5])
    """
    true, guess, scored = pair(truth, predicted, genes)
    rows = np.flatnonzero(scored)
    if centroids is None:
        others = true
        skip = rows[:, None] == np.arange(len(true))
    else:
        p = np.shape(truth)[1]
        others = finite(centroids, "centroids")
        if others.shape[1] != p:
            raise InputError(f"centroids has {others.shape[1]} genes but truth has {p}. They must be the same genes.")
        others = others[:, columns(genes, p)]
        skip = _same_rows(true[rows], others)
    out = np.full(len(true), np.nan)
    out[rows] = _share_farther(guess[rows], true[rows], others, skip)
    return out


def inverse_rank(truth: ArrayLike, predicted: ArrayLike, *, genes: ArrayLike | None = None) -> NDArray[np.float64]:
    """Normalised inverse rank: 1 minus the rank of the right profile among all, by distance to the prediction.

    With rank 0 for the nearest and n - 1 for the farthest of n conditions, it is ``1 - rank / (n - 1)``: 1 is best, a
    half is chance. It is the same number as :func:`centroid_accuracy` without `centroids`, under the name that
    scPertEval has for it. There ties are broken at random, here they count half.

    Parameters
    ----------
    truth
        Measured profiles, shape (conditions, genes).
    predicted
        Predicted profiles, rows and columns as in `truth`; NaN throughout a row that was not predicted.
    genes
        Integer columns to use; None for all.

    Returns
    -------
    Float64, 0 to 1, shape (conditions,); NaN where nothing was predicted or there is no other condition.

    Raises
    ------
    sc_annotate.errors.InputError
        As in :func:`centroid_accuracy`.

    References
    ----------
    Wu et al. 2024 (PerturBench), arXiv:2408.10609. Miller et al. 2025, doi:10.1101/2025.10.20.683304.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> truth = [[0.0, 0.0], [4.0, 0.0], [0.0, 9.0]]
    >>> sca.metrics.inverse_rank(truth, [[1.0, 0.0], [1.0, 0.0], [3.0, 0.0]])
    array([1. , 0.5, 0. ])
    """
    return centroid_accuracy(truth, predicted, genes=genes)
