"""What kind an interaction is, and how well a prediction finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@public
def interaction_class(single_a: ArrayLike, single_b: ArrayLike, double: ArrayLike) -> NDArray[np.str_]:
    """What kind of deviation from the sum a double shows, gene by gene.

    Only the signs and order of three changes against control count, not whether the deviation is more than noise: apply
    it to called interactions.

    Parameters
    ----------
    single_a, single_b, double
        Changes (log-normalised expression minus control) by the two singles and by both, of the same shape.

    Returns
    -------
    str, that shape. Where both singles have the same sign: ``"buffering"``, the double is between no change and the sum
    (both included); ``"synergistic"``, beyond the sum; ``"opposite"``, of the other sign. ``"other"`` where singles have
    different signs, or one is 0. ``"undefined"`` where a value is NaN.

    Raises
    ------
    sc_annotate.errors.InputError
        Arrays of different shapes.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, Nature Methods, doi 10.1038/s41592-025-02772-6.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.metrics.interaction_class([1, 1, 1, 1], [1, 1, 1, -1], [0.5, 3, -1, 2]).tolist()
    ['buffering', 'synergistic', 'opposite', 'other']
    """
    a, b, ab = (np.asarray(x, dtype=np.float64) for x in (single_a, single_b, double))
    if not a.shape == b.shape == ab.shape:
        raise InputError(f"single_a, single_b and double must have one shape, not {a.shape}, {b.shape} and {ab.shape}.")
    # Along the direction of the singles, so that one comparison does for both signs.
    along, total = ab * np.sign(a), np.abs(a + b)
    kinds = np.select([along < 0, along <= total], ["opposite", "buffering"], "synergistic")
    kinds = np.where(a * b > 0, kinds, "other")
    return np.where(np.isnan(a) | np.isnan(b) | np.isnan(ab), "undefined", kinds)


def _ranked(score: ArrayLike, is_interaction: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """True calls and calls at each depth that does not cut through ties, and the number of interactions."""
    scores, truth = np.asarray(score), np.asarray(is_interaction)
    if scores.dtype.kind not in "fiub" or truth.dtype != bool or scores.shape != truth.shape:
        raise InputError("score must hold numbers and is_interaction True or False, for the same pairs.")
    scores, truth = scores.astype(np.float64).ravel(), truth.ravel()
    if not np.isfinite(scores).all():
        raise InputError("score has NaN or infinite entries. Leave those pairs out of both arguments.")
    if not truth.any():
        raise InputError("is_interaction marks no pair, so there is nothing to find.")
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    right = np.cumsum(truth[order], dtype=np.float64)[ends]
    return right, (ends + 1).astype(np.float64), int(truth.sum())


@public
def interaction_curve(score: ArrayLike, is_interaction: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the interactions found, against the share of false ones among the calls, over all depths of a ranking.

    Pairs (gene, double) are ranked by `score`. At each depth (ties together) the calls have a false discovery
    proportion and a true positive rate; sorted by the first, the highest of the second so far, interpolated.

    Parameters
    ----------
    score
        Predicted strength of interaction, the absolute deviation of the predicted double from the sum of the observed
        singles; any shape.
    is_interaction
        Whether the observed deviation is one, bool, that shape.

    Returns
    -------
    fdp : float64, (101,)
        0, 0.01, ..., 1.
    tpr : float64, (101,)
        0 where no depth has so few false ones.

    Raises
    ------
    sc_annotate.errors.InputError
        Arguments of different shapes, a score that is not finite, or no interaction.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, Nature Methods, doi 10.1038/s41592-025-02772-6.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> fdp, tpr = sca.metrics.interaction_curve([4, 3, 2, 1], [True, False, True, False])
    >>> tpr[[0, 33, 34, 100]].round(2).tolist()
    [0.5, 0.99, 1.0, 1.0]
    """
    right, calls, n = _ranked(score, is_interaction)
    false, found = 1 - right / calls, right / n
    order = np.lexsort([found, false])
    false, found = false[order], np.maximum.accumulate(found[order])
    # Of depths with the same share of false calls, the best.
    last = np.append(np.diff(false) != 0, True)
    grid = np.linspace(0, 1, 101)
    return grid, np.interp(grid, false[last], found[last], left=0.0)


@public
def average_precision(score: ArrayLike, is_interaction: ArrayLike) -> float:
    """Area under precision against recall of a ranking of pairs, as a sum over its steps.

    Parameters
    ----------
    score, is_interaction
        As in :func:`interaction_curve`.

    Returns
    -------
    0 to 1; the share of interactions among the pairs is what chance gives.

    Raises
    ------
    sc_annotate.errors.InputError
        As in :func:`interaction_curve`.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> round(sca.metrics.average_precision([4, 3, 2, 1], [True, False, True, False]), 3)
    0.833
    """
    right, calls, n = _ranked(score, is_interaction)
    return float(np.sum(np.diff(right, prepend=0.0) * right / calls) / n)
