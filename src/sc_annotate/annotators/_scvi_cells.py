"""Labelled cells and query as the models of scvi-tools need them: counts, numbered types and batches, one AnnData."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix, issparse, vstack

from sc_annotate.annotators.checks import check_fit, check_predict
from sc_annotate.errors import InputError, LabelError, MethodError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from numpy.typing import NDArray

BATCH, LABEL, UNLABELLED = "batch", "label", "unlabelled"
"""Columns of the AnnData, and the type of the cells of the query in it."""


@dataclass(frozen=True)
class Types:
    """Types of the labelled cells.

    Parameters
    ----------
    classes
        Names of all types, sorted.
    present
        Positions in `classes` of the types with a labelled cell that has counts.
    shares
        Share of each type among all labelled cells: what is said of cells without counts.
    """

    classes: NDArray[np.str_]
    present: NDArray[np.intp]
    shares: NDArray[np.float64]

    def completed(self, proba: NDArray[Any], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Probabilities of all types in all cells, from those of the types and cells that took part."""
        out = np.tile(self.shares, (len(seen), 1))
        known = np.zeros((len(proba), len(self.classes)))
        known[:, self.present] = np.clip(proba, 0, None)
        out[seen] = known / known.sum(axis=1, keepdims=True)
        return out.astype(np.float32)


@dataclass(frozen=True)
class Cells:
    """Cells with counts, the labelled ones first.

    Parameters
    ----------
    X
        Counts, cells x genes, CSR.
    codes
        Type of each labelled cell as a position in ``types.present``.
    batches
        Batch of each cell, numbered from 0; those of labelled cells come first.
    obsm
        Other values of each cell, cells x columns, by the name of the hyperparameter that asks for them.
    types
        Types of the labelled cells.
    seen
        Which cells of the query are here: those with at least one count.
    """

    X: csr_matrix
    codes: NDArray[np.intp]
    batches: NDArray[np.intp]
    obsm: dict[str, NDArray[np.float32]]
    types: Types
    seen: NDArray[np.bool_]

    @property
    def n_labelled(self) -> int:
        """Labelled cells; those of the query come after."""
        return len(self.codes)

    @property
    def query_batches(self) -> NDArray[np.intp]:
        """Batch of each cell of the query."""
        return self.batches[self.n_labelled :]

    def anndata(self, part: slice = slice(None)) -> AnnData:
        """Some of the cells as an object of their own, with names that no tool stumbles over."""
        import pandas as pd
        from anndata import AnnData

        width = len(str(self.X.shape[0]))
        texts = [f"type{code:0{width}d}" for code in self.codes]
        labels = np.array(texts + [UNLABELLED] * (self.X.shape[0] - len(texts)), dtype=object)
        batches = np.array([f"batch{number:0{width}d}" for number in self.batches], dtype=object)
        rows = np.arange(self.X.shape[0])[part]
        obs = pd.DataFrame(
            {BATCH: pd.Categorical(batches[rows]), LABEL: pd.Categorical(labels[rows])},
            index=[f"cell{i}" for i in rows],
        )
        var = pd.DataFrame(index=[f"gene{i}" for i in range(self.X.shape[1])])
        return AnnData(self.X[rows], obs=obs, var=var, obsm={name: values[rows] for name, values in self.obsm.items()})


class Side(NamedTuple):
    """The labelled cells, or the query, as ``fit`` is given them: what they count, their batches, values by hyperparameter."""

    X: Any
    batch: Any
    obsm: Mapping[str, NDArray[Any]]


def prepare(y: Any, genes: Any, known: Side, asked: Side) -> Cells:
    """Check what ``fit`` was given, and join it; nothing of it is modified."""
    matrix, codes, classes = check_fit(known.X, y, genes, known.batch)
    query = check_predict(asked.X, matrix.shape[1])
    if asked.batch is not None and len(asked.batch) != query.shape[0]:
        raise InputError(
            f"query_batch has {len(asked.batch)} entries and query has {query.shape[0]} cells. Hand in one a cell, or None."
        )
    labelled, unlabelled = counts(matrix, "X"), counts(query, "query")
    kept, seen = with_counts(labelled), with_counts(unlabelled)
    present, own = np.unique(codes[kept], return_inverse=True)
    if len(present) < 2:
        raise LabelError("y needs at least 2 types with a cell that has counts in these genes. Use more genes.")
    names = _names(known.batch, len(codes), "reference")[kept], _names(asked.batch, len(seen), "query")[seen]
    values = {
        name: np.concatenate([own[kept], asked.obsm[name][seen]]).astype(np.float32) for name, own in known.obsm.items()
    }
    return Cells(
        X=vstack([labelled[kept], unlabelled[seen]], format="csr"),
        codes=own.astype(np.intp),
        batches=_numbered(*names),
        obsm=values,
        types=Types(classes, present, np.bincount(codes, minlength=len(classes)) / len(codes)),
        seen=seen,
    )


def drawn(cells: Cells, most: int | None) -> int:
    """Labelled cells of an epoch in which no type has more than `most`."""
    return int(np.minimum(np.bincount(cells.codes), cells.n_labelled if most is None else most).sum())


def counts(X: Any, what: str) -> csr_matrix:
    """`X` as a CSR matrix, or an error where it holds anything but counts."""
    sparse = csr_matrix(X)
    wrong = (sparse.data < 0) | (sparse.data != np.rint(sparse.data))
    if wrong.any():
        raise MethodError(
            f"{what} holds {sparse.data[wrong][0]:.3g}, and counts are whole numbers from 0. Hand in counts that are neither "
            "normalised nor log-transformed, as in layers['counts'] or adata.raw of many objects."
        )
    return sparse


def with_counts(X: csr_matrix) -> NDArray[np.bool_]:
    """Which cells have a count."""
    return np.asarray(X.sum(axis=1)).ravel() > 0


def checked_obsm(
    given: Mapping[str, Any] | None, names: tuple[str, ...], n_cells: int, what: str
) -> dict[str, NDArray[np.float32]]:
    """The arrays of each of the named hyperparameters, or an error where one lacks or does not fit the cells."""
    given = given or {}
    if wrong := sorted(given.keys() ^ set(names)):
        raise MethodError(
            f"{what} must have an entry for each of {', '.join(names) or 'no hyperparameter'}, and no other; "
            f"wrong: {', '.join(wrong)}."
        )
    out = {}
    for name in names:
        values = given[name].toarray() if issparse(given[name]) else np.asarray(given[name], dtype=np.float32)
        if values.ndim != 2 or len(values) != n_cells or not values.shape[1]:
            raise MethodError(f"{what}[{name!r}] must be {n_cells} cells x columns, not {values.shape}.")
        if not np.isfinite(values).all():
            raise MethodError(f"{what}[{name!r}] has NaN or infinite values. Remove those cells.")
        out[name] = values.astype(np.float32)
    return out


def _names(batch: Any, n_cells: int, only: str) -> NDArray[Any]:
    # A pair, so that no name of a batch is taken for the one batch of cells that have none.
    names = [("", only)] * n_cells if batch is None else [("batch", str(each)) for each in batch]
    out = np.empty(n_cells, dtype=object)
    out[:] = names
    return out


def _numbered(labelled: NDArray[Any], unlabelled: NDArray[Any]) -> NDArray[np.intp]:
    order = {name: i for i, name in enumerate(sorted(set(labelled)))}
    for name in sorted(set(unlabelled)):
        order.setdefault(name, len(order))
    return np.array([order[name] for name in (*labelled, *unlabelled)], dtype=np.intp)
