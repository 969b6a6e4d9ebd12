"""Fit a method on more cells than memory holds: from sums over blocks in up to three passes, or by training on blocks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import registry
from sc_annotate._core.arrays import rows
from sc_annotate._core.registry import capabilities_of
from sc_annotate._data.stream import each_block
from sc_annotate.annotators.chosen_genes import GeneStatistics, OnChosenGenes, genes_from
from sc_annotate.annotators.covariance import Distances, is_formed
from sc_annotate.annotators.statistics import Statistics

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sc_annotate._data.matrix import Source
    from sc_annotate._data.transform import Transform
    from sc_annotate.annotation.requests import FitRequest


@dataclass(frozen=True)
class FullReference:
    """All labelled cells of a reference, where they are: a matrix, and the class and batch of its rows (-1: not used)."""

    source: Source
    transform: Transform
    genes: NDArray[np.intp]
    classes: NDArray[np.str_]
    codes: NDArray[np.int32]
    batches: NDArray[np.int32] | None


def streams(method: str) -> bool:
    """Whether a method can be fitted block by block: from sums, or by reading the cells again and again."""
    can = capabilities_of(registry.load(registry.get("annotation", method)))
    return bool(can.streams) or can.by_blocks


def learns_without_labels(method: str) -> bool:
    """Whether a method also learns from cells without a label."""
    return capabilities_of(registry.load(registry.get("annotation", method))).unlabelled


def some_learn_without_labels(fit: FitRequest) -> bool:
    """Whether a method does, or a baseline that it is scored beside: of a deep method `logreg_pca`, at its full strength."""
    method = str(fit.method)
    return learns_without_labels(method) or bool(fit.cv and registry.get("annotation", method).deep)


def fit_on_full_reference(
    make: Callable[[], Any], n_top: int | None, full: FullReference, names: NDArray[np.str_], rng: int
) -> OnChosenGenes | None:
    """As ``OnChosenGenes(make, n_top).fit`` on all cells; None where the method needs the cells themselves after all."""
    fitted = OnChosenGenes(make, n_top)
    n_genes, n_classes = len(names), len(full.classes)
    fitted.columns = np.arange(n_genes)
    if n_top is not None and n_top < n_genes:
        n_batches = 1 if full.batches is None else int(full.batches.max()) + 1
        found = _passed(full, fitted.columns, _ForGenes(n_classes, n_batches, n_genes), "choosing genes")
        fitted.columns = genes_from(found, n_top)
    annotator = make()
    can = capabilities_of(annotator)
    if can.by_blocks:
        fitted.annotator = _trained(annotator, full, fitted.columns, names, rng)
        fitted.classes_ = np.asarray(fitted.annotator.classes_)
        return fitted
    needs = can.streams
    products = "products" in needs
    if products and not is_formed(len(fitted.columns)):
        return None
    statistics = _passed(full, fitted.columns, _Sums(n_classes, len(fitted.columns), products), "adding up cells")
    more = {}
    if "distances" in needs:
        empty = Distances.around(statistics)
        more = {"distances": _passed(full, fitted.columns, _Far(empty.means, empty.scale), "measuring cells")}
    fitted.annotator = annotator.fit_statistics(statistics, classes=full.classes, **more)
    fitted.classes_ = np.asarray(fitted.annotator.classes_)
    return fitted


def _trained(annotator: Any, full: FullReference, columns: NDArray[np.intp], names: NDArray[np.str_], rng: int) -> Any:
    """The method trained on all cells, which are read block by block in each epoch."""
    from sc_annotate._data.row_blocks import row_blocks
    from sc_annotate.neural.batches import StreamedBlocks

    found = row_blocks(full.source.X)
    used = np.flatnonzero(full.codes >= 0)
    work = _Block(full.transform, full.genes[columns], full.codes, full.batches, _cells)
    cells = StreamedBlocks(
        read=lambda i: work(slice(int(found.starts[i]), int(found.starts[i + 1])), found.read(i)),
        starts=np.searchsorted(used, found.starts),
        codes=full.codes[used].astype(np.intp),
        n_genes=len(columns),
    )
    batch = None if full.batches is None else full.batches[used]
    return annotator.fit_blocks(cells, classes=full.classes, genes=names[columns], batch=batch, rng=rng)


def _cells(cells: Any, codes: NDArray[np.intp], batches: NDArray[np.intp]) -> Any:
    return cells


def _passed(full: FullReference, columns: NDArray[np.intp], add: Any, progress: str) -> Any:
    """One pass over all blocks."""
    work = _Block(full.transform, full.genes[columns], full.codes, full.batches, add)
    parts = (part for _, part in each_block(work, [full.source.X], progress=progress) if part is not None)
    return reduce(lambda whole, part: whole.merge(part), parts)


@dataclass(frozen=True)
class _Block:
    """The used cells of a block on the common scale, added up by `add`; None where there are none."""

    transform: Transform
    columns: NDArray[np.intp]
    codes: NDArray[np.int32]
    batches: NDArray[np.int32] | None
    add: Any

    def __call__(self, where: slice, block: Any) -> Any:
        used = np.flatnonzero(self.codes[where] >= 0)
        if not used.size:
            return None
        numbers = used + where.start
        cells = self.transform(rows(block, used), numbers)
        if not np.array_equal(self.columns, np.arange(cells.shape[1])):
            cells = cells[:, self.columns]
        batches = np.zeros(used.size, np.intp) if self.batches is None else self.batches[numbers].astype(np.intp)
        return self.add(cells, self.codes[numbers].astype(np.intp), batches)


@dataclass(frozen=True)
class _ForGenes:
    n_classes: int
    n_batches: int
    n_genes: int

    def __call__(self, cells: Any, codes: NDArray[np.intp], batches: NDArray[np.intp]) -> GeneStatistics:
        return GeneStatistics.empty(self.n_classes, self.n_batches, self.n_genes).update(cells, codes, batches)


@dataclass(frozen=True)
class _Sums:
    n_classes: int
    n_genes: int
    products: bool

    def __call__(self, cells: Any, codes: NDArray[np.intp], batches: NDArray[np.intp]) -> Statistics:
        return Statistics.empty(self.n_classes, self.n_genes, gram=self.products).update(cells, codes)


@dataclass(frozen=True)
class _Far:
    means: NDArray[np.float64]
    scale: NDArray[np.float64]

    def __call__(self, cells: Any, codes: NDArray[np.intp], batches: NDArray[np.intp]) -> Distances:
        return Distances(self.means, self.scale).update(cells, codes)
