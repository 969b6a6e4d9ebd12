"""Bring blocks of expression values to one scale: natural log1p of counts per 10,000."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TARGET_SUM = 10_000.0
Block = Any


@dataclass(frozen=True)
class Transform:
    """Turns blocks of rows of one matrix into float32 on the common scale; never touches the block itself.

    What is on that scale already is handed on without a copy.

    ``unlog`` is the base of the logarithm the values have (None: no logarithm). With ``keep_totals`` logged
    values keep the totals they were made with; otherwise they are unlogged and normalised anew: by ``totals``
    (one number a cell), or by their sum over ``columns`` (None: all).
    """

    identity: bool = False
    unlog: float | None = None
    keep_totals: bool = False
    rescale: float = 1.0
    totals: NDArray[np.float64] | None = None
    columns: NDArray[np.intp] | None = None
    notes: list[str] = field(default_factory=list)

    def __call__(self, block: Block, where: slice | NDArray[np.intp]) -> Block:
        known = self.identity or (self.keep_totals and self.unlog == np.e and self.rescale == 1.0)
        out = block.astype(np.float32, copy=not known)
        if sparse.issparse(out) and out is not block and block.has_canonical_format:
            # Same entries, so it need not be looked at again.
            out.has_canonical_format = True
        values = out.data if sparse.issparse(out) else out
        with np.errstate(invalid="ignore", over="ignore"):
            # A sum takes a fraction of the time; one that is not finite may only have run over.
            finite = np.isfinite(values.sum()) or np.isfinite(values).all()
        if not finite:
            raise MatrixError(_not_finite(values))
        if self.identity:
            return out
        # Only a sample was looked at before.
        if values.size and values.min() < 0:
            raise MatrixError(
                "some values are negative, so they are neither counts nor their logarithms. "
                "Name the layer that holds those, or drop these cells."
            )
        if known:
            return out
        if self.unlog is not None and self.keep_totals:
            values *= np.float32(np.log(self.unlog))
            if self.rescale != 1.0:
                np.expm1(values, out=values)
                values *= np.float32(self.rescale)
                np.log1p(values, out=values)
            return out
        if self.unlog is not None:
            values *= np.float32(np.log(self.unlog))
            np.expm1(values, out=values)
        _divide_rows(out, self._totals(out, where))
        np.log1p(values, out=values)
        return out

    def _totals(self, block: Block, where: slice | NDArray[np.intp]) -> NDArray[np.float64]:
        part = block if self.columns is None else block[:, self.columns]
        sums = np.asarray(part.sum(axis=1, dtype=np.float64)).ravel()
        if self.totals is None:
            return sums
        totals = self.totals[where]
        short = int(np.sum(totals < sums * 0.999))
        if short:
            raise MatrixError(
                f"the total counts (total_counts_key) of {short} cells are smaller than the sum of their values, "
                "which cannot be. Name the column that holds the totals of these very values, not their logarithm."
            )
        return totals


def _divide_rows(block: Block, totals: NDArray[np.float64]) -> None:
    factor = np.divide(TARGET_SUM, totals, out=np.zeros_like(totals), where=totals > 0).astype(np.float32)
    if sparse.issparse(block):
        block.data *= np.repeat(factor, np.diff(block.indptr))
    else:
        block *= factor[:, None]


def _not_finite(values: NDArray[Any]) -> str:
    n_nan, n_inf = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    return (
        f"the matrix holds {n_nan} NaN and {n_inf} infinite values in a block of cells. "
        "Replace them (NaN from a join usually mean 0: `adata.X = np.nan_to_num(adata.X)`) or drop those cells."
    )
