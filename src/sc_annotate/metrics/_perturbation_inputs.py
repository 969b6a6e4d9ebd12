"""Profiles, controls and gene columns as the perturbation metrics need them, or an InputError."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# A change of less than this share of the largest value is rounding: predictions are often float32, and the mean
# predictor minus the mean of the profiles is then not 0 but noise, whose correlation with anything means nothing.
ROUNDING = 1e-6


def matrix(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """`values` as float64, conditions x genes."""
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.size:
        raise InputError(
            f"{name} must be a dense array of numbers, conditions x genes, not {array.dtype} of the shape {array.shape}."
        )
    return array.astype(np.float64, copy=False)


def finite(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """`values` as float64, conditions x genes, without NaN or infinite entries."""
    array = matrix(values, name)
    wrong = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if wrong.size:
        raise InputError(
            f"{name} has NaN or infinite entries in {wrong.size} of {len(array)} rows, the first of them row {wrong[0]}. "
            "Leave those conditions out of all arguments."
        )
    return array


def columns(genes: ArrayLike | None, p: int, name: str = "genes") -> NDArray[np.intp] | slice:
    """Gene columns to use; all of them for None."""
    if genes is None:
        return slice(None)
    chosen = np.asarray(genes)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not chosen.size:
        raise InputError(f"{name} must be one or more integer columns; make them of a mask with numpy.flatnonzero.")
    if chosen.min() < 0 or chosen.max() >= p:
        raise InputError(
            f"{name} must be columns from 0 to {p - 1}, but they run from {chosen.min()} to {chosen.max()}."
        )
    if np.unique(chosen).size < chosen.size:
        raise InputError(f"{name} names some columns twice. Pass each once: numpy.unique({name}).")
    return chosen.astype(np.intp)


def beside(values: ArrayLike, name: str, n: int, p: int) -> NDArray[np.float64]:
    """A profile for all conditions as (1, p), or one for each as (n, p)."""
    array = np.asarray(values)
    if array.shape not in {(p,), (n, p)}:
        raise InputError(
            f"{name} must be one profile of {p} genes or one for each of {n} conditions, but its shape is {array.shape}."
        )
    return finite(np.atleast_2d(array), name)


def pair(
    truth: ArrayLike, predicted: ArrayLike, genes: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """True and predicted profiles in the columns `genes`, and which conditions were predicted at all."""
    true, guess = matrix(truth, "truth"), matrix(predicted, "predicted")
    if true.shape != guess.shape:
        raise InputError(
            f"truth is {true.shape} but predicted is {guess.shape}: they must hold the same conditions and genes, in the "
            "same order. A condition that was not predicted is a row of NaN."
        )
    use = columns(genes, true.shape[1])
    true, guess = finite(true[:, use], "truth"), guess[:, use]
    missing = np.isnan(guess)
    partly = np.flatnonzero(missing.any(axis=1) & ~missing.all(axis=1))
    if partly.size:
        raise InputError(
            f"predicted has NaN for some genes but not for others in {partly.size} rows, the first of them row "
            f"{partly[0]}. Leave out the genes that were not predicted, or make such a row NaN throughout."
        )
    if np.isinf(guess).any():
        raise InputError("predicted has infinite entries. A condition that cannot be predicted is a row of NaN.")
    return true, guess, ~missing[:, 0]


def is_flat(values: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows whose entries are all equal but for rounding of numbers as large as `scale`."""
    return values.max(axis=1) - values.min(axis=1) <= ROUNDING * scale


def size(*parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest absolute entry of each row over all `parts`."""
    largest = [np.abs(part).max(axis=1) for part in parts]
    out = largest[0]
    for other in largest[1:]:
        out = np.maximum(out, other)
    return out
