"""Cells without a label, for methods that learn from them too: which ones, and their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._data.read import read_rows
from sc_annotate.annotation.requests import MAX_CELLS
from sc_annotate.annotation.streaming import learns_without_labels
from sc_annotate.evaluation import Unlabelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import Source
    from sc_annotate._data.transform import Transform
    from sc_annotate.annotation.requests import FitRequest


@dataclass(frozen=True)
class UnlabelledRows:
    """Rows of cells without a label, ascending, their batches, and what is recorded of them."""

    rows: NDArray[np.intp]
    batch: NDArray[np.str_] | None
    note: str
    for_baselines: bool = False
    """Whether a baseline learns from them, and the method itself does not."""


def choose_unlabelled(
    labelled: NDArray[np.bool_], batch: NDArray[np.str_] | None, fit: FitRequest, *, what: str
) -> UnlabelledRows:
    """Cells without a label, at most ``fit.max_cells`` of them, drawn at random.

    Those with the label of a type that is left out are not among them. Without ``max_cells`` there are still no more than its
    default, as components of more hardly differ.
    """
    rows = np.flatnonzero(~labelled)
    n, most = len(rows), fit.max_cells or MAX_CELLS
    if n > most:
        rows = np.sort(np.random.default_rng(fit.rng).permutation(rows)[:most])
    whose = "of adata without a label, which are to be annotated," if what == "adata" else f"of {what} without a label"
    of_all = f"{len(rows):,} of the {n:,}" if len(rows) < n else f"{n:,}"
    beside = not learns_without_labels(str(fit.method))
    who = "the baseline logreg_pca" if beside else fit.method
    note = f"{of_all} cells {whose} took part in the fit of {who}: their values, no labels"
    return UnlabelledRows(rows, None if batch is None else batch[rows], note, beside)


def read_unlabelled(
    source: Source, scale: Transform, columns: NDArray[np.intp], cells: UnlabelledRows, *, what: str
) -> Unlabelled:
    """Their values, on the scale and with the genes of the labelled cells."""
    X = read_rows(source, scale, columns, cells.rows, progress=f"reading {what}, cells without a label")
    return Unlabelled(X, cells.batch)
