"""Linear discriminant analysis with a shrunken covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from sc_annotate._core.arguments import need_choice
from sc_annotate.annotators._linear import LinearAnnotator
from sc_annotate.annotators._moments import inverse_or_zero, scale_columns
from sc_annotate.annotators.checks import check_fit
from sc_annotate.annotators.covariance import (
    Distances,
    WithinCovariance,
    conjugate_gradients,
    is_formed,
    shrinkage_of,
    within_covariance,
)
from sc_annotate.annotators.statistics import Statistics, class_means, mean_and_sd, ready, typical_sd
from sc_annotate.errors import InputError, MethodError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate._core.registry import Statistic
    from sc_annotate.annotators._base import Matrix


@dataclass
class LDA(LinearAnnotator):
    """Linear discriminant analysis: types are Gaussian clouds with one covariance, shrunken so that it inverts.

    Genes are divided by their spread within types, and the covariance of that is shrunken towards a multiple of the
    identity. Nothing is centred and, beyond 4,096 genes, the covariance is never formed, so sparse data
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

    streams: ClassVar[tuple[Statistic, ...]] = ("sums", "products", "distances")
    aligns: ClassVar[bool] = True

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
        self._check()
        matrix, codes, classes = check_fit(X, y, genes, batch)
        formed = is_formed(matrix.shape[1])
        statistics = Statistics.of(matrix, codes, len(classes), gram=formed)
        if formed:
            distances = Distances.around(statistics).update(matrix, codes) if self.shrinkage == "auto" else None
            return self.fit_statistics(statistics, classes=classes, distances=distances)
        scale = inverse_or_zero(typical_sd(statistics))
        within = WithinCovariance(scale_columns(matrix, scale), codes, class_means(statistics) * scale, rng)
        shrinkage = within.ledoit_wolf() if self.shrinkage == "auto" else self.shrinkage

        def solve(B: NDArray[np.float64], identity: float, rest: float) -> NDArray[np.float64]:
            return conjugate_gradients(lambda V: rest * (within @ V) + identity * V, B)

        return self._learn(statistics, classes, within.mean_variance, shrinkage, solve)

    def fit_statistics(self, statistics: Statistics, *, classes: ArrayLike, distances: Distances | None = None) -> Self:
        """Learn discriminants from sums over blocks of cells; as `fit` does.

        Parameters
        ----------
        statistics
            With the Gram matrix of all genes.
        classes
            Name of each class of the statistics, sorted; those without cells are left out.
        distances
            ``Distances.around(statistics)`` after a second pass over the same cells; needed where the shrinkage is
            ``"auto"``.
        """
        self._check()
        statistics, names = ready(statistics, classes)
        covariance = within_covariance(statistics, inverse_or_zero(typical_sd(statistics)))
        p = len(covariance)
        shrinkage = self.shrinkage
        if shrinkage == "auto":
            if distances is None or distances.n != statistics.n.sum():
                raise InputError(
                    "LDA with shrinkage='auto' needs the distances of the same cells from their means. "
                    "Make a second pass with Distances.around(statistics), or give a number for shrinkage."
                )
            shrinkage = shrinkage_of(float(np.square(covariance).sum()), p, distances)

        def solve(B: NDArray[np.float64], identity: float, rest: float) -> NDArray[np.float64]:
            # Directly: steps that stop at a tolerance would end at another point for blocks of another size.
            return cho_solve(cho_factor(rest * covariance + identity * np.eye(p)), B)

        return self._learn(statistics, names, float(covariance.trace()) / p, shrinkage, solve)

    def streamed(self) -> tuple[Statistic, ...]:
        """Distances only where the shrinkage is to be estimated."""
        return self.streams if self.shrinkage == "auto" else ("sums", "products")

    def _check(self) -> None:
        need_choice(self, "priors", ("observed", "uniform"))
        if self.shrinkage != "auto" and not (isinstance(self.shrinkage, int | float) and 0 < self.shrinkage <= 1):
            raise MethodError(f"LDA: shrinkage must be 'auto' or a number in (0, 1], not {self.shrinkage!r}.")

    def _learn(
        self,
        statistics: Statistics,
        classes: NDArray[np.str_],
        mean_variance: float,
        shrinkage: float,
        solve: Callable[[NDArray[np.float64], float, float], NDArray[np.float64]],
    ) -> Self:
        scale = inverse_or_zero(typical_sd(statistics))
        means = class_means(statistics) * scale
        center = mean_and_sd(statistics)[0] * scale
        # Without any shrinkage the covariance of more genes than cells cannot be inverted.
        shrinkage = max(float(shrinkage), 1e-4)
        # Where the cells of a type do not differ, what is left of their variance is rounding, and may be below 0.
        identity = mean_variance if mean_variance > 1e-8 else 1.0
        coef = solve((means - center).T, shrinkage * identity, 1 - shrinkage).T
        prior = statistics.n / statistics.n.sum() if self.priors == "observed" else np.ones(len(classes))
        intercept = np.log(prior) - 0.5 * (coef * (means + center)).sum(axis=1)
        return self._set(classes, coef, intercept, scale=scale)
