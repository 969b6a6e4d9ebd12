"""Look at a sample of a matrix and report on its values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from sc_annotate._core.arrays import SomeColumns, rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import Source


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
BASES: dict[Base, float] = {"e": math.e, "2": 2.0, "10": 10.0}


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


N_SAMPLED = 512
# With tens of thousands of genes fewer cells are enough, and a dense sample stays small.
MAX_SAMPLED_VALUES = 6_000_000


@dataclass(frozen=True)
class ValueReport:
    """What the values of a matrix are, detected from a sample of its cells.

    ``kind`` is ``counts`` (whole numbers), ``log1p``, ``linear`` (normalised, not logged), ``scaled`` (each
    gene to mean 0 or standard deviation 1), ``negative`` (negative but not scaled), ``zero`` or ``embedding``.
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


def sample_rows(n: int, size: int = N_SAMPLED) -> NDArray[np.intp]:
    """Row numbers spread evenly over the matrix, always the same, in short runs that a file reads fast."""
    if n <= size:
        return np.arange(n)
    starts = np.linspace(0, n - 16, size // 16).astype(np.intp)
    return np.unique((starts[:, None] + np.arange(16)).ravel())


def look(source: Source, *, recorded_base: float | None = None) -> ValueReport:
    """Report on a matrix; `recorded_base` is what the object itself says of its logarithm."""
    n = source.n_cells
    chosen = sample_rows(n, max(64, min(N_SAMPLED, MAX_SAMPLED_VALUES // max(1, source.n_columns))))
    # A slice of CSC columns costs a pass over the whole matrix either way; one is enough here.
    X: Any = rows(source.X, slice(0, n) if len(chosen) == n else chosen)
    sample = sparse.csr_matrix(X) if not sparse.issparse(X) else X.copy()
    sample.eliminate_zeros()
    values = np.asarray(sample.data, dtype=np.float64)
    finite = np.isfinite(values)
    n_nan = int(np.isnan(values).sum())
    if not finite.all():
        sample.data = np.where(finite, sample.data, 0)
        sample.eliminate_zeros()
        values = values[finite]
    kind, base, evidence, target = detect(sample.astype(np.float64), values, recorded_base)
    if source.is_embedding:
        kind, base, evidence, target = "embedding", None, "a representation, taken as it is", None
    has_zero = sample.nnz + len(finite) - finite.sum() < sample.shape[0] * sample.shape[1]
    seen = np.append(values, 0.0) if has_zero or not values.size else values
    return ValueReport(
        where=source.where,
        format=_format(source.X),
        dtype=str(source.X.dtype),
        n_cells=n,
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
