"""The mean effect of the training perturbations whose vectors are nearest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.arguments import need_count
from sc_annotate.errors import MethodError
from sc_annotate.predictors._base import Predictor
from sc_annotate.predictors._double_ridge import GenePCA, TargetVectors
from sc_annotate.predictors._leave_one_out import need_two
from sc_annotate.predictors._screen import Embedding, as_targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from sc_annotate.predictors._screen import Screen


def neighbour_weights(
    training: NDArray[np.float64], wanted: NDArray[np.float64], n_neighbors: int
) -> NDArray[np.float64]:
    """Weight of each training row for each new row, m x n, rows summing to 1.

    Columns are centred and scaled over the training rows, and distances are one minus the cosine. A weight falls
    linearly with the distance and reaches 0 at the first row that is not a neighbour, so a small change of a vector
    never makes a jump.
    """
    center, scale = training.mean(axis=0), training.std(axis=0)
    # A column that is constant but for rounding carries no information.
    inverse = np.where(scale > 1e-12 * np.abs(training).max(initial=0), 1 / np.where(scale > 0, scale, 1), 0.0)

    def directions(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = (rows - center) * inverse
        length = np.linalg.norm(scaled, axis=1, keepdims=True)
        return np.divide(scaled, length, out=np.zeros_like(scaled), where=length > 0)

    distance = np.maximum(1 - directions(wanted) @ directions(training).T, 0)
    order = np.argsort(distance, axis=1, kind="stable")
    m, n = distance.shape
    rows = np.arange(m)
    # With no row left over, the largest distance that there can be.
    radius = distance[rows, order[:, n_neighbors]] if n > n_neighbors else np.full(m, 2.0)
    weights = np.zeros((m, n))
    nearest = order[:, :n_neighbors]
    falling = np.maximum(radius[:, None] - np.take_along_axis(distance, nearest, axis=1), 0)
    # Where all neighbours are as far as the next row, they count alike.
    falling[falling.sum(axis=1) <= 1e-12] = 1.0
    np.put_along_axis(weights, nearest, falling / falling.sum(axis=1, keepdims=True), axis=1)
    return weights


@dataclass
class NearestPerturbations(Predictor):
    """The weighted mean effect of the training perturbations whose vectors are most alike.

    Parameters
    ----------
    n_neighbors
        Training perturbations that count; their weight falls with their distance (one minus the cosine, after each
        dimension was centred and scaled over the training perturbations).
    n_components
        Without an embedding the vector of a perturbation is the row of its target in the principal components of the
        training profiles, as in the linear model; how many of these. A target must then be a read-out gene.
    perturbation_embedding
        Vectors from another source. That of a combination is the sum of those of its targets.

    Examples
    --------
    >>> from sc_annotate.predictors import Embedding, Screen
    >>> from sc_annotate.predictors.knn import NearestPerturbations
    >>> screen = Screen(["g"], [1.0], [[2.0], [2.2], [0.0]], [("A",), ("B",), ("C",)])
    >>> place = Embedding(["A", "B", "C", "D"], [[1, 0.1], [1, -0.1], [-1, 0.1], [0.9, 0.0]])
    >>> model = NearestPerturbations(n_neighbors=2, perturbation_embedding=place).fit(screen)
    >>> bool(2.0 < model.predict([("D",)])[0, 0] < 2.2)
    True
    """

    n_neighbors: int = 5
    n_components: int = 10
    perturbation_embedding: Embedding | None = None

    def learn(self, screen: Screen, rng: int) -> None:
        """Keep the changes, and choose how many neighbours they are averaged over."""
        self._check()
        self._vectors = self._of(screen, self.n_components)
        self._components = self._vectors.pca.all(self.n_components)
        known = self._vectors.known
        self.delta_: NDArray[np.float64] = screen.delta[known]
        self.vectors_: NDArray[np.float64] = self._vectors.finish(self._vectors.training[known], self._components)
        if left_out := int((~known).sum()):
            self.notes_.append(f"{left_out} of {len(known)} training conditions have no vector and are no neighbours.")

    def _check(self) -> None:
        need_count(self, "n_neighbors", "n_components")
        if self.perturbation_embedding is not None and not isinstance(self.perturbation_embedding, Embedding):
            raise MethodError(
                "NearestPerturbations: perturbation_embedding must be an Embedding or None, not "
                f"{type(self.perturbation_embedding).__name__}."
            )

    def _of(self, screen: Screen, k: int | None) -> TargetVectors:
        pca = GenePCA.of(screen, k if self.perturbation_embedding is None else 0)
        return TargetVectors(screen, self.perturbation_embedding, pca)

    def reason(self, targets: tuple[str, ...]) -> str:
        """Which targets have no vector."""
        if not len(self.delta_):
            return "no training condition has a target with an embedding, so there are no neighbours"
        return self._vectors.reason(targets)

    def predict_profiles(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]:
        """The control plus the mean change of the nearest conditions."""
        wanted = self._vectors.finish(self._vectors.rows(targets), self._components)
        out: NDArray[np.float64] = (
            self.control_ + neighbour_weights(self.vectors_, wanted, self.n_neighbors) @ self.delta_
        )
        return out

    def leave_one_out(
        self, screen: Screen, targets: Sequence[tuple[str, ...]] = (), *, rng: int = 0
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Exact, from one decomposition of the whole; see :func:`sc_annotate.predictors.leave_one_out`."""
        self._check()
        need_two(screen)
        return self._folds(screen, as_targets(targets))

    def _folds(
        self, screen: Screen, new: list[tuple[str, ...]]
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        vectors, delta, p = self._of(screen, None), screen.delta, len(screen.genes)
        can = np.array([bool(t) and not vectors.missing(t) for t in new], dtype=np.bool_)
        new_rows = vectors.rows([t for t, ok in zip(new, can, strict=True) if ok])
        for i, known in enumerate(vectors.known.tolist()):
            own, others = np.full(p, np.nan), np.full((len(new), p), np.nan)
            others_known = np.flatnonzero(np.delete(vectors.known, i))
            used = others_known + (others_known >= i)
            wanted = np.concatenate([vectors.training[[i]], new_rows]) if known else new_rows
            if used.size:
                components = vectors.pca.without(i, self.n_components)
                places = vectors.finish(vectors.training[used], components)
                weights = neighbour_weights(places, vectors.finish(wanted, components), self.n_neighbors)
                profiles = screen.control + weights @ delta[used]
                own = profiles[0] if known else own
                others[can] = profiles[int(known) :]
            yield own, others
