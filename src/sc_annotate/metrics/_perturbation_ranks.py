"""Whether the prediction for a condition resembles that condition more than the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.spatial.distance import cdist

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.metrics._perturbation_inputs import ROUNDING, beside, columns, finite, pair, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

# Distances closer than this are equal: the mean of two profiles is as far from both, whatever the last digit is.
_TIE = 1e-9
_METRICS = {"l1": "cityblock", "l2": "euclidean"}
_DISTANCES = (*_METRICS, "cosine")


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


@public
def centroid_accuracy(
    truth: ArrayLike, predicted: ArrayLike, *, centroids: ArrayLike | None = None, genes: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Share of the other conditions' measured profiles that are farther from the prediction than the right one.

    1 is best; a half is chance, and what a model that predicts the same for every perturbation gets on average. Distances
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


@public
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


@public
def perturbation_discrimination(
    truth: ArrayLike,
    predicted: ArrayLike,
    control: ArrayLike,
    *,
    exclude: Sequence[ArrayLike] | None = None,
    genes: ArrayLike | None = None,
    distance: Literal["l1", "l2", "cosine"] = "l1",
) -> NDArray[np.float64]:
    """Perturbation discrimination score: where the right effect ranks among all, by distance to the predicted effect.

    With rank 0 for the nearest of P conditions it is ``1 - rank / P``: 1 is best, 1 / P worst, and chance, with what
    a constant prediction gets on average, is ``(P + 1) / (2 P)``, a half for many conditions. An effect is a profile
    minus its control; the same control serves truth and prediction. A tie counts half. Trap: by ``"l1"`` and ``"l2"`` a
    prediction of small effects is nearest to the weakest conditions.

    Parameters
    ----------
    truth
        Measured profiles, shape (conditions, genes).
    predicted
        Predicted profiles, rows and columns as in `truth`; NaN throughout a row that was not predicted.
    control
        Control profile, shape (genes,), or the matched one of each condition, shape (conditions, genes).
    exclude
        For each condition the columns of its own targets, which are left out of its comparisons (an empty list for
        none): the knock-down of the target itself is no prediction. Columns of `truth`, also where `genes` is given.
    genes
        Integer columns to use; None for all.
    distance
        ``"l1"`` as in the Virtual Cell Challenge, ``"l2"``, or ``"cosine"``, which looks at the direction only and is
        undefined where an effect is 0 in all genes.

    Returns
    -------
    Float64, 1 / P to 1, shape (conditions,); NaN where it is undefined or nothing was predicted, and for a single
    condition.

    Raises
    ------
    sc_annotate.errors.InputError
        As in :func:`centroid_accuracy`, a control of another shape, an unknown distance, or `exclude` that has not one
        entry for each condition or leaves no gene.

    References
    ----------
    Roohani et al. 2025 (Virtual Cell Challenge), doi:10.1016/j.cell.2025.06.008; the definition of cell-eval 0.8.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> truth = [[1.0, 0.0], [0.0, 2.0]]
    >>> sca.metrics.perturbation_discrimination(truth, [[0.5, 0.0], [1.0, 0.0]], [0.0, 0.0])
    array([1. , 0.5])
    """
    if distance not in _DISTANCES:
        raise InputError(f"distance must be one of {', '.join(map(repr, _DISTANCES))}, not {distance!r}.")
    true, guess, scored = pair(truth, predicted, genes)
    n, p = np.shape(truth)
    use = columns(genes, p)
    origin = beside(control, "control", n, p)[:, use]
    rounding = ROUNDING * size(true, origin), ROUNDING * size(guess, origin)
    true, guess = true - origin, guess - origin
    norms = np.square(true).sum(axis=1)
    own_targets = _excluded(exclude, n, p, use)
    out = np.full(n, np.nan)
    if n < 2:
        return out
    for i in np.flatnonzero(scored).tolist():
        left_out = own_targets[i]
        if left_out.size == true.shape[1]:
            raise InputError(f"exclude leaves no gene for condition {i}.")
        # Zero on both sides adds nothing to any of the distances; copying all other columns would be slow.
        kept = true[:, left_out]
        true[:, left_out] = guess[i, left_out] = 0.0
        if distance == "cosine":
            rest = _norms(true, norms, kept)
            out[i] = _by_direction(true, guess[i], i, (rest, rounding[0], rounding[1][i]))
        else:
            out[i] = _score(cdist(guess[i : i + 1], true, _METRICS[distance])[0], i)
        true[:, left_out] = kept
    return out


def _excluded(
    exclude: Sequence[ArrayLike] | None, n: int, p: int, use: NDArray[np.intp] | slice
) -> list[NDArray[np.intp]]:
    """Positions, among the columns in use, of what each condition leaves out."""
    if exclude is None:
        return [np.zeros(0, dtype=np.intp)] * n
    if len(exclude) != n:
        raise InputError(f"exclude has {len(exclude)} entries for {n} conditions. Pass a list of columns for each.")
    position = np.full(p, -1, dtype=np.intp)
    position[use] = np.arange(position[use].size)
    found = []
    for entry in exclude:
        cols = np.unique(np.atleast_1d(np.asarray(entry)))
        where = position[columns(cols, p, "exclude")] if cols.size else np.zeros(0, dtype=np.intp)
        found.append(where[where >= 0])
    return found


def _norms(true: NDArray[np.float64], squared: NDArray[np.float64], kept: NDArray[np.float64]) -> NDArray[np.float64]:
    """Length of each row of `true`, from what its square was before the columns `kept` were set to 0."""
    rest = squared - np.square(kept).sum(axis=1)
    # Where those columns were nearly all there was, the difference has no digits left.
    lost = rest <= 1e-6 * squared
    rest[lost] = np.square(true[lost]).sum(axis=1)
    return np.sqrt(rest)


def _by_direction(
    true: NDArray[np.float64],
    guess: NDArray[np.float64],
    i: int,
    lengths: tuple[NDArray[np.float64], NDArray[np.float64], np.float64],
) -> float:
    """Score by cosine distance; `lengths` are those of `true`, and what is rounding there and in `guess`."""
    length, rounding, rounding_of_guess = lengths
    none = length <= rounding
    own_length = np.sqrt(np.square(guess).sum())
    if none[i] or own_length <= rounding_of_guess:
        return float("nan")
    # An effect of 0 has no direction: as far as a right angle.
    d = 1.0 - np.where(none, 0.0, true @ guess) / np.where(none, 1.0, length * own_length)
    return _score(d, i, least=1e-12)


def _score(d: NDArray[np.float64], i: int, least: float = 0.0) -> float:
    farther = win(np.delete(d, i), d[i], least).sum()
    return float(1.0 - (d.size - 1 - farther) / d.size)
