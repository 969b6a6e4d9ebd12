"""An annotator behind a choice of variable genes, so that every fold chooses its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.annotators.variable_genes import variable_genes

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Matrix


@dataclass
class OnVariableGenes:
    """Choose genes on the training cells, then fit the annotator that `make` returns on those alone."""

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
    ) -> Self:
        """As of an annotator."""
        self.columns = variable_genes(X, self.n_top, batch)
        self.annotator = self.make().fit(X[:, self.columns], y, genes=genes[self.columns], batch=batch, rng=rng)
        self.classes_ = np.asarray(self.annotator.classes_)
        return self

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """As of an annotator."""
        return np.asarray(self.annotator.predict_proba(X[:, self.columns]))
