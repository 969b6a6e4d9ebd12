"""A linear model from stored coefficients: it predicts and has evidence, but cannot be fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.annotators._linear import LinearAnnotator
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.annotators._base import Matrix


@dataclass
class StoredSoftmax(LinearAnnotator):
    """Scores become probabilities by a softmax."""

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


def stored_coefficients(coef: ArrayLike, intercept: ArrayLike, classes: ArrayLike, *, link: str) -> LinearAnnotator:
    """A model with these coefficients (types x genes), intercept and types."""
    kind: Any = StoredSigmoids if link == "sigmoid" else StoredSoftmax
    model: LinearAnnotator = kind()
    model.classes_ = np.asarray(classes).astype(str)
    model.coef_ = np.ascontiguousarray(coef, dtype=np.float32)
    model.intercept_ = np.ascontiguousarray(intercept, dtype=np.float32)
    return model
