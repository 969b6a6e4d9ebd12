"""Cells on two scales in one matrix: logged ones beside others that are not, as joining two studies leaves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._data.signs import MAX_LOG, MAX_NATURAL, SCALES, ladder_of_cells, totals_of_cells

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

UNKNOWN, PLAIN, LOGGED = 0, 1, 2
LEAST_SHARE = 0.02
"""Below this share of the sampled cells a few odd ones are no second scale."""
LEAST_CELLS = 3
FEWEST_VALUES = 5
"""Cells with fewer values say nothing of their scale."""


def scales_of_cells(sample: sparse.csr_matrix) -> NDArray[np.int8]:
    """Whether each cell is logged or not, by signs that one cell shows alone; 0 where it shows none.

    Whole numbers, values too large for a logarithm and values that are multiples of one step are not logged. Those that
    become multiples of one step, or add up to the total of others, when a logarithm is undone, are.
    """
    n = np.diff(sample.indptr)
    code = np.zeros(sample.shape[0], dtype=np.int8)
    enough = np.flatnonzero(n >= FEWEST_VALUES)
    if not enough.size:
        return code
    part = sample[enough]
    starts = part.indptr[:-1]
    largest = np.maximum.reduceat(part.data, starts)
    whole = np.add.reduceat((part.data != np.rint(part.data)).astype(np.intp), starts) == 0
    steps = {base: np.nan_to_num(ladder_of_cells(part, base)) for base in SCALES}
    of_logs = np.max([steps[base] for base in SCALES if base != "linear"], axis=0)
    # Whole numbers up to 1 may be logarithms of base 2.
    plain = (whole & (largest > 1)) | (largest > MAX_LOG) | ((steps["linear"] > 0.9) & (steps["linear"] > of_logs))
    logged = ~plain & (of_logs > 0.9) & (of_logs > steps["linear"])
    rest = ~plain & ~logged & ~whole
    if rest.sum() >= LEAST_CELLS:
        logged |= rest & (_share_a_total(part, ~plain) | _by_range(part, plain, rest, largest))
    code[enough[plain]], code[enough[logged]] = PLAIN, LOGGED
    return code


def _share_a_total(part: sparse.csr_matrix, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells that have the total of most of the chosen ones when a logarithm is undone."""
    out = np.zeros(len(chosen), dtype=bool)
    for base in SCALES:
        if base == "linear":
            continue
        totals = totals_of_cells(part, base)
        middle = float(np.median(totals[chosen]))
        near = chosen & (np.abs(totals - middle) < 1e-3 * middle)
        if near.sum() >= max(LEAST_CELLS, 0.5 * chosen.sum()):
            out |= near
    return out


def _by_range(
    part: sparse.csr_matrix, plain: NDArray[np.bool_], rest: NDArray[np.bool_], largest: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Cells whose values stay in the range of logarithms, far from those of the others, but have their totals without it."""
    none = np.zeros(len(rest), dtype=bool)
    low, high = rest & (largest <= MAX_NATURAL), plain & (largest > MAX_LOG)
    between = rest & ~low
    fewer = min(int(low.sum()), int(high.sum()))
    if fewer < LEAST_CELLS or high.sum() < 0.5 * plain.sum() or between.sum() > 0.2 * fewer:
        return none
    ratio = np.median(totals_of_cells(part, "e")[low]) / np.median(totals_of_cells(part, "linear")[high])
    return low if 0.1 < ratio < 10 else none


def in_words(sample: sparse.csr_matrix) -> str | None:
    """How many of the sampled cells are on which scale; None where they are on one."""
    code = scales_of_cells(sample)
    n_plain, n_logged = int((code == PLAIN).sum()), int((code == LOGGED).sum())
    if min(n_plain, n_logged) < max(LEAST_CELLS, LEAST_SHARE * (n_plain + n_logged)):
        return None
    return (
        f"cells are on two scales: {n_logged:,} of {n_logged + n_plain:,} sampled cells are logged, {n_plain:,} are not"
    )


def separating_column(adata: AnnData, chosen: NDArray[np.intp], X: Any) -> str:
    """Which column of ``obs`` tells logged cells from the others, in words; empty where none does.

    `X` are the chosen rows of the matrix.
    """
    sample = sparse.csr_matrix(X).astype(np.float64)
    sample.eliminate_zeros()
    code = scales_of_cells(sample)
    known = code != UNKNOWN
    for name in adata.obs.columns:
        column: Any = adata.obs[name]
        if getattr(column, "ndim", 1) != 1 or column.dtype.kind == "f":
            continue
        text = np.asarray(column.astype(object).iloc[chosen], dtype=object).astype(str)[known]
        groups, of = np.unique(text, return_inverse=True)
        if not 2 <= len(groups) <= max(2, known.sum() // 4):
            continue
        share = np.bincount(of, code[known] == LOGGED) / np.bincount(of)
        if np.isin(share, (0, 1)).all():
            logged, plain = ([str(g) for g in groups[share == value][:3]] for value in (1, 0))
            return f"; obs[{name!r}] tells them apart: logged are those of {', '.join(logged)}, not {', '.join(plain)}"
    return ""
