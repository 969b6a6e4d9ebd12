"""Cells on two scales in one matrix: some logged, others not, as when two studies are concatenated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._data.signs import BASES, MAX_LOG, MAX_NATURAL

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.signs import Signs

UNKNOWN, PLAIN, LOGGED = 0, 1, 2
LEAST_SHARE = 0.02
"""Below this share of the sampled cells, outliers are not taken for a second scale."""
LEAST_CELLS = 3
FEWEST_VALUES = 5
"""Cells with fewer values are too sparse to infer their scale."""


def scales_of_cells(signs: Signs) -> NDArray[np.int8]:
    """Whether each cell is logged or not, by its own values alone; 0 where they do not show it.

    Whole numbers, values too large for a logarithm and values that are multiples of one step are not logged. Those that
    become multiples of one step, or add up to the total of others, when a logarithm is undone, are.
    """
    known = signs.n >= FEWEST_VALUES
    steps = {base: np.nan_to_num(of) for base, of in signs.steps.items()}
    of_logs = np.max([steps[base] for base in BASES], axis=0)
    multiples = (steps["linear"] > 0.9) & (steps["linear"] > of_logs)
    # Whole numbers up to 1 may be logarithms of base 2.
    plain = known & ((signs.whole & (signs.largest > 1)) | (signs.largest > MAX_LOG) | multiples)
    logged = known & ~plain & (of_logs > 0.9) & (of_logs > steps["linear"])
    rest = known & ~plain & ~logged & ~signs.whole
    if rest.sum() >= LEAST_CELLS:
        logged |= rest & (_share_a_total(signs, known & ~plain) | _by_range(signs, plain, rest))
    return np.where(plain, PLAIN, np.where(logged, LOGGED, UNKNOWN)).astype(np.int8)


def _share_a_total(signs: Signs, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells that have the total of most of the chosen ones when a logarithm is undone."""
    out = np.zeros(len(chosen), dtype=bool)
    for base in BASES:
        middle = float(np.median(signs.totals[base][chosen]))
        near = chosen & (np.abs(signs.totals[base] - middle) < 1e-3 * middle)
        if near.sum() >= max(LEAST_CELLS, 0.5 * chosen.sum()):
            out |= near
    return out


def _by_range(signs: Signs, plain: NDArray[np.bool_], rest: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells whose values stay in the range of logarithms, far from those of the others, but have their totals without it."""
    none = np.zeros(len(rest), dtype=bool)
    low, high = rest & (signs.largest <= MAX_NATURAL), plain & (signs.largest > MAX_LOG)
    between = rest & ~low
    fewer = min(int(low.sum()), int(high.sum()))
    if fewer < LEAST_CELLS or high.sum() < 0.5 * plain.sum() or between.sum() > 0.2 * fewer:
        return none
    ratio = np.median(signs.totals["e"][low]) / np.median(signs.totals["linear"][high])
    return low if 0.1 < ratio < 10 else none


def in_words(signs: Signs) -> str | None:
    """How many of the sampled cells are on which scale; None where they are on one."""
    code = scales_of_cells(signs)
    n_plain, n_logged = int((code == PLAIN).sum()), int((code == LOGGED).sum())
    if min(n_plain, n_logged) < max(LEAST_CELLS, LEAST_SHARE * (n_plain + n_logged)):
        return None
    return (
        f"cells are on two scales: {n_logged:,} of {n_logged + n_plain:,} sampled cells are logged, {n_plain:,} are not"
    )


def separating_column(adata: AnnData, chosen: NDArray[np.intp], signs: Signs) -> str:
    """Which column of ``obs`` separates logged cells from the others, in words; empty where none does.

    `signs` are those of the chosen cells.
    """
    code = scales_of_cells(signs)
    known = code != UNKNOWN
    for name in adata.obs.columns:
        column: Any = adata.obs[name]
        if getattr(column, "ndim", 1) != 1 or column.dtype.kind == "f":
            continue
        text = np.asarray(column.iloc[chosen].astype(object), dtype=object).astype(str)[known]
        groups, of = np.unique(text, return_inverse=True)
        if not 2 <= len(groups) <= max(2, known.sum() // 4):
            continue
        share = np.bincount(of, code[known] == LOGGED) / np.bincount(of)
        if np.isin(share, (0, 1)).all():
            logged, plain = ([str(g) for g in groups[share == value][:3]] for value in (1, 0))
            return f"; obs[{name!r}] tells them apart: logged are those of {', '.join(logged)}, not {', '.join(plain)}"
    return ""
