"""Linear discriminant analysis with a shrunken covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from sc_annotate.annotators._covariance import WithinCovariance, conjugate_gradients
from sc_annotate.annotators._inputs import check_fit, need_choice
from sc_annotate.annotators._linear import LinearAnnotator
from sc_annotate.annotators._moments import class_means, inverse_or_zero, mean_and_sd, scale_columns, typical_sd
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Matrix


@dataclass
class LDA(LinearAnnotator):
    """Linear discriminant analysis: types are Gaussian clouds with one covariance, shrunken so that it inverts.

    Genes are divided by their spread within types, and the covariance of that is shrunken towards a multiple of the
    identity. Nothing is centred and, beyond a few thousand genes, the covariance is never formed, so sparse data
    stay sparse. The raw probabilities are over-confident: genes are not Gaussian.

    Parameters
    ----------
    shrinkage
        Weight of the identity, above 0 and up to 1, or ``"auto"`` for the estimate of Ledoit and Wolf.
    priors
        ``"observed"``: a type is as likely as its share of the training cells; ``"uniform"``: all are alike.

    References
    ----------
    Ledoit & Wolf 2004, A well-conditioned estimator for large-dimensional covariance matrices,
    `doi:10.1016/S0047-259X(03)00096-4 <https://doi.org/10.1016/S0047-259X(03)00096-4>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.lda import LDA
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = LDA().fit(X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "CD3D"]))
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    shrinkage: float | Literal["auto"] = "auto"
    priors: Literal["observed", "uniform"] = "observed"

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Learn discriminants; `batch` is not used, and `rng` matters only beyond 4,096 genes."""
        need_choice(self, "priors", ("observed", "uniform"))
        if self.shrinkage != "auto" and not (isinstance(self.shrinkage, int | float) and 0 < self.shrinkage <= 1):
            raise MethodError(f"LDA: shrinkage must be 'auto' or a number in (0, 1], not {self.shrinkage!r}.")
        matrix, codes, classes = check_fit(X, y, genes, batch)
        means = class_means(matrix, codes, len(classes))
        scale = inverse_or_zero(typical_sd(matrix, codes, means))
        center = mean_and_sd(matrix)[0] * scale
        means = means * scale
        within = WithinCovariance(scale_columns(matrix, scale), codes, means, rng)
        shrinkage = within.ledoit_wolf() if self.shrinkage == "auto" else float(self.shrinkage)
        # Without any shrinkage the covariance of more genes than cells cannot be inverted.
        shrinkage = max(shrinkage, 1e-4)
        ridge = shrinkage * (within.mean_variance or 1.0)
        coef = conjugate_gradients(lambda V: (1 - shrinkage) * (within @ V) + ridge * V, (means - center).T).T
        prior = np.bincount(codes) / len(codes) if self.priors == "observed" else np.ones(len(classes))
        intercept = np.log(prior) - 0.5 * (coef * (means + center)).sum(axis=1)
        return self._set(classes, coef, intercept, scale=scale)
