"""Multinomial logistic regression on scaled log values."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.sparse import issparse

from sc_annotate.annotators._inputs import check_fit, need_choice, need_positive
from sc_annotate.annotators._linear import LinearAnnotator
from sc_annotate.annotators._moments import as_dense, class_weights, inverse_or_zero, mean_and_sd, scale_columns
from sc_annotate.errors import ScAnnotateWarning

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Matrix

# Up to this many values (200 MB) the scaled matrix is centred, hence dense. The optimum is the same, because the
# intercept is not penalised, but the solver needs several times fewer iterations.
_DENSE_LIMIT = 50_000_000


@dataclass
class LogReg(LinearAnnotator):
    """Multinomial logistic regression on log values divided by their standard deviation.

    The bar for everything else: on small references few methods do better, and hardly one is as good on every data
    set and as fast. Scaling is folded into the coefficients, so a gene's coefficient is in log-odds per
    unit of ``log1p`` expression.

    Parameters
    ----------
    C
        Inverse strength of the L2 penalty, as in scikit-learn; smaller is smoother.
    class_weight
        ``"balanced"``: weight of a cell proportional to 1 / (size of its type); ``"sqrt"``: to the inverse square
        root of it; None: equal weights. Weights have mean 1. Balanced weights favour rare types.
    max_iter
        Steps of the solver (L-BFGS). A :class:`~sc_annotate.errors.ScAnnotateWarning` says when they were too few.
    tol
        The solver stops when the largest entry of the gradient is below this.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.logreg import LogReg
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = LogReg().fit(X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "CD3D"]))
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    C: float = 0.2
    class_weight: Literal["balanced", "sqrt"] | None = "balanced"
    max_iter: int = 1000
    tol: float = 1e-4

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Learn coefficients; deterministic, so `rng` changes nothing, and `batch` is not used."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        need_positive(self, "C", "max_iter", "tol")
        need_choice(self, "class_weight", ("balanced", "sqrt", None))
        matrix, codes, classes = check_fit(X, y, genes, batch)
        mean, sd = mean_and_sd(matrix)
        scale = inverse_or_zero(sd)
        center = np.zeros_like(mean)
        scaled: Any = scale_columns(matrix, scale)
        if not issparse(scaled) or scaled.shape[0] * scaled.shape[1] <= _DENSE_LIMIT:
            center = (mean * scale).astype(np.float32)
            scaled = as_dense(scaled) - center
        model = LogisticRegression(
            C=self.C, class_weight=class_weights(codes, self.class_weight), max_iter=self.max_iter, tol=self.tol
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(scaled, codes)
        if np.max(model.n_iter_) >= self.max_iter:
            warnings.warn(
                f"logreg stopped after max_iter={self.max_iter} steps before it converged; the model is usable. "
                "Give more steps, or a smaller C.",
                ScAnnotateWarning,
                stacklevel=2,
            )
        return self._set(classes, model.coef_, model.intercept_ - model.coef_ @ center, scale=scale)
