"""Whether predicted changes go the right way, and whether they differ between conditions at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.metrics._perturbation_inputs import ROUNDING, beside, is_flat, pair, size

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def sign_accuracy(
    truth: ArrayLike, predicted: ArrayLike, control: ArrayLike, changed: ArrayLike
) -> NDArray[np.float64]:
    """Share of the genes in `changed` that are predicted to change in the measured direction; 1 is best.

    A gene that is predicted not to change counts as wrong, so no change scores 0; guessing scores a half, and so does
    the wrong model that gets the direction common to all perturbations right: compare it with the mean. A change of
    less than a millionth of the gene's level is no change. A gene of `changed` whose measured change is 0 has no
    direction and is left out.

    Parameters
    ----------
    truth
        Measured profiles, shape (conditions, genes).
    predicted
        Predicted profiles, rows and columns as in `truth`; NaN throughout a row that was not predicted.
    control
        Control profile, shape (genes,), or the matched one of each condition, shape (conditions, genes).
    changed
        Genes that count, such as those significantly changed in the measured cells, bool, shape (conditions, genes).

    Returns
    -------
    Float64, 0 to 1, shape (conditions,); NaN where no gene counts or nothing was predicted.

    Raises
    ------
    sc_annotate.errors.InputError
        As in :func:`l2`, a control of another shape, or `changed` that is not bool.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> control = [1.0, 1.0, 1.0]
    >>> sca.metrics.sign_accuracy([[2.0, 0.5, 1.1]], [[3.0, 2.0, 0.0]], control, [[True, True, False]])
    array([0.5])
    """
    true, guess, scored = pair(truth, predicted)
    origin = beside(control, "control", *true.shape)
    counts = np.asarray(changed)
    if counts.dtype != bool or counts.shape != true.shape:
        raise InputError(
            f"changed must be bool, conditions x genes {true.shape}, not {counts.dtype} of the shape {counts.shape}."
        )
    directions = []
    for profile in (true, guess):
        change = profile - origin
        rounding = ROUNDING * np.maximum(np.abs(profile), np.abs(origin))
        directions.append(np.where(np.abs(change) > rounding, np.sign(change), 0.0))
    counts = counts & (directions[0] != 0)
    n = counts.sum(axis=1)
    right = (counts & (directions[0] == directions[1])).sum(axis=1)
    return right / np.where(scored & (n > 0), n, np.nan)


def sd_ratio(truth: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """How much the predictions differ between conditions, for each gene, as a share of how much the measured ones do.

    Near 0 the model says the same of every perturbation, whatever its other scores. A perfect model comes out
    somewhat below 1, since measured profiles also differ by the sampling of cells; above 1 it exaggerates. Only
    conditions that were predicted count, on both sides.

    Parameters
    ----------
    truth
        Measured profiles, shape (conditions, genes).
    predicted
        Predicted profiles, rows and columns as in `truth`; NaN throughout a row that was not predicted.

    Returns
    -------
    Float64, 0 or more, shape (genes,), one for each gene and not for each condition; NaN for a gene whose measured
    profiles are all equal, and for all genes where fewer than two conditions were predicted.

    Raises
    ------
    sc_annotate.errors.InputError
        As in :func:`l2`.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, doi:10.1038/s41592-025-02772-6, Extended Data Fig. 7.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.metrics.sd_ratio([[1.0, 0.0], [3.0, 0.0]], [[2.0, 1.0], [3.0, 2.0]])
    array([0.5, nan])
    """
    true, guess, scored = pair(truth, predicted)
    if scored.sum() < 2:
        return np.full(true.shape[1], np.nan)
    true, guess = true[scored], guess[scored]
    flat = is_flat(true.T, size(true.T))
    # From the first condition on, so that equal predictions have a standard deviation of exactly 0.
    spread = (guess - guess[0]).std(axis=0)
    return spread / np.where(flat, np.nan, (true - true[0]).std(axis=0))
