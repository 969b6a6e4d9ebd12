"""Distance to the shrunken mean of each type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sc_annotate._core.arguments import need_positive
from sc_annotate.annotators._linear import LinearAnnotator
from sc_annotate.annotators._moments import inverse_or_zero
from sc_annotate.annotators.checks import check_fit
from sc_annotate.annotators.statistics import Statistics, class_means, mean_and_sd, ready, typical_sd
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate._core.registry import Statistic
    from sc_annotate.annotators._base import Matrix


@dataclass
class NearestCentroid(LinearAnnotator):
    """The type whose mean is nearest, in units of each gene's spread within types.

    The part of the squared distance that all types share cancels in the softmax, so the model is linear. Squared
    distances are divided by the square root of the number of genes: genes move together, so their evidence does not
    add up, and undivided the probabilities would all be 0 or 1.

    Parameters
    ----------
    shrink
        Means are drawn towards the mean of all cells by this many standard errors, gene by gene, and stay there once
        they reach it (nearest shrunken centroids). It helps types of few cells, whose means are noise. 0 for none.
    sharpness
        Factor on the squared distances.

    References
    ----------
    Tibshirani et al. 2002, Diagnosis of multiple cancer types by shrunken centroids of gene expression,
    `doi:10.1073/pnas.082099299 <https://doi.org/10.1073/pnas.082099299>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.nearest_centroid import NearestCentroid
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = NearestCentroid().fit(X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "CD3D"]))
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    streams: ClassVar[tuple[Statistic, ...]] = ("sums",)

    shrink: float = 1.0
    sharpness: float = 1.0

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Learn the means; deterministic, so `rng` changes nothing, and `batch` is not used."""
        self._check()
        matrix, codes, classes = check_fit(X, y, genes, batch)
        return self.fit_statistics(Statistics.of(matrix, codes, len(classes)), classes=classes)

    def fit_statistics(self, statistics: Statistics, *, classes: ArrayLike) -> Self:
        """Learn the means from what a pass over blocks of cells left; as `fit` does.

        Parameters
        ----------
        statistics
            A Gram matrix is not needed.
        classes
            Name of each class of the statistics, sorted; those without cells are left out.
        """
        self._check()
        statistics, names = ready(statistics, classes)
        scale = inverse_or_zero(typical_sd(statistics))
        overall = mean_and_sd(statistics)[0]
        offset = (class_means(statistics) - overall) * scale
        error = np.sqrt(1 / statistics.n - 1 / statistics.n.sum())[:, None]
        offset = np.sign(offset) * np.maximum(np.abs(offset) - self.shrink * error, 0.0)
        sharpness = self.sharpness / np.sqrt(len(scale))
        intercept = -0.5 * np.square(offset).sum(axis=1) - offset @ (overall * scale)
        return self._set(names, offset * sharpness, intercept * sharpness, scale=scale)

    def _check(self) -> None:
        need_positive(self, "sharpness")
        if not self.shrink >= 0:
            raise MethodError(f"NearestCentroid: shrink must be 0 or more, not {self.shrink!r}.")
