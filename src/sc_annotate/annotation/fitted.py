"""What predictions are made from: the cells, opened, the parts of a fitted model, and what of it is kept for evidence."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import registry
from sc_annotate._core.registry import capabilities_of

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.gene_match import GeneMatch
    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._data.read import Input
    from sc_annotate._data.transform import Transform
    from sc_annotate.annotation.alignment import Alignment
    from sc_annotate.annotation.held_out import Evaluation
    from sc_annotate.annotation.learn_trust import Trust
    from sc_annotate.annotation.training import LabelledCells, Provenance
    from sc_annotate.trust import Levels, Shift


MOST_NUMBERS = 4_000_000
"""Coefficients that are stored with a result at most: 16 MB."""


@dataclass(frozen=True)
class Query:
    """An AnnData whose cells are to be labelled, its matrix found and checked.

    `cells` says which of them are labelled already, where an object is its own reference; `problems` is what looked wrong
    beside the reference, and `matched_by` by which names of both the genes were found, where all of a reference were looked at.
    `proba` are the probabilities of `rows` from a transductive method.
    """

    adata: AnnData
    matrix: MatrixRequest
    found: Input
    cells: LabelledCells | None = None
    problems: list[str] = field(default_factory=list)
    matched_by: str | None = None
    proba: NDArray[np.float32] | None = None

    @property
    def labelled(self) -> NDArray[np.bool_] | None:
        """Cells that are already labelled; None where that was not checked."""
        return None if self.cells is None else self.cells.labelled

    @property
    def rows(self) -> NDArray[np.intp]:
        """Cells without a label."""
        labelled = self.labelled
        return np.arange(self.found.source.n_cells) if labelled is None else np.flatnonzero(~labelled)

    @property
    def known(self) -> NDArray[np.float32] | None:
        """`proba` among all cells; those that are labelled already, and keep their labels, have equal ones."""
        if self.proba is None:
            return None
        n_types = self.proba.shape[1]
        known = np.full((self.found.source.n_cells, n_types), 1 / n_types, dtype=np.float32)
        known[self.rows] = self.proba
        return known


@dataclass(frozen=True)
class Aligned:
    """The query on the genes and the scale of a model: the query's column of each of the model's genes, -1 where it lacks it."""

    shared: GeneMatch
    columns: NDArray[np.intp]
    scale: Transform
    totals: NDArray[np.float64] | None


@dataclass(frozen=True, repr=False)
class FittedModel:
    """What was fitted and from what; :class:`~sc_annotate.tl.AnnotationModel` describes the fields."""

    method: str
    classes: NDArray[np.str_]
    counts: NDArray[np.int64]
    names: dict[str, NDArray[np.str_]]
    means: NDArray[np.float32]
    input: str
    panel: dict[str, NDArray[np.str_]] | None
    provenance: Provenance
    evaluation: Evaluation | None
    annotator: Any
    trust: Trust | None
    levels: Levels | None = None
    level_scores: pd.DataFrame | None = None
    history: pd.DataFrame | None = None
    alignment: Alignment | None = None

    @cached_property
    def id(self) -> str:
        """Ten characters that change with the classes, the genes, the parameters or the fitted numbers."""
        digest = hashlib.sha256()
        for text in (
            self.method,
            *self.classes,
            *self.names["var_names"],
            json.dumps(self.provenance.params, sort_keys=True),
        ):
            digest.update(text.encode() + b"\0")
        if self.levels is not None:
            for text in (*self.levels.names, *self.levels.labels.ravel()):
                digest.update(str(text).encode() + b"\0")
        digest.update(self.means.tobytes())
        if not self.saves:
            # What keeps no arrays is identified by what it predicts: for one cell, or for those that it has seen.
            transductive = capabilities_of(self.annotator).transductive
            empty = np.zeros((1, len(self.means)), np.float32)
            found = self.annotator.predict_query() if transductive else self.annotator.predict_proba(empty)
            digest.update(np.asarray(found, np.float32).tobytes())
        for name, array in sorted(self._arrays().items()):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:10]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        own = self.annotator.to_arrays()[0] if self.saves else {}
        own |= {} if self.alignment is None else self.alignment.to_arrays()[0]
        return own | ({} if self.trust is None else self.trust.to_arrays()[0])

    @property
    def saves(self) -> bool:
        """Whether the method's state can be held in arrays, and so in a file."""
        return registry.get("annotation", self.method).saves and capabilities_of(self.annotator).saves


@dataclass(frozen=True)
class EvidenceModel:
    """The parts of a fitted model that evidence needs."""

    annotator: Any
    classes: NDArray[np.str_]
    names: dict[str, NDArray[np.str_]]
    means: NDArray[np.float32]
    input: str
    panel: dict[str, NDArray[np.str_]] | None


def kept_coefficients(model: FittedModel, shift: Shift | None = None) -> dict[str, Any]:
    """The entry ``coefficients`` of an annotation; empty for a model that is not linear, not of genes, or too large.

    What the `shift` of an aligned query adds to the scores is taken off the intercept.
    """
    if not capabilities_of(model.annotator).linear:
        return {}
    if model.input == "embedding" or len(model.means) * len(model.classes) > MOST_NUMBERS:
        return {}
    coef, intercept = model.annotator.coefficients()
    if shift is not None:
        intercept = shift.apply(intercept)
    entry: dict[str, Any] = {
        "genes": model.names["var_names"].astype(object),
        "values": np.ascontiguousarray(coef.T, dtype=np.float32),
        "intercept": np.asarray(intercept, dtype=np.float32),
        "link": str(model.annotator.link),
        "means": model.means,
        "input": model.input,
        "names": _lists(model.names),
    }
    # Methods of other packages may have none.
    limits = getattr(model.annotator, "limits", None)
    if limits is not None and (most := limits()) is not None:
        entry["limits"] = np.asarray(most, dtype=np.float32)
    if model.panel is not None:
        entry["panel"] = _lists(model.panel)
    return {"coefficients": entry}


def _lists(names: dict[str, NDArray[np.str_]]) -> dict[str, Any]:
    """Lists of names, numbered, and the names of the lists: these may not be valid keys of a file."""
    lists = {f"list_{i}": values.astype(object) for i, values in enumerate(names.values())}
    return {"list_names": np.array(list(names), dtype=object)} | lists
