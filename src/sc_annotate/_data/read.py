"""From an AnnData to blocks of rows on the common scale: find the matrix, look at it, read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core.arrays import SomeColumns, check_layout, row_ordered, rows
from sc_annotate._core.settings import logger, settings, track
from sc_annotate._data import values
from sc_annotate._data.matrix import MatrixRequest, Source, check_adata, find
from sc_annotate._data.obs import check_column
from sc_annotate._data.stream import each_block
from sc_annotate._data.transform import plan
from sc_annotate._vocabulary import gene_names
from sc_annotate.errors import InputError, MatrixError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.transform import Transform
    from sc_annotate._data.values import ValueReport
    from sc_annotate._vocabulary.gene_names import GeneReport


@dataclass(frozen=True)
class Input:
    """A matrix of an AnnData that has been found and looked at."""

    source: Source
    values: ValueReport
    genes: GeneReport | None
    names: dict[str, NDArray[np.str_]]
    notes: list[str]
    alternatives: str = ""

    @property
    def left_out(self) -> dict[str, Any]:
        """What is recorded of features that are no genes; nothing where there are none."""
        found = self.source.features
        return {} if found is None else {"features": found.to_uns()}


def open_input(
    adata: AnnData, matrix: MatrixRequest | None = None, *, what: str = "adata", layer_argument: str = "layer"
) -> Input:
    """Find the matrix that is meant and look at it.

    With ``use_raw=None``, where ``X`` is scaled and ``.raw`` holds counts or log-normalised values, ``.raw`` is
    taken, and the notes say so.
    """
    found = _open(adata, matrix, what=what, layer_argument=layer_argument)
    for note in found.notes:
        logger.info(note)
    return found


def _open(adata: AnnData, matrix: MatrixRequest | None, *, what: str, layer_argument: str = "layer") -> Input:
    check_adata(adata, what=what)
    matrix = matrix or MatrixRequest()
    source = find(adata, layer=matrix.layer, use_raw=matrix.use_raw, use_rep=matrix.use_rep, what=what)
    _check_numbers(source, what)
    check_layout(source.X, f"{what}.{source.where}")
    report = values.look(source, recorded_base=recorded_base(adata))
    if report.kind == "mixed":
        from sc_annotate._data.mixed_scales import separating_column

        chosen, X = values.sampled(source)
        sample = sparse.csr_matrix(X).astype(np.float64)
        sample.eliminate_zeros()
        found = separating_column(adata, chosen, values.signs_of(sample))
        report = replace(report, evidence=report.evidence + found)
    notes = [] if source.features is None else [str(source.features)]
    by_default = matrix.layer is None and matrix.use_raw is None and matrix.use_rep is None
    if by_default and report.kind in ("scaled", "negative") and adata.raw is not None:
        raw = find(adata, use_raw=True, what=what)
        _check_numbers(raw, what)
        check_layout(raw.X, f"{what}.raw.X")
        raw_report = values.look(raw, recorded_base=recorded_base(adata))
        if raw_report.kind in ("counts", "log1p", "linear"):
            notes = [f"{what}.X is {report.kind}; {what}.raw ({raw_report.kind}) was taken instead"]
            notes += [] if raw.features is None else [str(raw.features)]
            source, report = raw, raw_report
    alternatives = _alternatives(adata, source, what, layer_argument)
    if source.is_embedding:
        return Input(source, report, None, {"var_names": source.names}, notes, alternatives)
    names = gene_names.named(source.names, source.var, matrix.gene_symbols, what=what)
    genes = gene_names.look(source.names, source.var, matrix.gene_symbols)
    return Input(source, report, genes, names, notes, alternatives)


def _check_numbers(source: Source, what: str) -> None:
    """Refuse what no file or method can take for numbers, before any of it is read."""
    X = source.X.X if isinstance(source.X, SomeColumns) else source.X
    if isinstance(X, np.ma.MaskedArray):
        raise MatrixError(f"{what}.{source.where} is a masked array; fill it first, for example with `.filled(0)`.")
    if np.dtype(X.dtype).kind not in "biuf":
        raise MatrixError(
            f"{what}.{source.where} holds values of type {X.dtype}, not numbers. Convert them first, for example with "
            f"`.astype('float32')`."
        )


def open_on_common_scale(adata: AnnData, matrix: MatrixRequest, *, what: str = "adata") -> tuple[Input, Transform]:
    """The matrix that is meant, and how blocks of it become log1p of counts per 10,000."""
    found = open_input(adata, matrix, what=what)
    return found, _common_scale(adata, matrix, found, what)


def open_quietly(adata: AnnData, matrix: MatrixRequest) -> tuple[Input, Transform]:
    """The same once more, without repeating in the log what was found."""
    found = _open(adata, matrix, what="adata")
    return found, _common_scale(adata, matrix, found, "adata")


def _common_scale(adata: AnnData, matrix: MatrixRequest, found: Input, what: str) -> Transform:
    totals = total_counts(adata, matrix.total_counts_key, what=what)
    return plan(
        found.values,
        what=what,
        stated=matrix.values,
        totals=totals,
        alternatives=found.alternatives,
    ).of(found.source, what)


def open_counts(adata: AnnData, found: Input, *, what: str = "adata") -> Input | None:
    """Counts of the genes that `found` has: the matrix itself, else ``layers["counts"]``; None where neither holds any."""
    if found.values.kind == "counts":
        return found
    if found.source.is_embedding or adata.layers.get("counts") is None:
        return None
    try:
        layer = _open(adata, MatrixRequest(layer="counts"), what=what)
    except InputError:
        # The caller did not name this layer, so whatever is wrong with it is no error.
        return None
    fits = layer.values.kind == "counts" and np.array_equal(layer.source.names, found.source.names)
    return layer if fits else None


def _alternatives(adata: AnnData, source: Source, what: str, layer_argument: str) -> str:
    """Which other values there are, for the messages that refuse the ones that were found."""
    layers = [name for name in adata.layers if name is not None and source.where != f"layers[{name!r}]"]
    places = [f"{layer_argument}={name!r}" for name in layers[:5]]
    if adata.raw is not None and source.where != "raw.X" and layer_argument == "layer":
        places.append("use_raw=True")
    if places:
        return f"{what} also has {', '.join(places)}: pass what holds counts or log-normalised values."
    return f"{what} has no other layer and no .raw: go back to the object as it was before, and keep its values there."


def recorded_base(adata: AnnData) -> float | None:
    """The base of the logarithm that ``uns["log1p"]`` names, as scanpy leaves it there."""
    recorded = adata.uns.get("log1p")
    base = recorded.get("base") if isinstance(recorded, Mapping) else None
    # Other entries there do not describe the values.
    return float(base) if isinstance(base, int | float | np.number) else None


def total_counts(adata: AnnData, key: str | None, *, what: str) -> NDArray[np.float64] | None:
    """The column of true total counts, checked."""
    if key is None:
        return None
    column = check_column(adata, key, argument="total_counts_key", what=what)
    try:
        totals = np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what}.obs[{key!r}] (total_counts_key) holds no numbers: {error}.") from error
    if not np.isfinite(totals).all() or (totals < 0).any():
        raise InputError(f"{what}.obs[{key!r}] (total_counts_key) holds negative, NaN or infinite totals.")
    return totals


def read_rows(
    source: Source, transform: Transform, columns: NDArray[np.intp], chosen: NDArray[np.intp], *, progress: str
) -> Any:
    """Chosen rows (ascending) and columns, transformed, in memory: CSR float32 where the matrix is sparse, else dense."""
    pick = _Pick(transform, columns, chosen)
    if hasattr(source.X, "dask"):
        # Rows cut out of many chunks would read each of them as often.
        found = (part for _, part in each_block(pick, [source.X], progress=progress))
        parts = [part for part in found if part is not None]
    else:
        X, size = row_ordered(source.X), settings.block_size
        pieces = [chosen[i : i + size] for i in range(0, len(chosen), size)]
        parts = [pick.take(rows(X, piece), piece) for piece in track(pieces, what=progress)]
    if len(parts) == 1:
        return sparse.csr_matrix(parts[0]) if sparse.issparse(parts[0]) else parts[0]
    return sparse.csr_matrix(sparse.vstack(parts)) if sparse.issparse(parts[0]) else np.concatenate(parts)


@dataclass(frozen=True)
class _Pick:
    """Takes the chosen rows and columns out of a block; None where it has none of them."""

    transform: Transform
    columns: NDArray[np.intp]
    chosen: NDArray[np.intp]

    def __call__(self, where: slice, block: Any) -> Any:
        low, high = np.searchsorted(self.chosen, [where.start, where.stop])
        inside = self.chosen[low:high]
        return self.take(rows(block, inside - where.start), inside) if len(inside) else None

    def take(self, cells: Any, numbers: NDArray[np.intp]) -> Any:
        """The columns of cells with these row numbers."""
        part = self.transform(cells, numbers)
        every = np.array_equal(self.columns, np.arange(part.shape[1]))
        return part if every else part[:, self.columns]


def prepare(
    block: Any, where: slice, transform: Transform, columns: NDArray[np.intp], fill: NDArray[np.float32]
) -> Any:
    """A block of rows as a model expects it: transformed, with the model's columns.

    ``columns[j]`` is the column of the matrix for the model's gene ``j``, or -1 where the matrix lacks that
    gene; such a gene gets ``fill[j]``, its mean in the reference, so that it speaks for no type.
    """
    part = transform(block, where)
    if len(columns) == part.shape[1] and np.array_equal(columns, np.arange(len(columns))):
        return part
    missing = columns < 0
    part = part[:, columns[~missing]]
    return part if not missing.any() else _filled(part, missing, fill)


def read_cells(
    source: Source,
    transform: Transform,
    columns: NDArray[np.intp],
    fill: NDArray[np.float32],
    chosen: NDArray[np.intp],
    *,
    progress: str,
) -> Any:
    """Chosen rows, ascending, with the columns that a model expects, as :func:`prepare` gives them."""
    missing = columns < 0
    part = read_rows(source, transform, columns[~missing], chosen, progress=progress)
    return part if not missing.any() else _filled(part, missing, fill)


def _filled(part: Any, missing: NDArray[np.bool_], fill: NDArray[np.float32]) -> Any:
    if not sparse.issparse(part):
        out = np.empty((part.shape[0], len(missing)), dtype=np.float32)
        out[:, ~missing], out[:, missing] = part, fill[missing]
        return out
    position = sparse.csr_matrix(
        (np.ones(part.shape[1], np.float32), (np.arange(part.shape[1]), np.flatnonzero(~missing))),
        shape=(part.shape[1], len(missing)),
    )
    constant = sparse.csr_matrix(np.where(missing, fill, 0).astype(np.float32)[None, :])
    return sparse.csr_matrix(part @ position + sparse.csr_matrix(np.ones((part.shape[0], 1), np.float32)) @ constant)


def check_representations(query: Source, reference_names: NDArray[np.str_], *, what: str) -> None:
    """A model of a representation needs the very same one."""
    if not np.array_equal(np.sort(query.names), np.sort(reference_names)):
        raise MatrixError(
            f"{what}.{query.where} has {query.n_columns} dimensions named {query.names[0]}...; the reference has "
            f"{len(reference_names)} named {reference_names[0]}... Compute both in one space before this call."
        )
