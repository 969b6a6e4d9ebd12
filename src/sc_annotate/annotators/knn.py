"""Nearest neighbours in principal-component space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

from sc_annotate._core.arguments import need_choice, need_count
from sc_annotate._core.stored_arrays import Stored
from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._linear import normalise
from sc_annotate.annotators._moments import Scaling
from sc_annotate.annotators._pca import fit_pca, project
from sc_annotate.annotators._stored import rebuild
from sc_annotate.annotators.checks import check_fit, check_predict, need_fitted, row_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Arrays, Matrix

_DISTANCES = 20_000_000  # held at a time
_ARRAYS = {
    "loadings": Stored("f4", ("genes", "components")),
    "shift": Stored("f4", ("components",)),
    "landmarks": Stored("f4", ("cells", "components")),
    "codes": Stored("i4", ("cells",), low=0, below="types"),
    # A type without any vote could leave a cell without probabilities.
    "vote": Stored("f4", ("types",), low=1e-9),
    "prior": Stored("f4", ("types",), low=0, high=1),
}


def choose_landmarks(codes: NDArray[np.intp], n: int, rng: int) -> NDArray[np.intp]:
    """At most `n` cells, ascending; the large classes lose cells first, so rare ones stay whole as long as they can."""
    if len(codes) <= n:
        return np.arange(len(codes))
    order = np.random.default_rng(rng).permutation(len(codes))
    shuffled = codes[order]
    by_class = np.argsort(shuffled, kind="stable")
    counts = np.bincount(codes)
    rank = np.empty(len(codes), dtype=np.intp)
    rank[by_class] = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[np.argsort(rank, kind="stable")[:n]])


@dataclass
class KNN(Annotator):
    """A vote of the nearest training cells, on principal components of the scaled log values.

    A neighbour's vote falls linearly with its distance and reaches 0 at the first cell that is not counted, so a
    small change of a cell never makes a jump in its probabilities. One further vote goes to the types by their share
    of the training cells; without it a type that none of the neighbours has would get probability 0.

    Parameters
    ----------
    n_neighbors
        Cells that vote.
    n_components
        Principal components (fewer where cells or genes are).
    metric
        ``"cosine"``: components are divided by their length, which takes away most of the effect of depth;
        ``"euclidean"``: they are not.
    class_weight
        ``"sqrt"``: a vote is multiplied by the inverse square root of its type's size; None: it is not.
    max_landmarks
        Training cells that are kept; rare types are kept whole as long as possible.
    scaling
        ``"each"``: genes are divided each by its own standard deviation; ``"common"``: all columns by one number, so that the
        mean variance is 1. With ``use_rep`` the default is ``"common"``, as the last dimensions of an embedding, mostly noise,
        would else count as much as the first.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.knn import KNN
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = KNN().fit(X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "CD3D"]))
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    parallel: ClassVar[bool] = True

    n_neighbors: int = 30
    n_components: int = 50
    metric: Literal["cosine", "euclidean"] = "cosine"
    class_weight: Literal["sqrt"] | None = "sqrt"
    max_landmarks: int = 100_000
    scaling: Literal["each", "common"] = "each"

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Find components and keep the cells' places in them; `batch` is not used."""
        self._check()
        matrix, codes, self.classes_ = check_fit(X, y, genes, batch)
        self.loadings_, self.shift_ = fit_pca(matrix, self.n_components, rng, scaling=self.scaling)
        # At least one cell a class, and one more than two: the nearest cell that does not vote sets the radius.
        kept = choose_landmarks(codes, max(self.max_landmarks, len(self.classes_)), rng)
        self.landmarks_: NDArray[np.float32] = self._place(matrix[kept])
        self.codes_: NDArray[np.int32] = codes[kept].astype(np.int32)
        counts = np.bincount(codes)
        weight = counts**-0.5 if self.class_weight == "sqrt" else np.ones(len(counts))
        # A kept cell of a thinned class stands for several.
        self.vote_: NDArray[np.float32] = (weight * counts / np.bincount(self.codes_)).astype(np.float32)
        self.prior_: NDArray[np.float32] = (counts / len(codes)).astype(np.float32)
        return self

    def _check(self) -> None:
        need_count(self, "n_neighbors", "n_components", "max_landmarks")
        need_choice(self, "metric", ("cosine", "euclidean"))
        need_choice(self, "class_weight", ("sqrt", None))
        need_choice(self, "scaling", get_args(Scaling))

    def _place(self, X: Matrix) -> NDArray[np.float32]:
        place = project(X, self.loadings_, self.shift_)
        if self.metric == "euclidean":
            return place
        length = np.linalg.norm(place, axis=1, keepdims=True)
        return np.divide(place, length, out=np.zeros_like(place), where=length > 0)

    def _vote(self, cells: NDArray[np.float32]) -> NDArray[np.float32]:
        k = min(self.n_neighbors, len(self.landmarks_) - 1)
        square = np.square(self.landmarks_).sum(axis=1) - 2 * (cells @ self.landmarks_.T)
        square += np.square(cells).sum(axis=1, keepdims=True)
        near = np.argpartition(square, k, axis=1)[:, : k + 1]
        distance = np.sqrt(np.maximum(np.take_along_axis(square, near, axis=1), 0.0)).astype(np.float64)
        radius = distance.max(axis=1, keepdims=True)
        # All at one distance: all vote alike.
        weight = 1 - np.divide(distance, radius, out=np.zeros_like(distance), where=radius > 0)
        weight[(weight <= 0).all(axis=1)] = 1.0
        weight *= self.vote_[self.codes_[near]]
        weight *= k / weight.sum(axis=1, keepdims=True)
        n_classes = len(self.classes_)
        slot = np.arange(len(cells))[:, None] * n_classes + self.codes_[near]
        votes = np.bincount(slot.ravel(), weight.ravel(), minlength=len(cells) * n_classes)
        return normalise(votes.reshape(len(cells), n_classes) + self.prior_)

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Probabilities, cells x types, float32, columns in ``classes_`` order."""
        need_fitted(self, "landmarks_")
        place = self._place(check_predict(X, len(self.loadings_)))
        out = np.empty((len(place), len(self.classes_)), dtype=np.float32)
        for rows in row_blocks(len(place), max(1, _DISTANCES // len(self.landmarks_))):
            out[rows] = self._vote(place[rows])
        return out

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Components, and the place and class of every kept cell."""
        need_fitted(self, "landmarks_")
        return {name: getattr(self, f"{name}_") for name in _ARRAYS}, {"params": self.params()}

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any], classes: NDArray[np.str_]) -> Self:
        """Rebuild a fitted model."""
        model = rebuild(cls, arrays, meta, classes, declared=_ARRAYS)
        model._check()
        return model
