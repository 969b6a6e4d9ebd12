"""Look at a sample of a matrix and report on its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core.arrays import rows
from sc_annotate._data.detect import detect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.detect import Base, Kind
    from sc_annotate._data.matrix import Source

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
    if sparse.issparse(X):
        return str(X.format)
    name = type(X).__name__.lower()
    if "csr" in name or "csc" in name:
        return f"{X.format}, on disk"
    if "dataset" in name or type(X).__module__.partition(".")[0] == "zarr":
        return "dense, on disk"
    return "dask" if hasattr(X, "compute") else "dense"
