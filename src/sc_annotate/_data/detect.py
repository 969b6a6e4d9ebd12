"""Detect what expression values are, from the values alone: counts, logarithms (of which base), or scaled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

Kind = Literal["counts", "log1p", "linear", "scaled", "negative", "zero", "embedding"]
Base = Literal["e", "2", "10"]
Scale = Base | Literal["linear"]
SCALES: tuple[Scale, ...] = ("e", "2", "10", "linear")
Detected = tuple[Kind, Base | None, str, float | None]

# ln(1 + 1e6) is 13.8: a natural logarithm above this would mean more than a million per million.
MAX_NATURAL = 14.0
# log2(1 + 1e6) is 20: nothing above this is a logarithm of an expression value.
MAX_LOG = 24.0
# Standard deviations of fewer cells are too uncertain to recognise.
FEW_CELLS = 20
BASES: dict[Base, float] = {"e": np.e, "2": 2.0, "10": 10.0}


def detect(sample: sparse.csr_matrix, values: NDArray[np.float64], recorded_base: float | None) -> Detected:
    """Kind, base of the logarithm, the reason in words, and the common total of the cells where there is one.

    `sample` is cells x genes without stored zeros, `values` what it stores.
    """
    if values.size == 0:
        return "zero", None, "no value other than zero in the sampled cells", None
    scaled = _unit_variance(sample)
    if values.min() < 0:
        if scaled:
            return "scaled", None, "negative values, and the genes have standard deviation 1", None
        if sample.shape[0] < FEW_CELLS:
            return "negative", None, "negative values; too few cells to distinguish scaled values from others", None
        return "negative", None, "negative values, without the unit variance of scaled data", None
    if np.array_equal(values, np.rint(values)):
        return "counts", None, "whole numbers only", None
    totals = _constant_total(sample)
    if totals is not None:
        base, target = totals
        if base == "linear":
            return "linear", None, f"every cell adds up to {target:,.0f}", target
        return "log1p", base, f"before the logarithm every cell adds up to {target:,.0f}", target
    ladder = _ladder(sample)
    if ladder == "linear":
        return "linear", None, "multiples of one step in each cell, without a logarithm", None
    if ladder is not None:
        return "log1p", ladder, f"with base {ladder}, the values of a cell are multiples of one step", None
    # Dividing genes by their deviations breaks both signs above, which logarithms of few genes may well show.
    if scaled:
        return "scaled", None, "the genes have standard deviation 1", None
    if values.max() > MAX_LOG:
        return "linear", None, f"maximum {values.max():,.1f}, too large for a logarithm", None
    for name, base_value in BASES.items():
        if recorded_base is not None and np.isclose(recorded_base, base_value):
            return "log1p", name, "as recorded in uns['log1p']", None
    if values.max() > MAX_NATURAL:
        return "log1p", "2", f"maximum {values.max():.1f}, too large for a natural logarithm", None
    return "log1p", "e", "assumed: no sign of another base", None


def _unlog(values: NDArray[np.float64], base: Scale) -> NDArray[np.float64]:
    if base == "linear":
        return values
    return np.expm1(np.minimum(values, 60.0) * np.log(BASES[base]))


def _constant_total(sample: sparse.csr_matrix) -> tuple[Scale, float] | None:
    """The base in which all cells have the same total, and that total."""
    if sample.shape[0] < 3 or sample.shape[1] < 3:
        return None
    row = np.repeat(np.arange(sample.shape[0]), np.diff(sample.indptr))
    for base in SCALES:
        total = np.bincount(row, _unlog(sample.data, base), minlength=sample.shape[0])
        total = total[total > 0]
        if len(total) >= 3 and np.ptp(total) < 2e-3 * np.median(total):
            return base, float(np.median(total))
    return None


def _ladder(sample: sparse.csr_matrix) -> Scale | None:
    """The base in which the values of a cell are whole multiples of its smallest one.

    One molecule gives a cell its smallest value, so that unlogged values over it are molecule numbers. This
    shows the base even where only some genes are there and totals are not informative.
    """
    best: Scale | None = None
    share = 0.9
    # Of cells with too few values nothing is learned.
    n = np.diff(sample.indptr)
    data = sample.data[np.repeat(n >= 10, n)]
    n = n[n >= 10]
    if not n.size:
        return None
    cell = np.repeat(np.arange(n.size), n)
    starts = np.cumsum(n) - n
    for base in SCALES:
        unlogged = _unlog(data, base)
        steps = unlogged / np.minimum.reduceat(unlogged, starts)[cell]
        within = (steps > 1.5) & (steps < 20)
        whole = within & (np.abs(steps - np.rint(steps)) < 0.01)
        of, hits = np.bincount(cell[within], minlength=n.size), np.bincount(cell[whole], minlength=n.size)
        per_cell = hits[of >= 5] / of[of >= 5]
        if per_cell.size >= 3 and np.median(per_cell) > share:
            best, share = base, float(np.median(per_cell))
    return best


def _unit_variance(sample: sparse.csr_matrix) -> bool:
    """Whether nearly all genes have standard deviation 1, as ``scanpy.pp.scale`` leaves them."""
    if sample.shape[0] < FEW_CELLS:
        return False
    mean = np.asarray(sample.mean(axis=0)).ravel()
    square = np.asarray(sample.multiply(sample).mean(axis=0)).ravel()
    sd = np.sqrt(np.maximum(square - mean**2, 0))
    sd = sd[sd > 0]
    # Sampling, clipping at 10 and subsets of cells move it, hence the wide band.
    return len(sd) > 0 and bool(np.median(np.abs(sd - 1)) < 0.25) and bool(np.mean((sd > 0.4) & (sd < 1.7)) > 0.8)
