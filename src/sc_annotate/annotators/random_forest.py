"""Random forest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from sc_annotate._core.arguments import need_choice, need_count, need_positive
from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._linear import normalise
from sc_annotate.annotators.checks import check_fit, check_predict, need_fitted

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Matrix


@dataclass
class RandomForest(Annotator):
    """Trees on random cells and genes, averaged (scikit-learn).

    The probabilities are under-confident, and it is among the slowest. A fitted forest cannot be saved: it is
    hundreds of trees, which only pickle would hold.

    Parameters
    ----------
    n_trees
        Trees.
    min_leaf
        Fewest cells in a leaf.
    gene_share
        Share of the genes that each split looks at.
    class_weight
        ``"balanced"``: weight of a cell proportional to 1 / (size of its type); None: equal weights.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.random_forest import RandomForest
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = RandomForest(n_trees=20, min_leaf=1).fit(
    ...     X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "CD3D"])
    ... )
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    n_trees: int = 200
    min_leaf: int = 3
    gene_share: float = 0.1
    class_weight: Literal["balanced"] | None = "balanced"

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
        """Grow the trees; `batch` is not used."""
        from sklearn.ensemble import RandomForestClassifier

        need_positive(self, "gene_share")
        need_count(self, "n_trees", "min_leaf")
        need_choice(self, "class_weight", ("balanced", None))
        matrix, codes, self.classes_ = check_fit(X, y, genes, batch)
        self.n_genes_: int = matrix.shape[1]
        model = RandomForestClassifier(
            self.n_trees,
            min_samples_leaf=self.min_leaf,
            max_features=min(float(self.gene_share), 1.0),
            class_weight=self.class_weight,
            random_state=rng,
        )
        self.model_: Any = model.fit(matrix, codes)
        return self

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Probabilities, cells x types, float32, columns in ``classes_`` order."""
        need_fitted(self, "model_")
        matrix = check_predict(X, self.n_genes_)
        if not matrix.shape[0]:
            return np.zeros((0, len(self.classes_)), dtype=np.float32)
        return normalise(self.model_.predict_proba(matrix))
