"""Whether the genes called changed in the prediction are those called changed in the measured cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.metrics._perturbation_inputs import matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Table = tuple[ArrayLike, ArrayLike]


def _table(de: Table, name: str, shape: tuple[int, ...] | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Size of the change and significance, conditions x genes."""
    if not isinstance(de, tuple | list) or len(de) != 2:
        raise InputError(f"{name} must be a pair: log fold changes and which of them are significant.")
    change = np.abs(matrix(de[0], f"the log fold changes of {name}"))
    significant = np.asarray(de[1])
    if significant.dtype != bool or significant.shape != change.shape:
        raise InputError(f"{name} must be a pair of arrays of one shape, numbers and then bool.")
    if shape is not None and change.shape != shape:
        raise InputError(
            f"true_de is {shape} but predicted_de is {change.shape}: conditions and genes must be the same."
        )
    if (significant & np.isnan(change)).any():
        raise InputError(f"{name} calls genes significant whose log fold change is NaN. Make those False.")
    return change, significant


def _first(change: NDArray[np.float64], significant: NDArray[np.bool_], k: NDArray[np.intp]) -> NDArray[np.bool_]:
    """The `k` largest changes of each condition among the significant ones, or all of those where they are fewer."""
    order = np.argsort(np.where(significant, -change, np.inf), axis=1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
    return significant & (place < k[:, None])


def _shared(true_de: Table, predicted_de: Table, by_prediction: bool) -> NDArray[np.float64]:
    change, significant = _table(true_de, "true_de", None)
    guess, called = _table(predicted_de, "predicted_de", change.shape)
    k = (called if by_prediction else significant).sum(axis=1)
    both = _first(change, significant, k) & _first(guess, called, k)
    defined = significant.any(axis=1) & (k > 0) & ~np.isnan(guess).all(axis=1)
    return both.sum(axis=1) / np.where(defined, k, np.nan)


@public
def overlap_at_n(true_de: Table, predicted_de: Table) -> NDArray[np.float64]:
    """Share of the N truly changed genes that are among the N largest predicted changes; 1 is best.

    N is the number of genes that are significant in the measured cells. Predicted genes count only where they are
    significant too, so a condition for which nothing is called scores 0. Trap: the mean of the training conditions
    does well on it where perturbations share their effects, so read it beside :func:`precision_at_n` and
    :func:`perturbation_discrimination`.

    Parameters
    ----------
    true_de
        Of the measured cells: log fold changes (their sign does not count), and which of them are significant, bool;
        both of the shape (conditions, genes). Genes of equal change come in the order of their columns.
    predicted_de
        The same of the predicted cells. Log fold changes that are NaN throughout a row were not predicted.

    Returns
    -------
    Float64, 0 to 1, shape (conditions,); NaN where no gene is truly changed (cell-eval has 0 there) or nothing was
    predicted.

    Raises
    ------
    sc_annotate.errors.InputError
        Arrays of different shapes or kinds, or significant genes whose change is NaN.

    References
    ----------
    Roohani et al. 2025 (Virtual Cell Challenge), doi:10.1016/j.cell.2025.06.008; the definition of cell-eval 0.8.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> true = [[2.0, -1.5, 0.1, 0.0]], [[True, True, False, False]]
    >>> predicted = [[0.5, 1.0, 2.0, 0.0]], [[True, True, True, False]]
    >>> sca.metrics.overlap_at_n(true, predicted)
    array([0.5])
    """
    return _shared(true_de, predicted_de, by_prediction=False)


@public
def precision_at_n(true_de: Table, predicted_de: Table) -> NDArray[np.float64]:
    """Share of the N genes called changed in the prediction that are among the N largest true changes; 1 is best.

    N is the number of genes that are significant in the predicted cells; true genes count only where they are
    significant too. It falls where a model calls too many genes, which :func:`overlap_at_n` does not notice. Trap: a
    model that calls no gene has no precision; it is NaN, and :func:`overlap_at_n` is 0.

    Parameters
    ----------
    true_de
        Of the measured cells: log fold changes (their sign does not count), and which of them are significant, bool;
        both of the shape (conditions, genes). Genes of equal change come in the order of their columns.
    predicted_de
        The same of the predicted cells. Log fold changes that are NaN throughout a row were not predicted.

    Returns
    -------
    Float64, 0 to 1, shape (conditions,); NaN where no gene is truly changed or none is called (cell-eval has 0 there)
    or nothing was predicted.

    Raises
    ------
    sc_annotate.errors.InputError
        As in :func:`overlap_at_n`.

    References
    ----------
    As of :func:`overlap_at_n`.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> true = [[2.0, -1.5, 0.1, 0.0]], [[True, True, False, False]]
    >>> predicted = [[0.5, 1.0, 2.0, 3.0]], [[True, True, True, True]]
    >>> sca.metrics.precision_at_n(true, predicted)
    array([0.5])
    """
    return _shared(true_de, predicted_de, by_prediction=True)
