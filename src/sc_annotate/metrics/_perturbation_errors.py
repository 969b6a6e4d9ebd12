"""How far predicted profiles are off, whether their changes go the right way, and whether they differ at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.metrics._perturbation_inputs import ROUNDING, beside, columns, finite, is_flat, pair, size

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@public
def top_expressed(control: ArrayLike, n: int = 1000) -> NDArray[np.intp]:
    """Columns of the `n` genes that are highest in the control: the genes that the founding paper scores.

    They follow from the control alone, so that the choice does not know the truth. Equal genes come in the order of
    their columns.

    Parameters
    ----------
    control
        Control profile, shape (genes,); of matched controls, (conditions, genes), the mean counts.
    n
        Number of genes; all of them where there are fewer.

    Returns
    -------
    Intp, highest first, shape (min(n, genes),).

    Raises
    ------
    sc_annotate.errors.InputError
        A control that is not finite, or `n` below 1.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, doi:10.1038/s41592-025-02772-6.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.metrics.top_expressed([0.1, 2.0, 0.5, 2.0], n=3)
    array([1, 3, 2])
    """
    if n < 1:
        raise InputError(f"n must be 1 or more genes, not {n}.")
    level = finite(np.atleast_2d(np.asarray(control)), "control").mean(axis=0)
    return np.argsort(-level, kind="stable")[:n]


@public
def l2(truth: ArrayLike, predicted: ArrayLike, *, genes: ArrayLike | None = None) -> NDArray[np.float64]:
    """Euclidean distance between the predicted and the measured profile of each condition; 0 is best.

    It is not divided by the number of genes: compare it on the same genes only. Trap: the largest distances belong to
    the strongest perturbations, so that a mean over conditions is about those.

    Parameters
    ----------
    truth
        Measured profiles (mean log-normalised expression, not changes), shape (conditions, genes).
    predicted
        Predicted profiles, rows and columns as in `truth`; NaN throughout a row that was not predicted.
    genes
        Integer columns to use, such as :func:`top_expressed` gives; None for all.

    Returns
    -------
    Float64, 0 or more, shape (conditions,); NaN where nothing was predicted.

    Raises
    ------
    sc_annotate.errors.InputError
        Arrays of different shapes, `truth` that is not finite, a row of `predicted` that is NaN in part, or columns
        that do not exist.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, doi:10.1038/s41592-025-02772-6.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.metrics.l2([[1.0, 2.0], [3.0, 1.0]], [[1.0, 2.0], [0.0, 5.0]])
    array([0., 5.])
    """
    true, guess, _ = pair(truth, predicted, genes)
    return np.sqrt(np.square(true - guess).sum(axis=1))


@public
def pearson_delta(
    truth: ArrayLike, predicted: ArrayLike, reference: ArrayLike, *, genes: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Pearson correlation over genes of the predicted and the measured change from `reference`; 1 is best.

    With the control as reference it is the Pearson delta of the founding paper. Trap: where all perturbed cells share a
    shift from the control, the mean of the training profiles scores high with it and does not depend on the single
    perturbation. With the mean of the perturbed profiles as reference (Systema) that shift is gone.

    A correlation with numbers that do not vary is undefined: no change, measured from the control, and the mean,
    measured from itself, are NaN and not 0. Changes that differ by less than a millionth of the largest value are
    taken for rounding.

    Parameters
    ----------
    truth
        Measured profiles, shape (conditions, genes).
    predicted
        Predicted profiles, rows and columns as in `truth`; NaN throughout a row that was not predicted.
    reference
        What the changes are measured from: the control, or the mean of the perturbed profiles (of the training
        conditions), shape (genes,); or one for each condition, shape (conditions, genes).
    genes
        Integer columns to use; None for all.

    Returns
    -------
    Float64, -1 to 1, shape (conditions,); NaN where it is undefined or nothing was predicted.

    Raises
    ------
    sc_annotate.errors.InputError
        As in :func:`l2`, or a reference of another shape.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, doi:10.1038/s41592-025-02772-6. Viñas Torné et al. 2025 (Systema),
    doi:10.1038/s41587-025-02777-8.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> control = [1.0, 1.0, 1.0]
    >>> sca.metrics.pearson_delta([[1.0, 2.0, 3.0], [0.0, 1.0, 5.0]], [[1.0, 3.0, 5.0], control], control)
    array([ 1., nan])
    """
    true, guess, _ = pair(truth, predicted, genes)
    n, p = np.shape(truth)
    origin = beside(reference, "reference", n, p)[:, columns(genes, p)]
    a, b = true - origin, guess - origin
    undefined = is_flat(a, size(true, origin)) | is_flat(b, size(guess, origin))
    a -= a.mean(axis=1, keepdims=True)
    b -= b.mean(axis=1, keepdims=True)
    below = np.sqrt(np.square(a).sum(axis=1) * np.square(b).sum(axis=1))
    # Rounding can make it a hair more than 1.
    return np.clip((a * b).sum(axis=1) / np.where(undefined, np.nan, below), -1.0, 1.0)


@public
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


@public
def sd_ratio(truth: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """How much the predictions differ between conditions, for each gene, as a share of how much the measured ones do.

    Near 0 the model predicts the same for every perturbation, whatever its other scores. A perfect model comes out
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
