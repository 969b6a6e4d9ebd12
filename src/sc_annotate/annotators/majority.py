"""The floor: every cell gets the training shares of the types, whatever its genes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._inputs import check_fit, check_predict, need_fitted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Arrays, Matrix


@dataclass
class Majority(Annotator):
    """The commonest type for every cell; a method that does not beat it has learned nothing."""

    if TYPE_CHECKING:
        share_: NDArray[np.float32]
        n_genes_: int

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Count the types."""
        data = check_fit(X, y, genes, batch, min_classes=1)
        self.classes_ = data.classes
        self.share_ = (np.bincount(data.codes) / len(data.codes)).astype(np.float32)
        self.n_genes_ = data.X.shape[1]
        return self

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """The training shares, for every cell."""
        need_fitted(self, "share_")
        return np.tile(self.share_, (check_predict(X, self.n_genes_).shape[0], 1))

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """The shares."""
        need_fitted(self, "share_")
        return {"share": self.share_}, {"n_genes": self.n_genes_}

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any], classes: NDArray[np.str_]) -> Self:
        """Rebuild a fitted model."""
        model = cls()
        model.classes_, model.share_, model.n_genes_ = np.asarray(classes).astype(str), arrays["share"], int(meta["n_genes"])
        return model
