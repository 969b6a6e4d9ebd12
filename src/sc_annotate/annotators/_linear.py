"""Models that end as coefficients and an intercept: predicting is one product, and saving is two arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from scipy.special import expit, softmax

from sc_annotate._core.stored_arrays import Stored
from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._linear_evidence import check_codes, linear_evidence
from sc_annotate.annotators._stored import rebuild
from sc_annotate.annotators.checks import check_predict, need_fitted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.annotators._base import Arrays, Matrix


COEFFICIENTS = {"coef": Stored("f4", ("types", "genes")), "intercept": Stored("f4", ("types",))}
"""Arrays of a linear model in a file."""


def two_columns(coef: NDArray[Any], intercept: NDArray[Any], *, link: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """One row a class. scikit-learn keeps a single row for two classes, that of the second.

    For a softmax link the first class gets zeros, so that the difference of the rows is the fitted one; for one
    sigmoid a class it gets the mirror image.
    """
    if len(coef) != 1:
        return coef, intercept
    first = -1.0 if link == "sigmoid" else 0.0
    return np.vstack([first * coef, coef]), np.concatenate([first * intercept, intercept])


def normalise(p: NDArray[Any]) -> NDArray[np.float32]:
    """Rows divided by their sums; a row of zeros becomes uniform."""
    p = np.asarray(p, dtype=np.float64)
    total = p.sum(axis=1, keepdims=True)
    uniform = np.full_like(p, 1.0 / p.shape[1])
    return np.divide(p, total, out=uniform, where=total > 0).astype(np.float32)


def ordered(P: NDArray[np.float32], score: NDArray[Any]) -> NDArray[np.float32]:
    """The probabilities, the largest of each row being that of the largest score.

    Sigmoids that are 0 or 1 in all digits are ordered by their scores: the largest becomes one bit larger. `P` is changed.
    """
    if len(P):
        rows, best = np.arange(len(P)), score.argmax(axis=1)
        tied = P.argmax(axis=1) != best
        P[rows[tied], best[tied]] = np.nextafter(P[tied].max(axis=1), np.float32(2))
    return P


@dataclass
class LinearAnnotator(Annotator):
    """Base of the linear annotators: a subclass writes ``fit``, which ends in :meth:`_set`."""

    parallel: ClassVar[bool] = True

    link: ClassVar[Literal["softmax", "sigmoid"]] = "softmax"
    """How scores become probabilities: softmax over classes, or a sigmoid a class divided by their sum."""

    if TYPE_CHECKING:
        # Classes x genes, on the values as given: scaling is folded in.
        coef_: NDArray[np.float32] = field(init=False)
        intercept_: NDArray[np.float32] = field(init=False)  # classes

    def _set(
        self,
        classes: NDArray[np.str_],
        coef: NDArray[Any],
        intercept: NDArray[Any],
        *,
        scale: NDArray[Any] | None = None,
    ) -> Self:
        """Keep a fitted model. `scale` is what each gene was multiplied by before fitting; it is folded in."""
        coef, intercept = two_columns(np.asarray(coef, np.float64), np.asarray(intercept, np.float64), link=self.link)
        if scale is not None:
            coef = coef * scale
        if self.link == "softmax":
            # The softmax does not see a shift shared by all classes; without it float32 loses less.
            coef, intercept = coef - coef.mean(axis=0), intercept - intercept.mean()
        self.classes_ = classes
        self.coef_ = np.ascontiguousarray(coef, dtype=np.float32)
        self.intercept_ = np.ascontiguousarray(intercept, dtype=np.float32)
        return self

    def decision(self, X: Matrix) -> NDArray[np.float32]:
        """Scores before the link, cells x classes."""
        need_fitted(self, "coef_")
        matrix = check_predict(X, self.coef_.shape[1])
        return np.asarray(matrix @ self.coef_.T, dtype=np.float32) + self.intercept_

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Probabilities, cells x types, float32, columns in ``classes_`` order."""
        return self.probabilities(self.decision(X))

    def probabilities(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities, float32, of the scores of :meth:`decision`."""
        score = np.asarray(scores, dtype=np.float64)
        return normalise(expit(score)) if self.link == "sigmoid" else softmax(score, axis=1).astype(np.float32)

    def coefficients(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Coefficients (classes x genes) and intercept of :meth:`decision`; a subclass with another one gives its own."""
        need_fitted(self, "coef_")
        return self.coef_, self.intercept_

    def limits(self) -> NDArray[np.float32] | None:
        """The value of each gene above which it counts no more, none below 0; None where there are no such limits."""
        return None

    def gene_evidence(self, X: Matrix, codes: ArrayLike) -> Matrix:
        """How much each gene pushed each cell towards a type: slope of the log-odds times the gene's value.

        The log-odds are those of the type against all others, before calibration, in natural units. Setting a gene to 0
        lowers them by this number: exactly so for two types and a softmax, to first order otherwise.

        Parameters
        ----------
        X
            Cells x genes, as for :meth:`predict_proba`.
        codes
            The type in question, one number a cell, in ``classes_`` order.

        Returns
        -------
        Cells x genes, float32, CSR where `X` is sparse; 0 wherever `X` is.

        References
        ----------
        Gradient times input: Shrikumar et al. 2016, Not just a black box, arXiv 1605.01713.
        """
        coef = self.coefficients()[0]
        matrix = check_predict(X, coef.shape[1])
        numbers = check_codes(codes, matrix.shape[0], len(coef))
        found: Matrix = linear_evidence(matrix, self.decision(matrix), coef, numbers, self.link)
        return found

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Coefficients and intercept; the hyperparameters are the JSON part."""
        need_fitted(self, "coef_")
        return {"coef": self.coef_, "intercept": self.intercept_}, {"params": self.params()}

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any], classes: NDArray[np.str_]) -> Self:
        """Rebuild a fitted model; needs neither the training data nor scikit-learn."""
        return rebuild(cls, arrays, meta, classes, declared=COEFFICIENTS)
