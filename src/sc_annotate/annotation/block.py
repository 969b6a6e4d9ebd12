"""What is predicted for each block of cells, wherever it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy import sparse

from sc_annotate._core.registry import capabilities_of
from sc_annotate._data.read import prepare
from sc_annotate._data.stream import each_block
from sc_annotate._store.slots import TOP_K
from sc_annotate.errors import InputError
from sc_annotate.trust import quality_measures
from sc_annotate.trust.thinning import detected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.read import Input
    from sc_annotate._data.transform import Transform
    from sc_annotate.annotation.applied import Applied
    from sc_annotate.annotation.fitted import FittedModel, Query
    from sc_annotate.annotation.requests import Keep
    from sc_annotate.annotators import AnnotatorLike
    from sc_annotate.annotators.celltypist import CellTypist
    from sc_annotate.trust import Familiarity, Levels, Profiles
    from sc_annotate.trust.grouping import Found
    from sc_annotate.trust.neighbourhood import Neighbourhood


def largest(proba: NDArray[np.float32], k: int) -> sparse.csr_matrix:
    """The `k` largest of each row, as CSR."""
    n, m = proba.shape
    k = min(k, m)
    columns = np.sort(np.argpartition(proba, m - k, axis=1)[:, m - k :], axis=1)
    values = np.take_along_axis(proba, columns, axis=1)
    return sparse.csr_matrix((values.ravel(), columns.ravel(), np.arange(0, n * k + 1, k)), shape=(n, m))


@dataclass(frozen=True)
class BlockPrediction:
    """What a model predicts for some cells; None for what was not requested.

    ``proba`` is dense, or CSR with the largest ones of each cell.
    """

    code: NDArray[np.int32]
    confidence: NDArray[np.float32]
    proba: Any
    zero: NDArray[np.bool_]
    set_size: NDArray[np.int32] | None
    familiarity: dict[str, NDArray[Any]] | None
    quality: dict[str, NDArray[np.float64]] | None
    trouble: str | None = None
    """Why the quality could not be measured."""
    group: NDArray[np.intp] | None = None
    level_confidence: NDArray[np.float32] | None = None
    """Probability of the label at each level, coarse to fine; only for a model of several."""
    unknown: NDArray[np.bool_] | None = None
    """Cells with so few detected genes that nothing is known of their confidence."""
    shallow: NDArray[np.bool_] | None = None
    """Cells with fewer detected genes than nearly all of the reference."""


@dataclass(frozen=True)
class PredictBlock:
    """A fitted model and how the query is brought to its genes and scale; small enough to be sent to other machines.

    ``neighbourhood_rows`` (ascending) and ``neighbourhood`` are the cells of the query that the others are compared with;
    ``groups`` are those of the query; ``profiles`` fits the columns of the counts that the model's genes have.
    """

    annotator: AnnotatorLike
    trust: Applied | None
    familiarity: Familiarity | None
    transform: Transform
    columns: NDArray[np.intp]
    fill: NDArray[np.float32]
    coverage: float
    neighbourhood_rows: NDArray[np.intp]
    neighbourhood: Neighbourhood | None
    keep: Keep
    check_quality: bool
    profiles: Profiles | None
    totals: NDArray[np.float64] | None
    groups: Found | None = None
    alone: bool = False
    """Whether a model without held-out cells says itself which cells it does not know."""
    levels: Levels | None = None
    level_powers: NDArray[np.float64] | None = None
    """What calibrates the coarser levels."""
    known: NDArray[np.float32] | None = None
    """Probabilities of all cells, from a method that has seen them when it was fitted."""

    def __call__(self, where: slice, block: Any, counts: Any = None) -> BlockPrediction:
        cells = prepare(block, where, self.transform, self.columns, self.fill)
        if self.known is None:
            # A third-party annotator may work in place, and the block may be the user's own.
            theirs = cells if capabilities_of(self.annotator).parallel else cells.copy()
            proba = np.asarray(self.annotator.predict_proba(theirs), dtype=np.float32)
        else:
            proba = self.known[where]
        own = self._own_genes(cells)
        seen, unknown, shallow = detected(own), None, None
        set_size = quality = trouble = None
        familiarity: dict[str, NDArray[Any]] | None = None
        if self.trust is not None:
            proba = self.trust.probabilities(proba, seen)
            unknown, shallow = ~self.trust.known(seen), self.trust.shallow(seen)
        code = proba.argmax(axis=1) if self.levels is None else self.levels.decide(proba)
        if self.trust is not None:
            sets = self.trust.sets(proba, seen, self.coverage)
            if self.levels is not None:
                # The label need not be the likeliest type, and is in its set nevertheless.
                sets[np.arange(len(code)), code] = True
            set_size = sets.sum(axis=1).astype(np.int32)
        if self.familiarity is not None:
            familiarity = self.familiarity.measure(cells, self.neighbourhood, self._own(where))
        elif self.alone:
            familiarity = {"unlike": cast("CellTypist", self.annotator).unlike(cells, self.columns >= 0)}
        if self.check_quality:
            try:
                quality = self._quality(where, block if counts is None else counts)
            except InputError as error:
                # A sample of the counts looked sound; that these do not is no reason to label no cells.
                trouble = str(error)
        of_levels = (
            None if self.levels is None else self.levels.confidence(proba, code, self.level_powers).astype(np.float32)
        )
        return BlockPrediction(
            code=code.astype(np.int32),
            confidence=proba[np.arange(len(code)), code],
            proba=proba if self.keep == "all" else largest(proba, TOP_K) if self.keep == "topk" else None,
            zero=self._zero(own),
            set_size=set_size,
            familiarity=familiarity,
            quality=quality,
            trouble=trouble,
            group=None if self.groups is None else self.groups.assign(cells),
            level_confidence=of_levels,
            unknown=unknown,
            shallow=shallow,
        )

    def _own(self, where: slice) -> NDArray[np.intp]:
        """The place of each of these cells among those compared with, -1 where it is none of them."""
        own = np.full(where.stop - where.start, -1, dtype=np.intp)
        low, high = np.searchsorted(self.neighbourhood_rows, [where.start, where.stop])
        own[self.neighbourhood_rows[low:high] - where.start] = np.arange(low, high)
        return own

    def _own_genes(self, cells: Any) -> Any:
        """Without the genes that the query lacks, which are filled in and say nothing about the cell itself."""
        return cells[:, self.columns >= 0] if (self.columns < 0).any() else cells

    def _zero(self, own: Any) -> NDArray[np.bool_]:
        """Cells without any value."""
        # No value on the common scale is below 0; those of an embedding are.
        return np.asarray((abs(own) if self.transform.identity else own).sum(axis=1)).ravel() == 0

    def _quality(self, where: slice, counts: Any) -> dict[str, NDArray[np.float64]]:
        totals = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel() if self.totals is None else self.totals[where]
        every = sparse.issparse(counts) and bool(counts.data.all())
        n_genes = np.diff(counts.indptr) if every else np.asarray((counts != 0).sum(axis=1)).ravel()
        present = self.columns[self.columns >= 0]
        genes = counts if np.array_equal(present, np.arange(counts.shape[1])) else counts[:, present]
        return quality_measures(genes, self.profiles, totals=totals, n_genes=n_genes)


@dataclass
class Gathered:
    """The results of all blocks, laid in their places."""

    code: NDArray[np.int32]
    confidence: NDArray[np.float32]
    zero: NDArray[np.bool_]
    proba: NDArray[np.float32] | None
    set_size: NDArray[np.int32] | None
    level_confidence: NDArray[np.float32] | None
    group: NDArray[np.int32] | None = None
    largest: list[Any] = field(default_factory=list)
    familiarity: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    quality: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    trouble: str | None = None
    unknown: NDArray[np.bool_] | None = None
    shallow: NDArray[np.bool_] | None = None


def gather(query: Query, model: FittedModel, task: PredictBlock, counts: Input | None) -> Gathered:
    """Run `task` over all blocks, on several threads where the method allows it."""
    n = query.found.source.n_cells
    out = Gathered(
        code=np.empty(n, dtype=np.int32),
        confidence=np.empty(n, dtype=np.float32),
        zero=np.zeros(n, dtype=bool),
        proba=np.empty((n, len(model.classes)), dtype=np.float32) if task.keep == "all" else None,
        set_size=None if model.trust is None else np.zeros(n, dtype=np.int32),
        unknown=None if model.trust is None else np.zeros(n, dtype=bool),
        shallow=None if model.trust is None else np.zeros(n, dtype=bool),
        level_confidence=None if model.levels is None else np.empty((n, len(model.levels.names)), dtype=np.float32),
        group=None if task.groups is None else np.empty(n, dtype=np.int32),
    )
    matrices = [query.found.source.X]
    if task.check_quality and counts is not None and counts.source.X is not query.found.source.X:
        matrices.append(counts.source.X)
    parallel = capabilities_of(model.annotator).parallel
    for where, part in each_block(task, matrices, progress="predicting", parallel=parallel):
        out.code[where], out.confidence[where], out.zero[where] = part.code, part.confidence, part.zero
        if out.proba is not None:
            out.proba[where] = part.proba
        elif part.proba is not None:
            out.largest.append(part.proba)
        if out.level_confidence is not None:
            out.level_confidence[where] = part.level_confidence
        if out.group is not None and part.group is not None:
            out.group[where] = part.group
        if out.set_size is not None and part.set_size is not None:
            out.set_size[where] = part.set_size
        if out.unknown is not None and out.shallow is not None:
            out.unknown[where], out.shallow[where] = part.unknown, part.shallow
        for into, measured in ((out.familiarity, part.familiarity), (out.quality, part.quality)):
            for name, values in (measured or {}).items():
                into.setdefault(name, np.empty(n, dtype=np.float32))[where] = values
        out.trouble = out.trouble or part.trouble
    return out
