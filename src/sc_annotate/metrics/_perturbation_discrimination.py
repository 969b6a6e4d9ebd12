"""The perturbation discrimination score, as cell-eval has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.spatial.distance import cdist

from sc_annotate.errors import InputError
from sc_annotate.metrics._perturbation_inputs import ROUNDING, beside, columns, pair, size
from sc_annotate.metrics._perturbation_ranks import win

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

_METRICS = {"l1": "cityblock", "l2": "euclidean"}
_DISTANCES = (*_METRICS, "cosine")


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
