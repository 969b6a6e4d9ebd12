"""What a transductive method is fitted on: the cells to be annotated beside the labelled ones, on the scale that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy import sparse

from sc_annotate._core import registry
from sc_annotate._core.registry import capabilities_of
from sc_annotate._data import transform as scales
from sc_annotate._data.matrix import find
from sc_annotate._data.obs import read_batches
from sc_annotate._data.read import open_counts, read_rows, total_counts
from sc_annotate.errors import InputError, MatrixError, MethodError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest, Source
    from sc_annotate._data.read import Input
    from sc_annotate._data.transform import Transform
    from sc_annotate.annotation.requests import FitRequest

NEW_BATCH = "adata"
"""The batch of cells to be annotated for which none is known."""


@dataclass(frozen=True)
class Cells:
    """Some cells of an object, opened: their rows, the columns of the genes that are used, and of those that cells are normalised over."""

    adata: AnnData
    found: Input
    matrix: MatrixRequest
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    panel: NDArray[np.intp] | None
    what: str


@dataclass(frozen=True)
class Joint:
    """Values that the method takes, and arrays of ``obsm`` by the hyperparameter that names them; of the cells to be annotated too."""

    X: Any
    obsm: dict[str, NDArray[np.float32]]
    query: Any
    query_batch: NDArray[np.str_] | None
    query_obsm: dict[str, NDArray[np.float32]]

    def passed(self, rows: NDArray[np.intp]) -> dict[str, Any]:
        """Arguments of ``fit`` beside `rows` of ``X``, their labels and batches."""
        return {
            "query": self.query,
            "query_batch": self.query_batch,
            "obsm": {name: values[rows] for name, values in self.obsm.items()},
            "query_obsm": self.query_obsm,
        }


def read_joint(
    fit: FitRequest, labelled: Cells, query: Cells, batch: NDArray[np.str_] | None
) -> tuple[Joint, list[str]]:
    """What the method takes, and notes; `batch` are those of the labelled cells."""
    name, params = str(fit.method), dict(fit.method_kwargs or {})
    method = registry.make("annotation", name, params)
    can = capabilities_of(method)
    if labelled.found.source.is_embedding:
        raise MethodError(
            f"{name} learns from genes, not from a representation. Leave use_rep out, or choose another method."
        )
    sides = []
    for side in (labelled, query):
        source, scale = _counts(name, side) if can.inputs == "counts" else _common_scale(side)
        X = read_rows(source, scale, side.columns, side.rows, progress=f"reading {side.what} for {name}")
        sides.append(sparse.csr_matrix(X) if can.inputs == "counts" else X)
    query_batch, notes = _query_batches(fit, query, batch, apart=labelled.adata is not query.adata)
    keys = {each: getattr(method, each) for each in can.obsm_params if getattr(method, each) is not None}
    both = {each: _arrays(key, each, labelled, query) for each, key in keys.items()}
    values = "counts" if can.inputs == "counts" else "values"
    joint = Joint(
        X=sides[0],
        obsm={each: own for each, (own, _, _) in both.items()},
        query=sides[1],
        query_batch=query_batch,
        query_obsm={each: theirs for each, (_, theirs, _) in both.items()},
    )
    took_part = f"the {len(query.rows):,} cells of adata to be annotated took part in the fit of {name}: their {values}, no labels"
    return joint, [took_part, *notes, *(note for _, _, more in both.values() for note in more)]


def _common_scale(side: Cells) -> tuple[Source, Transform]:
    totals = total_counts(side.adata, side.matrix.total_counts_key, what=side.what)
    plan = scales.plan(
        side.found.values,
        what=side.what,
        stated=side.matrix.values,
        totals=totals,
        panel=side.panel,
        alternatives=side.found.alternatives,
    )
    return side.found.source, plan.of(side.found.source, side.what)


def _counts(name: str, side: Cells) -> tuple[Source, Transform]:
    counts = open_counts(side.adata, side.found, what=side.what)
    if counts is None:
        found = side.found
        raise MatrixError(
            f"{name} needs counts, and {side.what}.{found.source.where} holds {found.values.kind} values "
            f"({found.values.evidence}); {side.what}.layers['counts'] has none for the same genes. {found.alternatives}"
        )
    plan = scales.plan(counts.values, what=side.what, wanted="counts", alternatives=counts.alternatives)
    return counts.source, plan.of(counts.source, side.what)


def _query_batches(
    fit: FitRequest, query: Cells, batch: NDArray[np.str_] | None, *, apart: bool
) -> tuple[NDArray[np.str_] | None, list[str]]:
    """Batches of the cells to be annotated; those of another object are other ones, whatever their names."""
    if batch is None:
        return None, []
    key = fit.batch_key
    if apart and key not in query.adata.obs:
        alone = np.full(len(query.rows), NEW_BATCH)
        while np.isin(alone[0], batch):
            alone = np.char.add(alone, "_")
        return alone, [f"adata.obs has no column {key!r} (batch_key): its cells were taken for one batch"]
    own = cast("NDArray[np.str_]", read_batches(query.adata, key, what="adata"))[query.rows]
    if not apart or not (same := np.intersect1d(own, batch)).size:
        return own, []
    while np.isin(own, batch).any():
        own = np.char.add("adata ", own)
    shown = ", ".join(same[:3]) + (", ..." if len(same) > 3 else "")
    return own, [f"batches of one name in adata and the reference ({shown}) were taken for different ones"]


def _arrays(
    key: Any, param: str, labelled: Cells, query: Cells
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[str]]:
    """The entry of ``obsm`` of both sides, with the columns that both have, in the order of the reference."""
    found = []
    for side in (labelled, query):
        if not isinstance(key, str) or key not in side.adata.obsm:
            have = ", ".join(map(repr, side.adata.obsm)) or "none"
            raise InputError(f"{side.what}.obsm has no {key!r} ({param}); there are: {have}.")
        source = find(side.adata, use_rep=key, what=side.what)
        X = source.X.toarray() if sparse.issparse(source.X) else np.asarray(source.X)
        if X.dtype.kind not in "biuf" or not np.isfinite(X[side.rows]).all():
            raise MatrixError(
                f"{side.what}.{source.where} ({param}) must hold finite numbers. Fill or drop what is missing."
            )
        found.append((source.names, X[side.rows].astype(np.float32)))
    (names, own), (theirs, other) = found
    shared = [name for name in names.tolist() if name in set(theirs.tolist())]
    if not shared:
        raise InputError(
            f"obsm[{key!r}] ({param}) of {labelled.what} and {query.what} share no column: {labelled.what} has {names[0]}, ..., "
            f"{query.what} has {theirs[0]}, .... Give the columns the same names, as DataFrames in obsm have them."
        )
    notes = []
    if len(shared) < max(len(names), len(theirs)):
        notes = [
            f"{len(shared):,} columns of obsm[{key!r}] are in both objects ({len(names):,} and {len(theirs):,}) and were used"
        ]
    mine = [names.tolist().index(name) for name in shared]
    yours = [theirs.tolist().index(name) for name in shared]
    return own[:, mine], other[:, yours], notes
