"""The contributions of genes to the labels of a block of cells, summed by group."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, issparse

from sc_annotate._core.registry import capabilities_of
from sc_annotate._data.read import prepare
from sc_annotate.annotation.evidence.attention import AttentionSums, attention_sums, no_attention
from sc_annotate.annotation.evidence.faithful import Tested, first_genes
from sc_annotate.annotators.occlusion import occlusion
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sc_annotate._data.transform import Transform


@dataclass(frozen=True)
class Sums:
    """Sums over the cells of each group, groups x genes, and the number of cells for which the model predicts the stored label."""

    contribution: NDArray[np.float64]
    towards: NDArray[np.float64]
    against: NDArray[np.float64]
    value: NDArray[np.float64]
    expressed: NDArray[np.float64]
    agree: int
    tested: list[Tested]
    attention: AttentionSums

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class EvidenceSums:
    """Sums of a block of cells; each cell has a label (code of a type) and a group (-1: the cell is left out).

    Genes that the matrix lacks are set to their reference mean, and left out of the sums.
    """

    annotator: Any
    transform: Transform
    columns: NDArray[np.intp]
    fill: NDArray[np.float32]
    codes: NDArray[np.intp]
    group: NDArray[np.intp]
    n_groups: int
    tested: NDArray[np.bool_]
    saliency: str | None

    def __call__(self, where: slice, block: Any) -> Sums:
        chosen = np.flatnonzero(self.group[where] >= 0)
        present = self.columns >= 0
        if not len(chosen):
            none = np.zeros((self.n_groups, int(present.sum())))
            return Sums(none, none, none, none, none, 0, [], no_attention(*none.shape))
        cells = prepare(block, where, self.transform, self.columns, self.fill)[chosen]
        codes, group = self.codes[where][chosen], self.group[where][chosen]
        found = self._evidence(cells, codes, present)
        proba = np.asarray(self.predict(cells))
        own = cells if present.all() else cells[:, present]
        pushed, up, down = by_group(found, group, self.n_groups, (lambda v: v, lambda v: v > 0, lambda v: v < 0))
        value, expressed = by_group(own, group, self.n_groups, (lambda v: v, lambda v: v != 0))
        agree = int((proba.argmax(axis=1) == codes).sum())
        drawn = self.tested[where][chosen]
        tested = [first_genes(own[drawn], found[drawn], codes[drawn])] if drawn.any() else []
        attention = self._attention(cells, present, group)
        return Sums(pushed, up, down, value, expressed, agree, tested, attention)

    def _attention(self, cells: Any, present: NDArray[np.bool_], group: NDArray[np.intp]) -> AttentionSums:
        if not capabilities_of(self.annotator).attends:
            return no_attention(self.n_groups, int(present.sum()))
        return attention_sums(self.annotator.gene_attention(cells), cells, present, group, self.n_groups)

    def predict(self, cells: Any) -> Any:
        """Probabilities of the model."""
        return self.annotator.predict_proba(self._handed(cells))

    def _handed(self, cells: Any) -> Any:
        """A third-party annotator may work in place."""
        return cells if capabilities_of(self.annotator).parallel else cells.copy()

    def _evidence(self, cells: Any, codes: NDArray[np.intp], present: NDArray[np.bool_]) -> Any:
        """Evidence of the genes that are in the matrix, CSR or dense."""
        if not capabilities_of(self.annotator).evidence:
            found: Any = occlusion(self.predict, cells, codes, among=present)
        else:
            more = {} if self.saliency is None else {"saliency": self.saliency}
            found = self.annotator.gene_evidence(self._handed(cells), codes, **more)
        if getattr(found, "shape", None) != cells.shape:
            raise MethodError(
                f"gene_evidence of {type(self.annotator).__name__} gave the shape {getattr(found, 'shape', None)}, not one "
                f"number for each of {cells.shape[0]} cells and {cells.shape[1]} genes."
            )
        found = found if issparse(found) else np.asarray(found)
        if not np.isfinite(found.data if issparse(found) else found).all():
            raise MethodError(f"gene_evidence of {type(self.annotator).__name__} gave NaN or infinite numbers.")
        return found if present.all() else found[:, present]


def by_group(
    X: Any, group: NDArray[np.intp], n_groups: int, of: Sequence[Callable[[NDArray[Any]], NDArray[Any]]]
) -> list[NDArray[np.float64]]:
    """Sums over the cells of each group of some functions of the values that leave 0 as it is, groups x genes."""
    if not issparse(X):
        member = csr_matrix((np.ones(len(group)), (group, np.arange(len(group)))), shape=(n_groups, len(group)))
        return [np.asarray(member @ function(X), dtype=np.float64) for function in of]
    cells = csr_matrix(X)
    p = cells.shape[1]
    # One count over all values: a product of two sparse matrices takes five times as long.
    place = np.repeat(group * p, np.diff(cells.indptr)) + cells.indices
    sums = (np.bincount(place, weights=function(cells.data), minlength=n_groups * p) for function in of)
    return [np.asarray(one, dtype=np.float64).reshape(n_groups, p) for one in sums]
