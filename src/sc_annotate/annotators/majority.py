"""The most common type for every cell: the baseline of every method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sc_annotate._core.schema import Count
from sc_annotate._core.stored_arrays import Stored
from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._stored import rebuild
from sc_annotate.annotators.checks import check_fit, check_predict, need_fitted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Arrays, Matrix


@dataclass
class Majority(Annotator):
    """The shares of the types among the training cells, for every cell alike; looks at no gene.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.majority import Majority
    >>> X = np.zeros((4, 1), dtype=np.float32)
    >>> model = Majority().fit(X, np.array(["T", "T", "T", "B"]), genes=np.array(["CD3D"]))
    >>> model.predict_proba(X[:1]).tolist()
    [[0.25, 0.75]]
    """

    parallel: ClassVar[bool] = True

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Count the types; one type alone is allowed."""
        matrix, codes, self.classes_ = check_fit(X, y, genes, batch, min_classes=1)
        self.shares_: NDArray[np.float32] = (np.bincount(codes) / len(codes)).astype(np.float32)
        self.n_genes_: int = matrix.shape[1]
        return self

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """The same row for every cell."""
        need_fitted(self, "shares_")
        return np.tile(self.shares_, (check_predict(X, self.n_genes_).shape[0], 1))

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """The shares."""
        need_fitted(self, "shares_")
        return {"shares": self.shares_}, {"params": self.params(), "n_genes": self.n_genes_}

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any], classes: NDArray[np.str_]) -> Self:
        """Rebuild a fitted model."""
        shares = {"shares": Stored("f4", ("types",), low=0, high=1)}
        return rebuild(cls, arrays, meta, classes, declared=shares, state={"n_genes": Count})
