"""The labelled cells a model learns from, read and brought to the common scale, and the record of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from sc_annotate._core.arrays import in_memory
from sc_annotate._core.codec import check_texts
from sc_annotate._core.schema import Count, Keys, Name, Storable, Text
from sc_annotate._core.version import __version__
from sc_annotate._data import transform as scales
from sc_annotate._data.obs import no_type_notes, read_batches, read_labels, usable
from sc_annotate._data.read import open_counts, read_rows, total_counts
from sc_annotate.annotation.requests import MAX_CELLS
from sc_annotate.annotation.streaming import FullReference, learns_without_labels, some_learn_without_labels, streams
from sc_annotate.errors import InputError
from sc_annotate.evaluation.allocation import sample

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest, Source
    from sc_annotate._data.read import Input
    from sc_annotate._data.transform import Transform, Wanted
    from sc_annotate.annotation.joint import Joint
    from sc_annotate.annotation.requests import FitRequest
    from sc_annotate.annotation.unlabelled import UnlabelledRows
    from sc_annotate.evaluation import Unlabelled
    from sc_annotate.trust import Levels


@dataclass(frozen=True)
class Provenance:
    """Recorded when a model is fitted or converted, kept with it, and copied into each result.

    Attributes
    ----------
    labels_key
        Column of the reference's ``obs`` with the labels.
    params
        Parameters of the fit, as JSON can hold them; ``method_kwargs`` among them, with the method's defaults.
    n_cells, n_genes
        Cells learned from, and genes of the reference.
    values, genes
        What was found in the reference's matrix, and in its gene names (None for a representation).
    notes
        What was assumed, and what looked wrong.
    problems
        What to repeat whenever the model is used.
    uncalibrated
        Why there are no held-out cells, for a model that came without any.
    converted_from
        Description of the model that this one was converted from.
    versions
        Versions of the packages that decide about the numbers.
    """

    labels_key: Name
    params: Annotated[dict[str, Any], Keys({"method_kwargs": dict[str, Any]})]
    n_cells: Count
    n_genes: Count
    values: Annotated[dict[str, Any], Keys({"where": Text, "kind": Name})]
    genes: Annotated[dict[str, Any], Keys({"id_type": Name, "species": Name})] | None
    notes: list[Text]
    sparse: bool = False
    problems: list[Text] = field(default_factory=list)
    uncalibrated: Text | None = None
    converted_from: dict[str, Any] | None = None
    versions: Annotated[dict[str, Text], Storable()] = field(default_factory=lambda: versions())

    @property
    def method_kwargs(self) -> dict[str, Any]:
        """Parameters of the method."""
        found: dict[str, Any] = self.params["method_kwargs"]
        return found


def versions() -> dict[str, str]:
    """Versions of what decides about the numbers."""
    import platform
    from importlib.metadata import version

    packages = ("numpy", "scipy", "scikit-learn", "scanpy", "anndata")
    return {"sc_annotate": __version__, "python": platform.python_version()} | {p: version(p) for p in packages}


LEAST_OF_A_TYPE = 100


@dataclass(frozen=True)
class Training:
    """Cells x genes on the common scale, with one label a cell.

    `sampled` says which cells were drawn at random, and not added for the sake of their rare type: only these say how
    often a type occurs, so that scores and calibration come from them. `full_reference` is there where these cells are a sample,
    and the model itself is to be fitted on all, block by block. `counts` says where the counts of the same cells and genes
    are: a matrix, its rows and its columns.
    """

    X: Any
    y: NDArray[np.str_]
    batch: NDArray[np.str_] | None
    cells: NDArray[np.str_]
    names: dict[str, NDArray[np.str_]]
    input: Wanted
    panel: dict[str, NDArray[np.str_]] | None
    sampled: NDArray[np.bool_]
    full_reference: FullReference | None
    labels_key: str
    levels: Levels | None
    found: Input
    counts: tuple[Source, NDArray[np.intp], NDArray[np.intp]] | None
    notes: list[str]
    problems: list[str]
    unlabelled: Unlabelled | None = None
    """Cells without a label, where there are any and the method, or a baseline of it, learns from them too."""
    unlabelled_for_baselines: bool = False
    """Whether it is a baseline only that does."""
    joint: Joint | None = None
    """What a transductive method is fitted on in place of ``X``, the cells to be annotated among it."""
    beside: tuple[AnnData, LabelledCells, str] | None = None
    """Of an embedding: whose it is, so that the genes of the same cells can be read too."""

    @property
    def genes(self) -> NDArray[np.str_]:
        return self.names["var_names"]

    def unlabelled_for(self, method: str) -> Unlabelled | None:
        """The cells without a label, where they take part in what is compared with this method, or in its own fit."""
        return None if self.unlabelled_for_baselines and not learns_without_labels(method) else self.unlabelled


@dataclass(frozen=True)
class LabelledCells:
    """Which cells of an object to learn from, checked before its matrix is read.

    `labels_key` is the column of the finest level; `levels` says under which coarser labels all its types lie, those
    left out included, where several columns were named.
    """

    rows: NDArray[np.intp]
    sampled: NDArray[np.bool_]
    y: NDArray[np.str_]
    batch: NDArray[np.str_] | None
    labelled: NDArray[np.bool_]
    labels: NDArray[np.str_]
    labels_key: str
    levels: Levels | None
    notes: list[str]
    full_reference: tuple[NDArray[np.intp], NDArray[np.str_] | None] | None = None
    """Rows of all labelled cells, and their batches, where `rows` is a sample and all are to be learned from."""
    others: UnlabelledRows | None = None
    """Cells without a label that are learned from too."""


@dataclass(frozen=True)
class Columns:
    """Columns of a matrix to learn from, and those over which cells are normalised where some genes only were counted."""

    used: NDArray[np.intp]
    panel: NDArray[np.intp] | None


def labelled_cells(adata: AnnData, fit: FitRequest, found: Input | None = None, *, what: str) -> LabelledCells:
    """Read labels and batches and refuse what cannot be learned from; of more than ``fit.max_cells``, draw a sample.

    With ``max_cells=None``, where `found` is large and on disk and the method streams, the sample is for scores and trust
    only, and the rows of the others are kept for the fit.
    """
    names = fit.levels
    labels, labelled = read_labels(adata, names[-1], what=what)
    levels: Levels | None = None
    notes = [note for name in names for note in no_type_notes(adata, name, what=what)]
    taught = labelled
    if len(names) > 1:
        from sc_annotate.annotation.levels import read_levels, stray_cells

        strays, more = stray_cells(adata, names, labels, labelled, min_cells=fit.min_cells, what=what)
        taught, notes = labelled & ~strays, notes + more
    kept, more = usable(labels, taught, min_cells=fit.min_cells, key=names[-1], what=what)
    notes = more + notes
    if len(names) > 1:
        # Of an object that is its own reference, types that are left out keep their cells, and so their place.
        levels, more = read_levels(adata, names, labels, taught if what == "adata" else kept, what=what)
        notes += more
    batch = read_batches(adata, fit.batch_key, what=what)
    rows = np.flatnonzero(kept)
    sampled = np.ones(len(rows), dtype=bool)
    stream = found is not None and fit.max_cells is None and _large(found) and streams(str(fit.method))
    full_reference = (rows, None if batch is None else batch[rows]) if stream else None
    most = MAX_CELLS if stream else fit.max_cells
    if most is not None and len(rows) > most:
        types, codes = np.unique(labels[rows], return_inverse=True)
        least = max(LEAST_OF_A_TYPE, most // (4 * len(types)))
        drawn, sampled = sample(codes, most, np.random.default_rng(fit.rng), least=least)
        part = "scores, confidence and out-of-distribution scores were learned" if stream else "learned"
        notes.append(
            f"{part} from {len(drawn):,} of {len(rows):,} labelled cells of {what}: {most:,} drawn at random (max_cells), "
            f"and more of the types with fewer than {least:,} among them"
        )
        rows = rows[drawn]
    others = None
    if not labelled.all() and some_learn_without_labels(fit):
        from sc_annotate.annotation.unlabelled import choose_unlabelled

        others = choose_unlabelled(labelled, batch, fit, what=what)
    batch = None if batch is None else batch[rows]
    own = labels[rows]
    return LabelledCells(rows, sampled, own, batch, labelled, labels, names[-1], levels, notes, full_reference, others)


def _large(found: Input) -> bool:
    """Whether there is more of it, on disk, than is learned from in memory."""
    return not in_memory(found.source.X) and found.source.n_cells > MAX_CELLS


def is_panel(found: Input, totals: NDArray[np.float64] | None) -> bool:
    """Whether a matrix has the counts of some genes only, so that their sum is no library size."""
    return found.values.kind in ("counts", "linear") and totals is None and found.source.n_columns < scales.PANEL_GENES


def read_training(
    adata: AnnData,
    found: Input,
    cells: LabelledCells,
    matrix: MatrixRequest,
    *,
    wanted: Wanted,
    columns: Columns | None = None,
    what: str = "reference",
) -> Training:
    """Read the labelled rows; `columns` restricts the genes, and says over which ones to normalise."""
    totals = total_counts(adata, matrix.total_counts_key, what=what)
    used = np.arange(found.source.n_columns) if columns is None else columns.used
    panel = None if columns is None else columns.panel
    if panel is None and is_panel(found, totals) and wanted == "log":
        panel = used
    scale: Transform = scales.plan(
        found.values,
        what=what,
        wanted=wanted,
        stated=matrix.values,
        totals=totals,
        panel=panel,
        alternatives=found.alternatives,
    ).of(found.source, what)
    if found.source.is_embedding:
        wanted = "embedding"
    counts = open_counts(adata, found, what=what)
    others = None
    if cells.others is not None:
        from sc_annotate.annotation.unlabelled import read_unlabelled

        others = read_unlabelled(found.source, scale, used, cells.others, what=what)
    names = adata.obs_names[cells.rows]
    check_texts(names.tolist(), f"the index of {what}.obs", InputError)
    return Training(
        X=read_rows(found.source, scale, used, cells.rows, progress=f"reading {what}"),
        y=cells.y,
        batch=cells.batch,
        cells=np.asarray(names, dtype=str),
        names={k: v[used] for k, v in found.names.items()},
        input=wanted,
        panel=None if panel is None else {k: v[panel] for k, v in found.names.items()},
        sampled=cells.sampled,
        full_reference=_full_reference(found, cells, scale, used),
        labels_key=cells.labels_key,
        levels=cells.levels,
        found=found,
        counts=None if counts is None else (counts.source, cells.rows, used),
        notes=[*found.notes, *scale.notes, *(() if cells.others is None else (cells.others.note,))],
        problems=cells.notes,
        unlabelled=others,
        unlabelled_for_baselines=cells.others is not None and cells.others.for_baselines,
        beside=(adata, cells, what) if found.source.is_embedding else None,
    )


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
