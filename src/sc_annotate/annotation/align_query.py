"""A fitted linear model aligned to a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arrays import in_memory
from sc_annotate._core.settings import counted
from sc_annotate._data import read
from sc_annotate.annotation.alignment import LEAST, estimate, refuse_method
from sc_annotate.errors import InputError
from sc_annotate.trust.thinning import detected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.transform import Transform
    from sc_annotate.annotation.fitted import FittedModel, Query
    from sc_annotate.annotation.requests import PredictRequest
    from sc_annotate.trust import Shift

MOST = 10_000
"""Cells that a shift is estimated from; of more, the mean hardly changes."""
_BLOCK = 4_000
FARTHER = 2.0
"""Times the largest shift between batches of the reference, beyond which a query is another case than was tried."""

SHALLOW = 0.5
"""Share of shallow cells beyond which a query differs by its depth, not by a shift."""


@dataclass(frozen=True)
class WithoutShift:
    """A fitted annotator whose scores are without a shift of the query."""

    annotator: Any
    shift: Shift
    parallel: bool = True

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """As of the annotator."""
        found: NDArray[np.float32] = self.annotator.probabilities(self.shift.apply(self.annotator.decision(X)))
        return found


@dataclass(frozen=True)
class AlignedQuery:
    """How a query is aligned: ``annotator`` and ``shift`` are None where it is not; what is recorded, and what to report."""

    annotator: Any
    shift: Shift | None
    record: dict[str, Any]
    problems: list[str]


def align_query(
    query: Query, model: FittedModel, ask: PredictRequest, columns: NDArray[np.intp], scale: Transform, depth: Any
) -> AlignedQuery:
    """Estimate the shift of the cells without a label, where it is to be taken off.

    `columns` and `scale` are how the query comes to the model's genes and scale; `depth`, what is known of the number of
    detected genes, None where nothing is.
    """
    requested = ask.trust.align
    kept = model.alignment
    if requested == "shift":
        _refuse(model)
    why = _why_not(query, model, ask)
    if kept is None or why is not None:
        return _not_used(model, why or "the model has no means of its types")
    n, rows = len(query.rows), query.rows
    if n > MOST:
        rows = rows[np.sort(np.random.default_rng(ask.rng).choice(n, MOST, replace=False))]
    scores, mean, shown = _seen(query, model, columns, scale, rows)
    if depth is not None and requested == "auto":
        # Fewer molecules move each type in its own way.
        shallow = depth.shallow(shown)
        if shallow.mean() > SHALLOW:
            return _not_used(
                model, f"{shallow.mean():.0%} of the cells are shallower than nine tenths of the reference"
            )
    shift = estimate(model.annotator, scores, mean, kept.class_means, columns >= 0)
    record: dict[str, Any] = {
        "log_odds": shift.log_odds,
        "norm": shift.norm,
        "n_cells": len(rows),
        "rounds": shift.rounds,
        "composition": shift.composition,
        "genes": shift.genes,
    }
    far = kept.largest > 0 and shift.log_odds > FARTHER * kept.largest
    if far:
        words = f"the query is shifted by {shift.log_odds:.1f} in log-odds, held-out batches of the reference by {kept.largest:.1f} at most"
        if requested == "auto":
            return _not_used(model, words, **record)
    problems = [f"aligned although {words}: check the labels against markers"] if far else []
    if n < LEAST:
        problems.append(f"aligned to {counted(n, 'cell')}: of fewer than {LEAST} the mean says little about a shift")
    if requested == "shift" and not kept.use and model.trust is not None:
        problems.append("confidence and sets were learned without alignment, and the query was aligned (align='shift')")
    why = kept.why if requested == "auto" else "requested"
    return AlignedQuery(
        WithoutShift(model.annotator, shift), shift, {"used": True, "why": why, **record, **_learned(model)}, problems
    )


def _seen(
    query: Query, model: FittedModel, columns: NDArray[np.intp], scale: Transform, rows: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Scores of some cells, mean of each gene over them, and detected genes of each; few of the cells are held at a time."""
    scores, shown, total = [], [], np.zeros(len(columns))
    for part in np.array_split(rows, max(1, -(-len(rows) // _BLOCK))):
        cells = read.read_cells(query.found.source, scale, columns, model.means, part, progress="estimating the shift")
        scores.append(np.asarray(model.annotator.decision(cells), dtype=np.float64))
        shown.append(detected(cells[:, columns >= 0]))
        total += np.asarray(cells.sum(axis=0, dtype=np.float64)).ravel()
    return np.concatenate(scores), total / max(1, len(rows)), np.concatenate(shown)


def _why_not(query: Query, model: FittedModel, ask: PredictRequest) -> str | None:
    """Why a query is not aligned; None where it is."""
    requested, kept, n = ask.trust.align, model.alignment, len(query.rows)
    if n == 0:
        return "no cells"
    if requested == "shift":
        return None
    if requested is None:
        return "switched off"
    if kept is None:
        return "the model has no means of its types"
    if not kept.use:
        return kept.why
    if n < LEAST:
        return f"{counted(n, 'cell')}, fewer than {LEAST}"
    if not in_memory(query.found.source.X):
        return "the matrix is on disk or of Dask, and would be read twice; align='shift' asks for it"
    return None


def _not_used(model: FittedModel, why: str, **more: Any) -> AlignedQuery:
    kept, problems = model.alignment, []
    if kept is not None and kept.use and model.trust is not None:
        problems = [f"confidence and sets were learned with alignment, and the query was not aligned: {why}"]
    return AlignedQuery(None, None, {"used": False, "why": why, **more, **_learned(model)}, problems)


def _learned(model: FittedModel) -> dict[str, Any]:
    kept = model.alignment
    return {} if kept is None or not len(kept.held_out) else {"held_out": kept.held_out}


def _refuse(model: FittedModel) -> None:
    refuse_method(model.method, model.annotator)
    if model.alignment is None:
        raise InputError(
            "trust.align='shift' needs the means of the model's types, which models of earlier versions do not have. Fit it again "
            "with `sca.tl.fit_annotator`, or leave align out."
        )
