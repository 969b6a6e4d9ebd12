"""One-vs-rest logistic regression on scaled and clipped values: the form of CellTypist's models."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.sparse import csr_array, issparse
from scipy.special import expit, softmax

from sc_annotate._core.arguments import need_count, need_positive
from sc_annotate._core.stored_arrays import Stored
from sc_annotate.annotators._linear import LinearAnnotator, ordered, two_columns
from sc_annotate.annotators._moments import as_dense, mean_and_sd
from sc_annotate.annotators._stored import rebuild
from sc_annotate.annotators.checks import check_fit, check_predict, need_fitted
from sc_annotate.annotators.linear_svm import again

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.annotators._base import Arrays, Matrix

# Within these ranges products do not overflow in float32.
_ARRAYS = {
    "weights": Stored("f8", ("types", "genes"), low=-1e9, high=1e9),
    "offset": Stored("f8", ("types",)),
    "mean": Stored("f8", ("genes",), low=-1e9, high=1e9),
    "scale": Stored("f8", ("genes",), low=1e-9, high=1e9),
}
CLIP = 10.0
"""A gene counts for at most so many standard deviations above its mean."""
# From which mean squared distance on, in standard deviations, a cell is unlike what the model learned from: so many times as
# far as a cell without values, within limits, as those cells are at 1 on average; and twice that where it fits a type.
_EMPTY, _LIMITS, _FITS = 1.9, (1.3, 3.0), 2.0


def shared_out(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that sum to 1: divided by their sum where that is above 1, else with the rest spread evenly."""
    total = scores.sum(axis=1, keepdims=True)
    return scores / np.maximum(total, 1.0) + np.maximum(1.0 - total, 0.0) / scores.shape[1]


@dataclass
class CellTypist(LinearAnnotator):
    """One logistic regression for each type against the rest, on scaled values, as CellTypist has it.

    A gene's value is its distance from the training mean in standard deviations, at most 10. The scores are a sigmoid a type;
    they need not sum to 1. Converted models have this form (:func:`sc_annotate.tl.convert_celltypist`); it can be fitted
    too, one versus rest as CellTypist was designed.

    Parameters
    ----------
    C
        Inverse strength of the L2 penalty, as in scikit-learn; smaller is smoother.
    max_iter
        Steps of the solver (L-BFGS). A :class:`~sc_annotate.errors.ScAnnotateWarning` says when they were too few.

    References
    ----------
    Dominguez Conde et al. 2022, Cross-tissue immune cell analysis reveals tissue-specific features in humans,
    `doi:10.1126/science.abl5197 <https://doi.org/10.1126/science.abl5197>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.celltypist import CellTypist
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = CellTypist().fit(X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "CD3D"]))
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    C: float = 1.0
    max_iter: int = 1000

    link = "sigmoid"
    joint: ClassVar[bool] = False
    """Whether the scores of all types were fitted together, so that their softmax is the probability."""

    if TYPE_CHECKING:
        weights_: NDArray[np.float64] = field(init=False)  # classes x genes, on scaled values
        offset_: NDArray[np.float64] = field(init=False)  # classes
        mean_: NDArray[np.float64] = field(init=False)  # genes
        scale_: NDArray[np.float64] = field(init=False)  # genes

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Learn one regression a type; `batch` and `rng` are not used."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        need_positive(self, "C")
        need_count(self, "max_iter")
        matrix, codes, classes = check_fit(X, y, genes, batch)
        mean, sd = mean_and_sd(matrix)
        scale = np.where(sd > 0, sd, 1.0)
        scaled = np.minimum((as_dense(matrix) - mean) / scale, CLIP)
        # Two types share one regression.
        targets = [1] if len(classes) == 2 else range(len(classes))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            fitted = [
                LogisticRegression(C=self.C, max_iter=self.max_iter).fit(scaled, codes == target) for target in targets
            ]
        again(caught, ConvergenceWarning, f"celltypist stopped after max_iter={self.max_iter} steps")
        weights = np.vstack([model.coef_ for model in fitted])
        return self.given(classes, weights, np.concatenate([model.intercept_ for model in fitted]), mean, scale)

    def given(
        self, classes: NDArray[np.str_], weights: Any, offset: Any, mean: Any, scale: Any, *, joint: bool = False
    ) -> Self:
        """Take over the weights of a fitted model: one row for each type, or a single one for two types."""
        if joint:
            # Set on the object: it differs between files, not between classes.
            vars(self).update(joint=True, link="softmax")
        weights, offset = two_columns(
            np.asarray(weights, dtype=np.float64), np.asarray(offset, dtype=np.float64), link="sigmoid"
        )
        self.classes_ = np.asarray(classes).astype(str)
        self.weights_, self.offset_ = np.ascontiguousarray(weights), np.ascontiguousarray(offset)
        self.mean_, self.scale_ = np.asarray(mean, dtype=np.float64), np.asarray(scale, dtype=np.float64)
        self.coef_, self.intercept_ = self.coefficients()
        return self

    def coefficients(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Coefficients (classes x genes) and intercept on values that are not scaled; right below the clip."""
        need_fitted(self, "weights_")
        coef = self.weights_ / self.scale_
        return coef.astype(np.float32), (self.offset_ - coef @ self.mean_).astype(np.float32)

    def limits(self) -> NDArray[np.float32] | None:
        """The value of each gene at ten standard deviations above its mean."""
        need_fitted(self, "mean_")
        return (self.mean_ + CLIP * self.scale_).astype(np.float32)

    def _clipped(self, X: Matrix) -> Any:
        """Values in float64, at most 10 standard deviations above the mean; sparse stays sparse.

        A value that is the float32 of the mean stands for a gene that the query lacks, and becomes the mean itself: it then
        adds nothing, to the last digit.
        """
        matrix: Any = check_predict(X, len(self.mean_))
        most, fill = self.mean_ + CLIP * self.scale_, self.mean_.astype(np.float32)
        if not issparse(matrix):
            return np.where(matrix == fill, self.mean_, np.minimum(matrix, most))
        # A zero that is not stored lies below every clip, as no mean is negative.
        column = matrix.indices
        data = np.where(matrix.data == fill[column], self.mean_[column], np.minimum(matrix.data, most[column]))
        return csr_array((data, column, matrix.indptr), shape=matrix.shape)

    def log_odds(self, X: Matrix) -> NDArray[np.float64]:
        """Log-odds of each type against the rest, cells x types, float64: CellTypist's decision matrix."""
        need_fitted(self, "weights_")
        coef = self.weights_ / self.scale_
        return np.asarray(self._clipped(X) @ coef.T) + (self.offset_ - coef @ self.mean_)

    def decision(self, X: Matrix) -> NDArray[np.float32]:
        """Log-odds of each type against the rest, cells x types, float32."""
        return self.log_odds(X).astype(np.float32)

    def scores(self, X: Matrix) -> NDArray[np.float64]:
        """A sigmoid a type, cells x types, float64: CellTypist's probability matrix. Rows do not sum to 1."""
        return np.asarray(expit(self.log_odds(X)))

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Scores made to sum to 1, cells x types, float32; the largest is that of the largest log-odds.

        Scores that sum to more than 1 are divided by their sum. Otherwise the rest is spread evenly over the types: a cell
        that fits no type gets no high probability, which division by the sum would give it.
        """
        odds = self.log_odds(X)
        P = (softmax(odds, axis=1) if self.joint else shared_out(expit(odds))).astype(np.float32)
        return ordered(P, odds)

    def unlike(self, X: Matrix, present: NDArray[np.bool_]) -> NDArray[np.float32]:
        """How far each cell lies from all that the model learned from; above 1, farther than nearly all of that.

        The mean squared distance from the training mean, in standard deviations of the genes that are `present` (1 for the
        average training cell), over a threshold. It grows in a cell with genes that the training cells hardly had, whatever
        its scores are.
        """
        matrix: Any = self._clipped(X)
        mean, weight = self.mean_[present], 1 / self.scale_[present] ** 2
        empty = mean**2 * weight
        if issparse(matrix):
            matrix = csr_array(matrix[:, np.flatnonzero(present)])
            column = matrix.indices
            more = matrix.data * (matrix.data - 2 * mean[column]) * weight[column]
            total = csr_array((more, column, matrix.indptr), shape=matrix.shape).sum(axis=1) + empty.sum()
        else:
            total = ((matrix[:, present] - mean) ** 2 * weight).sum(axis=1)
        n = max(1, len(mean))
        most = min(max(_EMPTY * float(empty.sum()) / n, _LIMITS[0]), _LIMITS[1])
        fits = np.zeros(len(total), dtype=bool) if self.joint else (self.log_odds(X) > 0).any(axis=1)
        return np.asarray(total / n / np.where(fits, _FITS * most, most), dtype=np.float32)

    def gene_evidence(self, X: Matrix, codes: ArrayLike) -> Matrix:
        """How much each gene pushed each cell towards a type, its value clipped as in the scores."""
        clipped: Any = self._clipped(X)
        return super().gene_evidence(clipped.astype(np.float32), codes)

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Weights, offsets, means and standard deviations in float64; the hyperparameters are the JSON part."""
        need_fitted(self, "weights_")
        arrays = {"weights": self.weights_, "offset": self.offset_, "mean": self.mean_, "scale": self.scale_}
        return arrays, {"params": self.params(), "joint": self.joint}

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any], classes: NDArray[np.str_]) -> Self:
        """Rebuild a fitted model; needs neither scikit-learn nor CellTypist."""
        model = rebuild(cls, arrays, meta, classes, declared=_ARRAYS, state={"joint": bool})
        return model.given(classes, model.weights_, model.offset_, model.mean_, model.scale_, joint=meta["joint"])
