"""Histogram gradient boosting on principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

from sc_annotate._core.arguments import need_choice, need_count, need_positive
from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._linear import normalise
from sc_annotate.annotators._moments import Scaling
from sc_annotate.annotators._pca import fit_pca, project
from sc_annotate.annotators.checks import check_fit, check_predict, need_fitted

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Matrix


@dataclass
class GradientBoosting(Annotator):
    """Boosted trees on histograms of principal components of the scaled log values (scikit-learn).

    On genes instead of components it takes tens of times as long, for no better labels. A fitted model cannot be
    saved: it is thousands of trees, which only pickle would hold.

    Parameters
    ----------
    n_components
        Principal components (fewer where cells or genes are).
    n_rounds
        Rounds of boosting; each grows one tree a type.
    learning_rate
        Factor on each tree.
    max_leaves
        Most leaves of a tree.
    min_leaf
        Fewest cells in a leaf.
    class_weight
        ``"balanced"``: weight of a cell proportional to 1 / (size of its type); None: equal weights.
    scaling
        ``"each"``: genes are divided each by its own standard deviation; ``"common"``: all columns by one number, so that the
        mean variance is 1. With ``use_rep`` the default is ``"common"``, as the last dimensions of an embedding, mostly noise,
        would else count as much as the first.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.gradient_boosting import GradientBoosting
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = GradientBoosting(n_rounds=10, min_leaf=1).fit(
    ...     X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "CD3D"])
    ... )
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    n_components: int = 50
    n_rounds: int = 50
    learning_rate: float = 0.1
    max_leaves: int = 8
    min_leaf: int = 10
    class_weight: Literal["balanced"] | None = "balanced"
    scaling: Literal["each", "common"] = "each"

    parallel: ClassVar[bool] = True
    saves: ClassVar[bool] = False

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Find components and boost on them; `batch` is not used."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        need_positive(self, "learning_rate")
        need_count(self, "n_components", "n_rounds", "max_leaves", "min_leaf")
        need_choice(self, "class_weight", ("balanced", None))
        need_choice(self, "scaling", get_args(Scaling))
        matrix, codes, self.classes_ = check_fit(X, y, genes, batch)
        self.loadings_, self.shift_ = fit_pca(matrix, self.n_components, rng, scaling=self.scaling)
        model = HistGradientBoostingClassifier(
            max_iter=self.n_rounds,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.max_leaves,
            min_samples_leaf=self.min_leaf,
            class_weight=self.class_weight,
            # The inner hold-out of early stopping fails where a type has one cell.
            early_stopping=False,
            random_state=rng,
        )
        self.model_: Any = model.fit(project(matrix, self.loadings_, self.shift_), codes)
        return self

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Probabilities, cells x types, float32, columns in ``classes_`` order."""
        need_fitted(self, "model_")
        matrix = check_predict(X, len(self.loadings_))
        if not matrix.shape[0]:
            return np.zeros((0, len(self.classes_)), dtype=np.float32)
        return normalise(self.model_.predict_proba(project(matrix, self.loadings_, self.shift_)))
