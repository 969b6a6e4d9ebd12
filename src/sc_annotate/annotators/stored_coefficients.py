"""A linear model from stored coefficients: it predicts and has evidence, but cannot be fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.sparse import csr_array, issparse

from sc_annotate.annotators._linear import LinearAnnotator, ordered
from sc_annotate.annotators.checks import check_predict
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.annotators._base import Matrix


@dataclass
class StoredSoftmax(LinearAnnotator):
    """Scores become probabilities by a softmax."""

    most_: ClassVar[NDArray[np.float32] | None] = None
    """The value of each gene above which it counts no more."""

    def limits(self) -> NDArray[np.float32] | None:
        """The value of each gene above which it counts no more, or None."""
        return self.most_

    def _limited(self, X: Matrix) -> Any:
        matrix: Any = check_predict(X, self.coef_.shape[1])
        if self.most_ is None:
            return matrix
        if not issparse(matrix):
            return np.minimum(matrix, self.most_)
        # A zero that is not stored lies below every limit.
        data = np.minimum(matrix.data, self.most_[matrix.indices])
        return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)

    def decision(self, X: Matrix) -> NDArray[np.float32]:
        """Scores before the link, cells x classes."""
        return super().decision(self._limited(X))

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Probabilities, cells x types, float32; the largest is that of the largest score where values have limits."""
        P = super().predict_proba(X)
        return P if self.most_ is None else ordered(P, self.decision(X))

    def gene_evidence(self, X: Matrix, codes: ArrayLike) -> Matrix:
        """How much each gene pushed each cell towards a type, its value limited as in the scores."""
        return super().gene_evidence(self._limited(X), codes)

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Refused: the coefficients are fixed."""
        raise MethodError("stored coefficients cannot be fitted. Choose a method of `sca.tl.methods()`.")


@dataclass
class StoredSigmoids(StoredSoftmax):
    """Scores become probabilities by a sigmoid each, divided by their sum."""

    link = "sigmoid"


def stored_coefficients(
    coef: ArrayLike, intercept: ArrayLike, classes: ArrayLike, *, link: str, limits: ArrayLike | None = None
) -> LinearAnnotator:
    """A model with these coefficients (types x genes), intercept, types, and limits of the genes' values."""
    kind: Any = StoredSigmoids if link == "sigmoid" else StoredSoftmax
    model: LinearAnnotator = kind()
    if limits is not None:
        # Set on the object: it differs between models, not between classes.
        vars(model).update(most_=np.asarray(limits, dtype=np.float32))
    model.classes_ = np.asarray(classes).astype(str)
    model.coef_ = np.ascontiguousarray(coef, dtype=np.float32)
    model.intercept_ = np.ascontiguousarray(intercept, dtype=np.float32)
    return model
