"""Multinomial logistic regression on principal components, which cells without a label may help to find."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
from scipy.sparse import csr_array, issparse, vstack

from sc_annotate._core.arguments import need_choice, need_count, need_positive
from sc_annotate._core.softmax_regression import Columns, Loss, Solver, softmax_regression
from sc_annotate._core.stored_arrays import Stored
from sc_annotate.annotators._linear import COEFFICIENTS, LinearAnnotator
from sc_annotate.annotators._moments import (
    Scaling,
    as_dense,
    class_weights,
    mean_and_factor,
    mean_and_sd,
    sparse_if_mostly_zero,
)
from sc_annotate.annotators._pca import fit_pca, project
from sc_annotate.annotators._stored import rebuild
from sc_annotate.annotators.checks import MANY_TYPES, check_fit, check_predict, need_fitted, need_not_negative
from sc_annotate.annotators.logreg import STEPS, USUAL, affordable_steps, choose_C, penalty
from sc_annotate.errors import InputError, MethodError, ScAnnotateWarning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.annotators._base import Arrays, Matrix

_ARRAYS = {**COEFFICIENTS, "limits": Stored("f4", ("genes",), low=0)}


@dataclass
class LogRegPCA(LinearAnnotator):
    """Multinomial logistic regression on principal components of all cells, labelled or not.

    The baseline to compare with where labels are few: the components are found without them, so cells without a label help
    as well, and few numbers are left to learn. Genes are divided by their standard deviation, their values clipped, and the
    components divided by one number: scaled to the same variance each, the last ones, mostly noise, would count as much as the
    first. The fitted model is linear in the clipped values, so it predicts with one product.

    Parameters
    ----------
    n_components
        Principal components (fewer where cells or genes are).
    sd_floor
        Genes are divided by their standard deviation, or by this where it is larger.
    clip
        A gene counts for at most so many of these units above its mean. Zeros stay zeros: nothing is clipped from below.
    C
        Inverse strength of the L2 penalty, as in scikit-learn; smaller is smoother. It refers to components with a mean
        variance of 1. None: 0.2 for up to 5,000 labelled cells; for more, the one of 0.2, 0.04, ..., 0.000064 with the best
        calibrated log loss on held-out cells, as of :class:`~sc_annotate.annotators.logreg.LogReg`. With more than 500 types
        always 0.2.
    class_weight
        ``"balanced"``: weight of a cell proportional to 1 / (size of its type); ``"sqrt"``: to the inverse square root of it;
        None: equal weights.
    max_iter
        Steps of the solver (L-BFGS). A :class:`~sc_annotate.errors.ScAnnotateWarning` says when they were too few. None:
        1,000, and fewer with more than 500 types.
    tol
        The solver stops when the largest entry of the gradient is below this.
    scaling
        ``"each"``: genes are divided each by its own standard deviation; ``"common"``: all columns by one number, so that the
        mean variance is 1. With ``use_rep`` the default is ``"common"``, as the last dimensions of an embedding, mostly noise,
        would else count as much as the first. Nothing is clipped
        then.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.logreg_pca import LogRegPCA
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = LogRegPCA().fit(X[::2], np.array(["B", "T"]), genes=np.array(["MS4A1", "CD3D"]), unlabelled=X[1::2])
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    unlabelled: ClassVar[bool] = True

    n_components: int = 50
    sd_floor: float = 0.1
    clip: float = 8.0
    C: float | None = None
    class_weight: Literal["balanced", "sqrt"] | None = "balanced"
    max_iter: int | None = None
    tol: float = 1e-4
    scaling: Literal["each", "common"] = "each"

    if TYPE_CHECKING:
        C_: float = field(init=False)  # the one that was used
        limits_: NDArray[np.float32] = field(init=False)  # genes: the values above which they count no more

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
    ) -> Self:
        """Find components of all cells, then coefficients of the labelled ones; `batch` serves the choice of `C` alone."""
        self._check()
        matrix, codes, classes = check_fit(X, y, genes, batch)
        n, k = len(codes), len(classes)
        cells = sparse_if_mostly_zero(_with(matrix, unlabelled, unlabelled_batch))
        mean, scale = mean_and_factor(cells, self.scaling, self.sd_floor)
        unit = np.inf if self.scaling == "common" else np.maximum(mean_and_sd(cells)[1], self.sd_floor)
        # No limit lies below 0, so that a sparse matrix stays sparse; that of a gene that does not vary is its value.
        most = mean + self.clip * unit
        self.limits_ = np.maximum(np.minimum(most, np.finfo(np.float32).max), 0).astype(np.float32)
        cells = clipped(cells, self.limits_)
        loadings, shift = fit_pca(cells, self.n_components, rng, scale=scale)
        places = project(cells, loadings, shift)
        spread = float(np.sqrt(np.square(places, dtype=np.float64).mean())) or 1.0
        own = places[:n]
        center = own.mean(axis=0, dtype=np.float64)
        columns = Columns(np.full(own.shape[1], 1 / spread), center)
        of_class = class_weights(codes, self.class_weight)
        weights = np.ones(k) if of_class is None else np.array(list(of_class.values()))
        many = k > MANY_TYPES
        if many:
            self.C_ = self.C or USUAL
        else:
            self.C_ = self.C or choose_C(own, codes, columns=columns, weights=weights, batch=batch, rng=rng)
        steps = self.max_iter or (affordable_steps(own, k) if many else STEPS)
        solver = Solver(steps, self.tol)
        model = softmax_regression(own, codes, k, Loss(penalty(self.C_, k), weights), columns=columns, solver=solver)
        if model.n_iter >= steps and not (many and self.max_iter is None):
            warnings.warn(
                f"logreg_pca stopped after max_iter={steps} steps before it converged; the model is usable. "
                "Give more steps, or a smaller C.",
                ScAnnotateWarning,
                stacklevel=2,
            )
        coef = model.coef / spread
        return self._set(classes, (loadings @ coef).T, model.intercept - (center + shift) @ coef)

    def _check(self) -> None:
        need_count(self, "n_components", *(["max_iter"] if self.max_iter is not None else []))
        need_positive(self, "clip", "tol", *(["C"] if self.C is not None else []))
        need_not_negative(self, "sd_floor")
        if not self.clip < np.inf:
            raise MethodError("LogRegPCA: clip must be finite. To clip nothing, pass clip=1e6.")
        need_choice(self, "class_weight", ("balanced", "sqrt", None))
        need_choice(self, "scaling", get_args(Scaling))

    def limits(self) -> NDArray[np.float32]:
        """The value of each gene above which it counts no more."""
        need_fitted(self, "limits_")
        return self.limits_

    def decision(self, X: Matrix) -> NDArray[np.float32]:
        """Scores before the link, cells x classes."""
        need_fitted(self, "limits_")
        return super().decision(clipped(check_predict(X, len(self.limits_)), self.limits_))

    def gene_evidence(self, X: Matrix, codes: ArrayLike) -> Matrix:
        """How much each gene pushed each cell towards a type through all components, its value clipped as in the scores."""
        need_fitted(self, "limits_")
        return super().gene_evidence(clipped(check_predict(X, len(self.limits_)), self.limits_), codes)

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Coefficients of the genes, intercept and limits; the hyperparameters and the `C` that was chosen are the JSON part."""
        arrays, meta = super().to_arrays()
        return arrays | {"limits": self.limits_}, meta | {"C": float(self.C_)}

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any], classes: NDArray[np.str_]) -> Self:
        """Rebuild a fitted model; needs neither the training data nor scikit-learn."""
        return rebuild(cls, arrays, meta, classes, declared=_ARRAYS, state={"C": float})


def clipped(X: Any, most: NDArray[np.float32]) -> Any:
    """A copy with no value above the limit of its gene; sparse stays sparse, as no limit lies below 0."""
    if not issparse(X):
        return np.minimum(X, most)
    return csr_array((np.minimum(X.data, most[X.indices]), X.indices, X.indptr), shape=X.shape)


def _with(matrix: Any, unlabelled: Any, batch: Any) -> Any:
    """The labelled cells first, then those without a label."""
    if unlabelled is None:
        return matrix
    more = check_predict(unlabelled, matrix.shape[1])
    if batch is not None and len(batch) != more.shape[0]:
        raise InputError(f"unlabelled_batch has {len(batch)} entries and unlabelled has {more.shape[0]} cells.")
    if issparse(matrix):
        return csr_array(vstack([matrix, csr_array(more)]))
    return np.concatenate([matrix, as_dense(more)])
