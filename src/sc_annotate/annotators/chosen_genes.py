"""The genes that a method sees: mostly those that vary, and some that tell the types apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import sparse

from sc_annotate._core.registry import capabilities_of
from sc_annotate.annotators.type_scores import TypeStatistics, too_many, type_scores
from sc_annotate.annotators.variable_genes import (
    VariableGeneStatistics,
    log_of_counts,
    variable_genes,
    variable_genes_from,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Matrix

ONE_IN = 4
"""So many genes for one that is chosen by the labels: a quarter did best on held-out batches within training sides."""


@dataclass(eq=False)
class GeneStatistics:
    """What `genes_from` needs of the cells, added up over blocks: how genes vary, and how they differ between types.

    `types` is None of more than 500 types, by which no genes are chosen.
    """

    spread: VariableGeneStatistics
    types: TypeStatistics | None

    @classmethod
    def empty(cls, n_types: int, n_batches: int, n_genes: int) -> Self:
        """Of no cells."""
        types = None if too_many(n_types) else TypeStatistics.empty(n_types, n_batches, n_genes)
        return cls(VariableGeneStatistics.empty(n_batches, n_genes), types)

    def update(self, X: Any, codes: NDArray[np.intp], batch_codes: NDArray[np.intp]) -> Self:
        """Add a block of cells, log values, with the type and batch of each, numbered from 0."""
        self.spread.update(X, batch_codes)
        if self.types is not None:
            self.types.update(X, codes, batch_codes)
        return self

    def merge(self, other: GeneStatistics) -> Self:
        """Add the statistics of other cells to these."""
        self.spread.merge(other.spread)
        if self.types is not None and other.types is not None:
            self.types.merge(other.types)
        return self


def genes_from(statistics: GeneStatistics, n_top: int | None) -> NDArray[np.intp]:
    """The columns that `choose_genes` would choose of the cells."""
    if n_top is None or n_top >= len(statistics.spread.sums[0]):
        return variable_genes_from(statistics.spread, n_top)
    scores = _scores(statistics.types)
    return _filled(variable_genes_from(statistics.spread, _by_spread(n_top, scores)), scores, n_top)


def choose_genes(
    X: Any,
    y: NDArray[np.str_],
    n_top: int | None,
    batch: NDArray[np.str_] | None = None,
    *,
    unlabelled: Any = None,
    unlabelled_batch: NDArray[np.str_] | None = None,
    counts: bool = False,
) -> NDArray[np.intp]:
    """Columns of the `n_top` genes that a method should see, ascending; all where there are no more, or `n_top` is None.

    Three quarters are the most variable ones (see `variable_genes`), the rest those of the others with the largest F statistic
    of the types within batches (see `type_scores`). With more than 500 types all are chosen by how they vary.

    Parameters
    ----------
    X, y, batch
        Labelled cells, log values, or `counts`, which are normalised and logged first; their types and batches.
    unlabelled, unlabelled_batch
        Cells without a label and their batches, which have a say in how genes vary.
    """
    if n_top is None or n_top >= X.shape[1]:
        return np.arange(X.shape[1])
    values = log_of_counts(X) if counts else X
    scores = _scores(TypeStatistics.of(values, y, batch))
    cells, batches = values, batch
    if unlabelled is not None:
        others = log_of_counts(unlabelled) if counts else unlabelled
        cells = sparse.vstack([values, others]) if sparse.issparse(values) else np.concatenate([values, others])
        known = batch is not None and unlabelled_batch is not None
        batches = np.concatenate([batch, unlabelled_batch]) if known else None
    return _filled(variable_genes(cells, _by_spread(n_top, scores), batches), scores, n_top)


def _scores(types: TypeStatistics | None) -> NDArray[np.float32] | None:
    return None if types is None else type_scores(types)


def _by_spread(n_top: int, scores: NDArray[np.float32] | None) -> int:
    return n_top if scores is None else n_top - n_top // ONE_IN


def _filled(chosen: NDArray[np.intp], scores: NDArray[np.float32] | None, n_top: int) -> NDArray[np.intp]:
    """The chosen columns, and the best of the others until there are `n_top`."""
    if scores is None or len(chosen) >= n_top:
        return chosen
    order = np.argsort(-scores, kind="stable")
    others = order[~np.isin(order, chosen)]
    return np.sort(np.concatenate([chosen, others[: n_top - len(chosen)]]))


@dataclass
class OnChosenGenes:
    """Choose genes on the training cells, then fit the annotator that `make` returns on those alone.

    Cells without a label take part in the choice of genes, and in the fit of an annotator that declares so: methods that are
    compared on the same cells then see the same genes. The cells that a transductive annotator is to label do not, as no other
    method would see them.
    """

    unlabelled: ClassVar[bool] = True

    make: Callable[[], Any]
    n_top: int | None
    annotator: Any = field(default=None, init=False)
    classes_: NDArray[np.str_] = field(default_factory=lambda: np.array([], str), init=False)
    columns: NDArray[np.intp] = field(default_factory=lambda: np.array([], np.intp), init=False)

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
        unlabelled: Matrix | None = None,
        unlabelled_batch: NDArray[np.str_] | None = None,
        **of_query: Any,
    ) -> Self:
        """As of an annotator; `of_query` is what a transductive one takes."""
        self.annotator, more = self.make(), of_query
        can = capabilities_of(self.annotator)
        self.columns = choose_genes(
            X,
            y,
            self.n_top,
            batch,
            unlabelled=unlabelled,
            unlabelled_batch=unlabelled_batch,
            counts=can.inputs == "counts",
        )
        if unlabelled is not None and can.unlabelled:
            more |= {"unlabelled": unlabelled[:, self.columns], "unlabelled_batch": unlabelled_batch}
        if "query" in more:
            more |= {"query": more["query"][:, self.columns]}
        self.annotator = self.annotator.fit(
            X[:, self.columns], y, genes=genes[self.columns], batch=batch, rng=rng, **more
        )
        self.classes_ = np.asarray(self.annotator.classes_)
        return self

    @property
    def transductive(self) -> bool:
        """As of the annotator."""
        return capabilities_of(self.make() if self.annotator is None else self.annotator).transductive

    def predict_query(self) -> NDArray[np.float32]:
        """As of a transductive annotator."""
        return np.asarray(self.annotator.predict_query(), dtype=np.float32)

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """As of an annotator."""
        return np.asarray(self.annotator.predict_proba(X[:, self.columns]))
