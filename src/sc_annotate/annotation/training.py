"""The labelled cells a model learns from, read from an AnnData and brought to the common scale."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._data import transform as scales
from sc_annotate._data.labels import read_batches, read_labels, usable
from sc_annotate._data.read import open_counts, read_rows, total_counts
from sc_annotate._data.stream import in_memory
from sc_annotate.annotation.levels import level_names, read_levels
from sc_annotate.annotation.streaming import FullReference, streams
from sc_annotate.errors import InputError
from sc_annotate.trust.sampling import sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import Source
    from sc_annotate._data.read import Input
    from sc_annotate._data.transform import Stated, Transform, Wanted
    from sc_annotate.trust import Levels


MAX_CELLS = 30_000
"""Reference cells that are learned from; beyond, more of them hardly change a model, and cost much."""
LEAST_OF_A_TYPE = 100


@dataclass(frozen=True)
class Training:
    """Cells x genes on the common scale, with one label a cell.

    `plain` says which cells are there as they came, and not for the sake of their rare type: only these say how often a
    type is met, so that scores and calibration come from them. `full_reference` is there where these cells are a sample, and the
    model itself is to be fitted on all, block by block. `counts` says where the counts of the same cells and genes are: a matrix, its rows and its columns.
    """

    X: Any
    y: NDArray[np.str_]
    batch: NDArray[np.str_] | None
    cells: NDArray[np.str_]
    names: dict[str, NDArray[np.str_]]
    input: Wanted
    panel: dict[str, NDArray[np.str_]] | None
    plain: NDArray[np.bool_]
    full_reference: FullReference | None
    labels_key: str
    levels: Levels | None
    found: Input
    counts: tuple[Source, NDArray[np.intp], NDArray[np.intp]] | None
    notes: list[str]
    problems: list[str]

    @property
    def genes(self) -> NDArray[np.str_]:
        return self.names["var_names"]


@dataclass(frozen=True)
class LabelledCells:
    """Which cells of an object to learn from, checked before its matrix is read.

    `labels_key` is the column of the finest level; `levels` says under which coarser labels all its types lie, those
    left out included, where several columns were named.
    """

    rows: NDArray[np.intp]
    plain: NDArray[np.bool_]
    y: NDArray[np.str_]
    batch: NDArray[np.str_] | None
    given: NDArray[np.bool_]
    labels: NDArray[np.str_]
    labels_key: str
    levels: Levels | None
    notes: list[str]
    full_reference: tuple[NDArray[np.intp], NDArray[np.str_] | None] | None = None
    """Rows of all labelled cells, and their batches, where `rows` is a sample and all are to be learned from."""


def labelled_cells(
    adata: AnnData,
    labels_key: str | Sequence[str],
    *,
    batch_key: str | None,
    min_cells: int | None,
    max_cells: int | None = None,
    stream: bool = False,
    rng: int = 0,
    what: str,
) -> LabelledCells:
    """Read labels and batches and refuse what cannot be learned from; of more than `max_cells`, draw a sample.

    With `stream`, the sample is for scores and trust only, and the others are remembered.
    """
    names = level_names(labels_key)
    labels, given = read_labels(adata, names[-1], what=what)
    levels, told = read_levels(adata, names, labels, given, what=what)
    kept, notes = usable(labels, given, min_cells=min_cells, key=names[-1], what=what)
    notes += told
    batch = read_batches(adata, batch_key, what=what)
    rows = np.flatnonzero(kept)
    plain = np.ones(len(rows), dtype=bool)
    full_reference = (rows, None if batch is None else batch[rows]) if stream else None
    if max_cells is not None and len(rows) > max_cells:
        types, codes = np.unique(labels[rows], return_inverse=True)
        least = max(LEAST_OF_A_TYPE, max_cells // (4 * len(types)))
        drawn, plain = sample(codes, max_cells, np.random.default_rng(rng), least=least)
        part = "scores, confidence and familiarity were learned" if stream else "learned"
        notes.append(
            f"{part} from {len(drawn):,} of {len(rows):,} labelled cells of {what}: {max_cells:,} drawn at random (max_cells), "
            f"and more of the types with fewer than {least:,} among them"
        )
        rows = rows[drawn]
    batch = None if batch is None else batch[rows]
    return LabelledCells(rows, plain, labels[rows], batch, given, labels, names[-1], levels, notes, full_reference)


def sample_size(adata: AnnData, found: Input, method: str, max_cells: int | None) -> tuple[int | None, bool]:
    """How many cells to draw, and whether the model itself is fitted on all of them from where they are."""
    large = not in_memory(found.source.X) and found.source.n_cells > MAX_CELLS
    if max_cells is None and large and streams(method):
        return MAX_CELLS, True
    return max_cells, False


def check_max_cells(max_cells: Any) -> None:
    """Refuse what is no number of cells."""
    if max_cells is not None and (
        isinstance(max_cells, bool) or not isinstance(max_cells, Integral) or max_cells < 100
    ):
        raise InputError(f"max_cells must be None or a whole number of at least 100, not {max_cells!r}.")


def _full_reference(
    found: Input, cells: LabelledCells, scale: Transform, columns: NDArray[np.intp]
) -> FullReference | None:
    if cells.full_reference is None:
        return None
    rows, batch = cells.full_reference
    codes, batches = (np.full(found.source.n_cells, -1, dtype=np.int32) for _ in range(2))
    classes, codes[rows] = np.unique(cells.labels[rows], return_inverse=True)
    if batch is not None:
        batches[rows] = np.unique(batch, return_inverse=True)[1]
    return FullReference(found.source, scale, columns, classes, codes, None if batch is None else batches)


def is_panel(found: Input, totals: NDArray[np.float64] | None) -> bool:
    """Whether a matrix has the counts of some genes only, so that their sum is no library size."""
    return found.values.kind in ("counts", "linear") and totals is None and found.source.n_columns < scales.PANEL_GENES


def read_training(
    adata: AnnData,
    found: Input,
    cells: LabelledCells,
    *,
    labels_key: str,
    wanted: Wanted,
    columns: NDArray[np.intp] | None = None,
    panel: NDArray[np.intp] | None = None,
    stated: Stated | None = None,
    total_counts_key: str | None = None,
    what: str = "reference",
) -> Training:
    """Read the labelled rows; `columns` restricts the genes, `panel` says over which ones to normalise."""
    totals = total_counts(adata, total_counts_key, what=what)
    if columns is None:
        columns = np.arange(found.source.n_columns)
    if panel is None and is_panel(found, totals) and wanted == "log":
        panel = columns
    scale: Transform = scales.plan(
        found.values,
        what=what,
        wanted=wanted,
        stated=stated,
        totals=totals,
        panel=panel,
        alternatives=found.alternatives,
    )
    if found.source.is_embedding:
        wanted = "embedding"
    counts = open_counts(adata, found, what=what)
    return Training(
        X=read_rows(found.source, scale, columns, cells.rows, progress=f"reading {what}"),
        y=cells.y,
        batch=cells.batch,
        cells=np.asarray(adata.obs_names[cells.rows], dtype=str),
        names={k: v[columns] for k, v in found.names.items()},
        input=wanted,
        panel=None if panel is None else {k: v[panel] for k, v in found.names.items()},
        plain=cells.plain,
        full_reference=_full_reference(found, cells, scale, columns),
        labels_key=labels_key,
        levels=cells.levels,
        found=found,
        counts=None if counts is None else (counts.source, cells.rows, columns),
        notes=[*found.notes, *scale.notes],
        problems=cells.notes,
    )
