"""Look at a sample of a matrix and report on its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core.arrays import SomeColumns, rows
from sc_annotate._data.matrix import Place
from sc_annotate._data.signs import (
    BASES,
    FEW_CELLS,
    LEAST_MAXIMUM,
    MAX_LOG,
    MAX_NATURAL,
    SCALES,
    Signs,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import Source
    from sc_annotate._data.signs import Base, Detected, Kind, Scale


def detect(sample: sparse.csr_matrix, values: NDArray[np.float64], recorded_base: float | None) -> Detected:
    """Kind, base of the logarithm, the reason in words, and the common total of the cells where there is one.

    `sample` is cells x genes without stored zeros, `values` what it stores.
    """
    if values.size == 0:
        return "zero", None, "no value other than zero in the sampled cells", None
    if values.min() < 0:
        from sc_annotate._data.scaled_values import detect_negative

        return detect_negative(sample)
    if np.array_equal(values, np.rint(values)):
        return "counts", None, "whole numbers only", None
    totals = _constant_total(sample)
    if totals is not None:
        base, target = totals
        if base == "linear":
            return "linear", None, f"every cell adds up to {target:,.6g}", target
        return "log1p", base, f"before the logarithm every cell adds up to {target:,.0f}", target
    signs = signs_of(sample)
    if _may_be_mixed(signs):
        from sc_annotate._data.mixed_scales import in_words

        mixed = in_words(signs)
        if mixed is not None:
            return "mixed", None, mixed, None
    odd = signs.largest > MAX_LOG
    if 0 < odd.sum() <= max(1, 0.01 * len(odd)) and len(odd) >= FEW_CELLS and signs.largest[~odd].max() <= MAX_NATURAL:
        rest = sample[np.flatnonzero(~odd)]
        kind, of, evidence, target_sum = detect(rest, rest.data, recorded_base)
        return kind, of, f"{evidence}; but for values up to {values.max():.3g} in {int(odd.sum())} cells", target_sum
    ladder = _ladder(signs.steps)
    if ladder == "linear":
        return "linear", None, "multiples of one step in each cell, without a logarithm", None
    if ladder is not None:
        return "log1p", ladder, f"with base {ladder}, the values of a cell are multiples of one step", None
    # Dividing genes by their deviations breaks both signs above, which logarithms of few genes may well show.
    from sc_annotate._data.scaled_values import unit_variance

    if unit_variance(sample):
        return "scaled", None, "the genes have standard deviation 1", None
    if values.max() > MAX_LOG:
        return "linear", None, f"maximum {values.max():,.1f}, too large for a logarithm", None
    if values.max() < LEAST_MAXIMUM:
        return "linear", None, f"maximum {values.max():.3g}, too small for logarithms of counts per 10,000", None
    for name, base_value in BASES.items():
        if recorded_base is not None and np.isclose(recorded_base, base_value):
            return "log1p", name, "as recorded in uns['log1p']", None
    if values.max() > MAX_NATURAL:
        return "log1p", "2", f"maximum {values.max():.1f}, too large for a natural logarithm", None
    return "log1p", "e", "assumed: no sign of another base", None


def signs_of(sample: sparse.csr_matrix) -> Signs:
    """What each cell of a sample without stored zeros shows of its scale."""
    n = np.diff(sample.indptr)
    row = np.repeat(np.arange(n.size), n)
    fractions = np.bincount(row, sample.data != np.rint(sample.data), minlength=n.size)
    return Signs(
        n=n,
        largest=_largest(sample),
        whole=fractions == 0,
        totals={base: _totals(sample, base) for base in SCALES},
        steps={base: _ladder_of_cells(sample, base) for base in SCALES},
    )


def _may_be_mixed(signs: Signs) -> bool:
    """A fast check whether single cells show different scales, without false negatives."""
    if (signs.largest > MAX_LOG).any() and (signs.largest <= MAX_NATURAL).any():
        return True
    if (signs.whole & (signs.largest > 1)).any():
        return True
    logs = np.max([np.nan_to_num(signs.steps[base]) for base in BASES], axis=0)
    return bool((np.nan_to_num(signs.steps["linear"]) > 0.9).any() and (logs > 0.9).any())


def _largest(sample: sparse.csr_matrix) -> NDArray[np.float64]:
    """The largest value of each cell; 0 for one without any."""
    out = np.zeros(sample.shape[0])
    filled = np.flatnonzero(np.diff(sample.indptr))
    if filled.size:
        out[filled] = np.maximum.reduceat(sample.data, sample.indptr[filled])
    return out


def _unlog(values: NDArray[np.float64], base: Scale) -> NDArray[np.float64]:
    if base == "linear":
        return values
    return np.expm1(np.minimum(values, 60.0) * np.log(BASES[base]))


def _totals(sample: sparse.csr_matrix, base: Scale) -> NDArray[np.float64]:
    """Sum of each cell, the logarithm undone."""
    row = np.repeat(np.arange(sample.shape[0]), np.diff(sample.indptr))
    return np.bincount(row, _unlog(sample.data, base), minlength=sample.shape[0]).astype(np.float64, copy=False)


def _constant_total(sample: sparse.csr_matrix) -> tuple[Scale, float] | None:
    """The base in which all cells have the same total, and that total."""
    if sample.shape[0] < 3 or sample.shape[1] < 3:
        return None
    best: tuple[Scale, float] | None = None
    # Of small values the logarithm is nearly the value itself, so that both may add up.
    least = 2e-3
    few = sample[:64] if sample.shape[0] > 64 else None
    for base in SCALES:
        # What differs among some cells differs among all; looking at some is quicker.
        if few is not None and _spread(few, base)[0] > 2 * least:
            continue
        spread, median = _spread(sample, base)
        if spread < least:
            best, least = (base, median), spread
    return best


def _spread(sample: sparse.csr_matrix, base: Scale) -> tuple[float, float]:
    """Range of the totals of cells over their median, and that median; NaN with fewer than three cells of values."""
    total = _totals(sample, base)
    total = total[total > 0]
    if len(total) < 3:
        return float("nan"), float("nan")
    median = float(np.median(total))
    return float(np.ptp(total)) / median, median


def _ladder_of_cells(sample: sparse.csr_matrix, base: Scale) -> NDArray[np.float64]:
    """For each cell the share of its values that are whole multiples of its smallest one, the logarithm undone.

    One molecule gives a cell its smallest value, so that unlogged values over it are molecule numbers. This
    shows the base even where only some genes are there and totals are not informative. Of cells with too few values
    nothing is learned: NaN.
    """
    n = np.diff(sample.indptr)
    out = np.full(n.size, np.nan)
    used = np.flatnonzero(n >= 10)
    if not used.size:
        return out
    unlogged = _unlog(sample.data[np.repeat(n >= 10, n)], base)
    n = n[used]
    cell = np.repeat(np.arange(n.size), n)
    steps = unlogged / np.minimum.reduceat(unlogged, np.cumsum(n) - n)[cell]
    within = (steps > 1.5) & (steps < 20)
    whole = within & (np.abs(steps - np.rint(steps)) < 0.01)
    of, hits = np.bincount(cell[within], minlength=n.size), np.bincount(cell[whole], minlength=n.size)
    out[used[of >= 5]] = hits[of >= 5] / of[of >= 5]
    return out


def _ladder(steps: dict[Scale, NDArray[np.float64]]) -> Scale | None:
    """The base in which the values of most cells are whole multiples of their smallest one."""
    best: Scale | None = None
    share = 0.9
    for base in SCALES:
        known = steps[base][~np.isnan(steps[base])]
        if known.size >= 3 and np.median(known) > share:
            best, share = base, float(np.median(known))
    return best


# In so many counts, or their logarithms, some are 0.
MANY_VALUES = 2_000
N_SAMPLED = 512
# With tens of thousands of genes fewer cells are enough, and a dense sample stays small.
MAX_SAMPLED_VALUES = 6_000_000


@dataclass(frozen=True)
class ValueReport:
    """What the values of a matrix are, detected from a sample of its cells.

    ``kind`` is ``counts`` (whole numbers), ``log1p``, ``linear`` (normalised, not logged), ``mixed`` (some cells logged,
    others not), ``scaled`` (each gene to mean 0 or standard deviation 1), ``negative`` (negative but not scaled), ``zero`` or ``embedding``.
    ``target_sum`` is what the values of a cell add up to before the logarithm, where that is the same for all
    cells and so known.
    """

    where: str
    format: str
    dtype: str
    n_cells: int
    n_genes: int
    n_sampled: int
    kind: Kind
    base: Base | None
    evidence: str
    target_sum: float | None
    minimum: float
    maximum: float
    n_nan: int
    n_inf: int
    n_zero_cells: int
    density: float
    first_not_finite: str = ""
    """The first value of the sample that is NaN or infinite, with its gene and cell."""


def sample_rows(n: int, size: int = N_SAMPLED) -> NDArray[np.intp]:
    """Row numbers spread evenly over the matrix, always the same, in short runs that a file reads fast."""
    if n <= size:
        return np.arange(n)
    starts = np.linspace(0, n - 16, size // 16).astype(np.intp)
    return np.unique((starts[:, None] + np.arange(16)).ravel())


def sampled(source: Source) -> tuple[NDArray[np.intp], Any]:
    """Which rows are looked at, and these."""
    n = source.n_cells
    chosen = sample_rows(n, max(64, min(N_SAMPLED, MAX_SAMPLED_VALUES // max(1, source.n_columns))))
    # A slice of CSC columns costs a pass over the whole matrix either way; one is enough here.
    return chosen, rows(source.X, slice(0, n) if len(chosen) == n else chosen)


def look(source: Source, *, recorded_base: float | None = None) -> ValueReport:
    """Report on a matrix; `recorded_base` is what the object itself says of its logarithm."""
    chosen, X = sampled(source)
    sample = sparse.csr_matrix(X) if not sparse.issparse(X) else X.copy()
    sample.eliminate_zeros()
    values = np.asarray(sample.data, dtype=np.float64)
    finite = np.isfinite(values)
    n_nan = int(np.isnan(values).sum())
    first = ""
    if not finite.all():
        from sc_annotate._data.faults import first_not_finite

        first = first_not_finite(X, chosen, Place("", source.names, source.cells))
        sample.data = np.where(finite, sample.data, 0)
        sample.eliminate_zeros()
        values = values[finite]
    kind, base, evidence, target = detect(sample.astype(np.float64), values, recorded_base)
    if source.is_embedding:
        kind, base, evidence, target = "embedding", None, "a representation, taken as it is", None
    elif kind in ("log1p", "linear") and sample.nnz == sample.shape[0] * sample.shape[1] >= MANY_VALUES:
        evidence += "; no value is zero, as after smoothing or imputation, or in a model's output"
    has_zero = sample.nnz + len(finite) - finite.sum() < sample.shape[0] * sample.shape[1]
    seen = np.append(values, 0.0) if has_zero or not values.size else values
    return ValueReport(
        where=source.where,
        format=_format(source.X),
        dtype=str(source.X.dtype),
        n_cells=source.n_cells,
        n_genes=source.n_columns,
        n_sampled=len(chosen),
        kind=kind,
        base=base,
        evidence=evidence,
        target_sum=target,
        minimum=float(seen.min()),
        maximum=float(seen.max()),
        n_nan=n_nan,
        n_inf=int(len(finite) - finite.sum()) - n_nan,
        n_zero_cells=int((np.diff(sample.indptr) == 0).sum()),
        density=float(sample.nnz / max(1, sample.shape[0] * sample.shape[1])),
        first_not_finite=first,
    )


def _format(X: Any) -> str:
    if isinstance(X, SomeColumns):
        return _format(X.X)
    if sparse.issparse(X):
        return str(X.format)
    name = type(X).__name__.lower()
    if "csr" in name or "csc" in name:
        return f"{X.format}, on disk"
    if "dataset" in name or type(X).__module__.partition(".")[0] == "zarr":
        return "dense, on disk"
    return "dask" if hasattr(X, "compute") else "dense"
