"""Look at the values of a matrix: counts, logarithms (of which base), scaled, or broken."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from sc_annotate._core.matrix import rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._core.matrix import Source

Kind = Literal["counts", "log1p", "linear", "scaled", "negative", "zero", "embedding"]

N_SAMPLED = 512
# With tens of thousands of genes fewer cells are enough, and a dense sample stays small.
MAX_SAMPLED_VALUES = 6_000_000
# ln(1 + 1e6) is 13.8: a natural logarithm above this would mean more than a million per million.
MAX_NATURAL = 14.0
# log2(1 + 1e6) is 20: nothing above this is a logarithm of an expression value.
MAX_LOG = 24.0
BASES = {"e": np.e, "2": 2.0, "10": 10.0}


@dataclass(frozen=True)
class ValueReport:
    """What the values of a matrix are, judged from a sample of its cells.

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
    base: Literal["e", "2", "10"] | None
    evidence: str
    target_sum: float | None
    minimum: float
    maximum: float
    n_nan: int
    n_inf: int
    n_zero_cells: int
    density: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


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
    X = rows(source.X, slice(0, n) if len(chosen) == n else chosen)
    sample = sparse.csr_matrix(X) if not sparse.issparse(X) else X.copy()
    sample.eliminate_zeros()
    values = np.asarray(sample.data, dtype=np.float64)
    finite = np.isfinite(values)
    n_nan = int(np.isnan(values).sum())
    if not finite.all():
        sample.data = np.where(finite, sample.data, 0)
        sample.eliminate_zeros()
        values = values[finite]
    kind, base, evidence, target = _judge(sample.astype(np.float64), values, recorded_base)
    if source.is_embedding:
        kind, base, evidence, target = "embedding", None, "a representation, taken as it is", None
    has_zero = sample.nnz < sample.shape[0] * sample.shape[1]
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
        minimum=float(min(values.min(initial=np.inf), 0.0 if has_zero else np.inf)) if values.size or has_zero else 0.0,
        maximum=float(max(values.max(initial=-np.inf), 0.0 if has_zero else -np.inf)) if values.size or has_zero else 0.0,
        n_nan=n_nan,
        n_inf=int(len(finite) - finite.sum()) - n_nan,
        n_zero_cells=int((np.diff(sample.indptr) == 0).sum()),
        density=float(sample.nnz / max(1, sample.shape[0] * sample.shape[1])),
    )


def _format(X: Any) -> str:
    if sparse.issparse(X):
        return str(X.format)
    name = type(X).__name__.lower()
    if "csr" in name or "csc" in name:
        return f"{X.format}, on disk"
    if "dataset" in name:
        return "dense, on disk"
    return "dask" if hasattr(X, "compute") else "dense"


Verdict = tuple[Kind, Literal["e", "2", "10"] | None, str, float | None]


def _judge(sample: sparse.csr_matrix, values: NDArray[np.float64], recorded_base: float | None) -> Verdict:
    if values.size == 0:
        return "zero", None, "no value other than zero in the sampled cells", None
    scaled = _unit_variance(sample)
    if values.min() < 0:
        if scaled:
            return "scaled", None, "negative values, and the genes have standard deviation 1", None
        return "negative", None, "negative values, without the unit variance of scaled data", None
    if np.array_equal(values, np.rint(values)):
        return "counts", None, "whole numbers only", None
    totals = _constant_total(sample)
    if totals is not None:
        base, target = totals
        if base == "linear":
            return "linear", None, f"every cell adds up to {target:,.0f}", target
        return "log1p", base, f"before the logarithm every cell adds up to {target:,.0f}", target  # type: ignore[return-value]
    ladder = _ladder(sample)
    if ladder == "linear":
        return "linear", None, "multiples of one step in each cell, without a logarithm", None
    if ladder is not None:
        return "log1p", ladder, f"with base {ladder}, the values of a cell are multiples of one step", None  # type: ignore[return-value]
    # Dividing genes by their deviations breaks both signs above, which logarithms of few genes may well show.
    if scaled:
        return "scaled", None, "the genes have standard deviation 1", None
    if values.max() > MAX_LOG:
        return "linear", None, f"maximum {values.max():,.1f}, too large for a logarithm", None
    for name, base_value in BASES.items():
        if recorded_base is not None and np.isclose(recorded_base, base_value):
            return "log1p", name, "as recorded in uns['log1p']", None  # type: ignore[return-value]
    if values.max() > MAX_NATURAL:
        return "log1p", "2", f"maximum {values.max():.1f}, too large for a natural logarithm", None
    return "log1p", "e", "assumed: no sign of another base", None


def _unlog(values: NDArray[np.float64], base: str) -> NDArray[np.float64]:
    if base == "linear":
        return values
    return np.expm1(np.minimum(values, 60.0) * np.log(BASES[base]))


def _constant_total(sample: sparse.csr_matrix) -> tuple[str, float] | None:
    """The base in which all cells have the same total, and that total."""
    if sample.shape[0] < 3 or sample.shape[1] < 3:
        return None
    row = np.repeat(np.arange(sample.shape[0]), np.diff(sample.indptr))
    for base in ("e", "2", "10", "linear"):
        total = np.bincount(row, _unlog(sample.data, base), minlength=sample.shape[0])
        total = total[total > 0]
        if len(total) >= 3 and np.ptp(total) < 2e-3 * np.median(total):
            return base, float(np.median(total))
    return None


def _ladder(sample: sparse.csr_matrix) -> str | None:
    """The base in which the values of a cell are whole multiples of its smallest one.

    One molecule gives a cell its smallest value, so that unlogged values over it are molecule numbers. This
    tells the base even where only some genes are there and totals say nothing.
    """
    best, share = None, 0.9
    for base in ("e", "2", "10", "linear"):
        per_cell = []
        for start, stop in zip(sample.indptr[:-1], sample.indptr[1:], strict=True):
            unlogged = _unlog(sample.data[start:stop], base)
            if len(unlogged) < 10:
                continue
            steps = unlogged / unlogged.min()
            steps = steps[(steps > 1.5) & (steps < 20)]
            if len(steps) >= 5:
                per_cell.append(np.mean(np.abs(steps - np.rint(steps)) < 0.01))
        if len(per_cell) >= 3 and np.median(per_cell) > share:
            best, share = base, float(np.median(per_cell))
    return best


def _unit_variance(sample: sparse.csr_matrix) -> bool:
    """Whether nearly all genes have standard deviation 1, as ``scanpy.pp.scale`` leaves them."""
    if sample.shape[0] < 20:
        return bool(sample.nnz and sample.data.min() < 0)
    mean = np.asarray(sample.mean(axis=0)).ravel()
    square = np.asarray(sample.multiply(sample).mean(axis=0)).ravel()
    sd = np.sqrt(np.maximum(square - mean**2, 0))
    sd = sd[sd > 0]
    # Sampling, clipping at 10 and subsets of cells move it, hence the wide band.
    return len(sd) > 0 and bool(np.median(np.abs(sd - 1)) < 0.25) and bool(np.mean((sd > 0.4) & (sd < 1.7)) > 0.8)
