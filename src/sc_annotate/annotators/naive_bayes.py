"""Multinomial naive Bayes on log values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from sc_annotate._core.arguments import need_choice, need_positive
from sc_annotate.annotators._linear import LinearAnnotator
from sc_annotate.annotators.checks import check_fit
from sc_annotate.annotators.statistics import Statistics, class_means, ready
from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate._core.registry import Statistic
    from sc_annotate.annotators._base import Matrix


@dataclass
class NaiveBayes(LinearAnnotator):
    """Multinomial naive Bayes, with log values in the place of counts.

    A type is a profile of gene shares. The profile of a type is smoothed with that of all cells, so that an unseen
    gene costs the less the rarer the gene is, and equally much for a type of ten cells and one of ten thousand.
    Log values gave better labels than counts per 10,000, and the multinomial better ones than the Bernoulli or the
    complement form.

    Parameters
    ----------
    smoothing
        Weight of the profile of all cells that is added to that of each type.
    evidence
        Power of the posterior before it is normalised. At 1 (the textbook) nearly all probabilities are 0 or 1,
        because genes that move together are counted as independent evidence; labels do not depend on it.
    priors
        ``"observed"``: a type is as likely as its share of the training cells; ``"uniform"``: all are alike.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.naive_bayes import NaiveBayes
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = NaiveBayes().fit(X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "CD3D"]))
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    streams: ClassVar[tuple[Statistic, ...]] = ("sums",)

    smoothing: float = 0.1
    evidence: float = 0.1
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
        """Learn the profiles; deterministic, so `rng` changes nothing, and `batch` is not used."""
        self._check()
        matrix, codes, classes = check_fit(X, y, genes, batch)
        return self.fit_statistics(Statistics.of(matrix, codes, len(classes)), classes=classes)

    def fit_statistics(self, statistics: Statistics, *, classes: ArrayLike) -> Self:
        """Learn the profiles from what a pass over blocks of cells left; as `fit` does.

        Parameters
        ----------
        statistics
            A Gram matrix is not needed.
        classes
            Name of each class of the statistics, sorted; those without cells are left out.
        """
        self._check()
        statistics, names = ready(statistics, classes)
        if statistics.negative.any():
            raise MatrixError("X has negative values, which naive_bayes cannot use. Hand in log1p values, not scaled.")
        shares = statistics.n / statistics.n.sum()
        means = class_means(statistics)
        overall = shares @ means
        profiles = means + self.smoothing * overall
        # A gene without any expression in the training cells says nothing of the types.
        profiles[:, overall == 0] = 1.0
        profiles /= np.where(profiles.sum(axis=1, keepdims=True) > 0, profiles.sum(axis=1, keepdims=True), 1.0)
        prior = shares if self.priors == "observed" else np.ones(len(names))
        return self._set(names, self.evidence * np.log(profiles), self.evidence * np.log(prior))

    def _check(self) -> None:
        need_positive(self, "smoothing", "evidence")
        need_choice(self, "priors", ("observed", "uniform"))
