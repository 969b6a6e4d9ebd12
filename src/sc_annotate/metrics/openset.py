"""How well a score separates cells of unseen types from those of known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.metrics.encoding import mask, numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["auroc", "found_at"]


def _two_kinds(unseen: ArrayLike, score: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    new = mask(unseen, "unseen")
    values = numbers(score, "score", new.size)
    if new.all() or not new.any():
        raise InputError("unseen must mark some cells and leave others: both kinds are needed.")
    return new, values


@public
def auroc(unseen: ArrayLike, score: ArrayLike) -> float:
    """Probability that a cell of an unseen type scores higher than one of a known type (area under the ROC curve).

    All cells count; a pair with equal scores counts half. It assesses the ranking, not a threshold.

    Parameters
    ----------
    unseen
        Whether the type of the cell was unknown to the model, bool, shape (n,).
    score
        Higher for stranger cells, shape (n,).

    Returns
    -------
    Between 0 and 1; 0.5 is no better than chance.

    Raises
    ------
    sc_annotate.errors.InputError
        Arguments of different cells, a score that is not finite, or cells of one kind only.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.metrics.auroc([False, False, True, True], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    new, values = _two_kinds(unseen, score)
    n_new, n_known = int(new.sum()), int((~new).sum())
    return float((rankdata(values)[new].sum() - n_new * (n_new + 1) / 2) / (n_new * n_known))


@public
def found_at(unseen: ArrayLike, score: ArrayLike, false_positive_rate: float = 0.05) -> float:
    """Share of the cells of unseen types above a threshold that at most the share `false_positive_rate` of known cells exceeds.

    All cells count. The threshold is taken from the known cells among these, so this is what the score could do at
    best with such an alarm rate; cells exactly at it are not found.

    Parameters
    ----------
    unseen
        Whether the type of the cell was unknown to the model, bool, shape (n,).
    score
        Higher for stranger cells, shape (n,).
    false_positive_rate
        Share of known cells that may be above the threshold, 0 to below 1.

    Returns
    -------
    Between 0 and 1.

    Raises
    ------
    sc_annotate.errors.InputError
        As in :func:`auroc`, or `false_positive_rate` out of range.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> unseen = [False] * 4 + [True] * 2
    >>> sca.metrics.found_at(unseen, [0.1, 0.2, 0.3, 0.9, 0.8, 0.2], false_positive_rate=0.25)
    0.5
    """
    if not 0 <= false_positive_rate < 1:
        raise InputError(f"false_positive_rate must be a share from 0 to below 1, not {false_positive_rate}.")
    new, values = _two_kinds(unseen, score)
    known = np.sort(values[~new])
    # The lowest threshold with no more known cells above it; 0.05 * 20 must not come out below 1 by rounding.
    above = int(false_positive_rate * known.size + 1e-9)
    return float((values[new] > known[known.size - 1 - above]).mean())
