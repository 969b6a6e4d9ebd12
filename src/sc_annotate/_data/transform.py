"""Decide how the values that were seen become the common scale, or refuse them with an error that says what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from scipy import sparse

from sc_annotate._data.matrix import Place, Stated
from sc_annotate._data.signs import BASES, MAX_LOG
from sc_annotate.errors import InputError, MatrixError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import Source
    from sc_annotate._data.signs import Base
    from sc_annotate._data.values import ValueReport


TARGET_SUM = 10_000.0
LARGEST = 1e12
"""No gene has so many molecules, or their like in any unit, in one cell."""
Block = Any


@dataclass(frozen=True)
class Transform:
    """Turns blocks of rows of one matrix into float32 on the common scale; never touches the block itself.

    What is on that scale already is handed on without a copy, and places of sparse values always are.

    ``unlog`` is the base of the logarithm the values have (None: no logarithm). With ``keep_totals`` logged
    values keep the totals they were made with; otherwise they are unlogged and normalised again: by ``totals``
    (one number a cell), or by their sum over ``columns`` (None: all).
    """

    identity: bool = False
    unlog: float | None = None
    keep_totals: bool = False
    rescale: float = 1.0
    totals: NDArray[np.float64] | None = None
    columns: NDArray[np.intp] | None = None
    notes: list[str] = field(default_factory=list)
    place: Place | None = None

    def of(self, source: Source, what: str) -> Transform:
        """The same, with messages that name the matrix, its genes and its cells."""
        return replace(self, place=Place(f"{what}.{source.where}", source.names, source.cells))

    def __call__(self, block: Block, where: slice | NDArray[np.intp]) -> Block:
        known = self.identity or (self.keep_totals and self.unlog == math.e and self.rescale == 1.0)
        with np.errstate(over="ignore"):
            out = _as_float32(block, copy=not known)
        if sparse.issparse(out) and out is not block and block.has_canonical_format:
            # Same entries, so it need not be looked at again.
            out.has_canonical_format = True
        values = out.data if sparse.issparse(out) else out
        with np.errstate(invalid="ignore"):
            # NaN is the smallest and the largest of any values that it is among.
            low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
        # Only a sample was looked at before.
        largest = LARGEST if self.unlog is None else MAX_LOG
        if not (low > -np.inf and high <= largest):
            from sc_annotate._data.faults import fault

            raise MatrixError(fault(block, where, self.place, largest, logged=self.unlog is not None))
        if self.identity:
            return out
        if low < 0:
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


def _as_float32(block: Block, *, copy: bool) -> Block:
    """The values as float32; of sparse ones, where they stand is shared with the block, as it never changes."""
    if not (copy and hasattr(block, "indptr")):
        return block.astype(np.float32, copy=copy)
    return type(block)((block.data.astype(np.float32), block.indices, block.indptr), shape=block.shape, copy=False)


def _divide_rows(block: Block, totals: NDArray[np.float64]) -> None:
    factor = np.divide(TARGET_SUM, totals, out=np.zeros_like(totals), where=totals > 0).astype(np.float32)
    if sparse.issparse(block):
        block.data *= np.repeat(factor, np.diff(block.indptr))
    else:
        block *= factor[:, None]


__all__ = ["PANEL_GENES", "TARGET_SUM", "Stated", "Transform", "Wanted", "plan"]

# A count matrix of fewer genes is taken for a panel: its totals are not the cells' library sizes.
PANEL_GENES = 5_000

Wanted = Literal["log", "counts", "embedding"]


def plan(
    report: ValueReport,
    *,
    what: str,
    wanted: Wanted = "log",
    stated: Stated | None = None,
    totals: NDArray[np.float64] | None = None,
    panel: NDArray[np.intp] | None = None,
    alternatives: str = "Name the layer that holds counts or log-normalised values.",
) -> Transform:
    """How the matrix of a report becomes what is wanted; refuses what cannot be brought there.

    Parameters
    ----------
    report
        What was seen.
    what
        How the object is called in messages.
    stated
        What the user says the values are; replaces an assumption, and must not contradict what was measured.
    alternatives
        Where other values may be found, for messages.
    totals
        True total counts, one a cell.
    panel
        Columns over whose sum both sides are normalised, where one side has a panel of genes only.
    """
    _refuse(report, stated, what, alternatives)
    if wanted == "embedding" or report.kind == "embedding":
        return Transform(identity=True)
    kind, base, notes = _settle(report, stated, what)
    if wanted == "counts":
        if kind != "counts":
            raise MatrixError(
                f"this method needs counts, and {what}.{report.where} holds {kind} values ({report.evidence}). "
                f"{alternatives}"
            )
        return Transform(identity=True, notes=notes)
    unlog = BASES[base] if base is not None else None
    if "no value is zero" in report.evidence:
        notes.append(
            f"no value is zero in {what}.{report.where}: smoothed, imputed or modelled values, not measured ones"
        )
    if totals is not None and kind == "linear" and report.target_sum is not None:
        notes.append("total_counts_key not used: the values are normalised already")
        totals = None
    if totals is not None and kind != "log1p":
        return Transform(totals=totals, notes=[*notes, "normalised by total_counts_key"])
    if panel is not None:
        return Transform(
            unlog=unlog,
            columns=panel,
            notes=[
                *notes,
                f"each cell normalised to its sum over the {len(panel):,} shared genes, as not all genes were measured",
            ],
        )
    if kind == "log1p":
        return _from_log(report, unlog, base, notes, ignored=totals is not None)
    if report.n_genes < PANEL_GENES:
        notes.append(
            f"{what}.{report.where} holds {kind} of {report.n_genes:,} genes only: their sum replaces the cells' "
            "total counts (total_counts_key= names the true ones)"
        )
    notes.append(f"{kind} normalised to 10,000 a cell and logged")
    return Transform(notes=notes)


def _from_log(
    report: ValueReport, unlog: float | None, base: str | None, notes: list[str], *, ignored: bool
) -> Transform:
    if ignored:
        notes.append("total_counts_key not used: the values are logged already")
    rescale = 1.0
    if base != "e":
        notes.append(f"logarithm of base {base} converted to the natural one")
    if report.target_sum is not None and abs(report.target_sum / TARGET_SUM - 1) > 2e-3:
        rescale = TARGET_SUM / report.target_sum
        notes.append(f"rescaled from {report.target_sum:,.0f} to 10,000 a cell")
    elif report.target_sum is None:
        notes.append("total per cell before the logarithm unknown (not all genes are there); taken as 10,000")
    return Transform(unlog=unlog, keep_totals=True, rescale=rescale, notes=notes)


def _refuse(report: ValueReport, stated: Stated | None, what: str, alternatives: str) -> None:
    place = f"{what}.{report.where}"
    if report.n_nan or report.n_inf:
        raise MatrixError(
            f"{place} holds NaN or infinite values ({report.n_nan} NaN, {report.n_inf} infinite in {report.n_sampled} "
            f"sampled cells; the first is {report.first_not_finite}). Replace them (NaN from a join usually mean 0: `np.nan_to_num`) or drop those cells."
        )
    if report.kind == "mixed" and stated in (None, "counts"):
        raise MatrixError(
            f"{place}: {report.evidence}. Bring all cells to one scale before they are joined: take the counts of all, or log "
            f"those that are not (`sc.pp.normalize_total` and `sc.pp.log1p` on their part). {alternatives} If they are on one "
            "scale after all, say which with values=."
        )
    if report.kind == "scaled" and (report.minimum < 0 or stated is None):
        raise MatrixError(
            f"{place} is scaled ({report.evidence}), which cannot be undone. {alternatives}"
            + ("" if report.minimum < 0 else " If they are logarithms after all, say so with values='log1p'.")
        )
    if report.kind == "negative":
        raise MatrixError(
            f"{place} holds negative values (minimum {report.minimum:.3g}), as fold changes, residuals, scaled or "
            f"batch-corrected values do. {alternatives}"
        )
    if report.kind == "zero":
        raise MatrixError(f"{place} holds no value other than zero in the sampled cells. {alternatives}")


def _settle(report: ValueReport, stated: Stated | None, what: str) -> tuple[str, Base | None, list[str]]:
    if stated is None:
        return report.kind, report.base, []
    if stated not in get_args(Stated):
        raise InputError(f"values={stated!r} is unknown; choose one of {', '.join(get_args(Stated))}, or leave it out.")
    bases: dict[Stated, Base] = {"log1p": "e", "log2": "2", "log10": "10"}
    base = bases.get(stated)
    kind = "log1p" if base else stated
    # A standard deviation of 1 without negative values is weak evidence: logarithms of chosen genes may have it.
    assumed = report.kind in ("scaled", "mixed") or report.evidence.startswith(("assumed", "maximum", "as recorded"))
    if (kind, base) != (report.kind, report.base) and not (assumed and report.kind != "counts" and kind != "counts"):
        fix = "Leave values= out, or name another layer."
        if stated == "counts":
            fix = "Counts are whole numbers; for estimates of them say values='linear'."
        seen = report.kind if report.base is None else f"logarithms of base {report.base}"
        raise MatrixError(
            f"values={stated!r} was passed, but {what}.{report.where} holds {seen} ({report.evidence}). {fix}"
        )
    return kind, base, [f"taken as {stated}, as stated"]
