"""Where the types lie among the components of the reference, and how far a cell is from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import logsumexp

from sc_annotate._core.arrays import shrunken_covariance
from sc_annotate._core.softmax_regression import Loss, Solver, softmax_regression
from sc_annotate._core.stored_arrays import Stored
from sc_annotate.errors import InputError
from sc_annotate.trust._components import Components
from sc_annotate.trust._stored import take

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

# Distances to landmarks that are held at a time.
_DISTANCES = 20_000_000
# Directions in which cells of a type hardly differ must not decide alone: least variance, as a share of the mean one.
_LEAST = 1e-3
# Weight of the squared coefficients of the logistic regression; 1 / C in scikit-learn.
_PENALTY = 10.0
# Steps that it takes at most. With more types than `_MANY`, as many as so many scores of a cell for a type allow (some
# 20 seconds of one core), and `_LEAST_STEPS` at least: from coefficients of 0, few steps give a smoother model.
_STEPS, _MANY, _SCORES, _LEAST_STEPS = 500, 500, 1.6e9, 5


def whitening(covariance: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Matrix W so that ``|x @ W|`` is the Mahalanobis length of x."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors / np.sqrt(np.maximum(values, least))


def choose_landmarks(codes: NDArray[np.intp], n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """At most `n` cells, ascending; the large types lose cells first, so rare ones stay whole as long as they can."""
    order = rng.permutation(codes.size)
    by_type = np.argsort(codes[order], kind="stable")
    counts = np.bincount(codes)
    rank = np.empty(codes.size, dtype=np.intp)
    rank[by_type] = np.arange(codes.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[np.argsort(rank, kind="stable")[:n]])


@dataclass(frozen=True)
class Seen:
    """Some cells as a space sees them; what several measures need is worked out once."""

    cells: Any
    place: NDArray[np.float32]
    """Component scores."""
    white: NDArray[np.float32]
    """The same, whitened within types."""
    off: NDArray[np.float32]
    """The displacement: what sets a cell apart, whitened, from the mean of its nearest type."""
    type: NDArray[np.intp]
    """Which type that is."""
    nearest: NDArray[np.float64]
    """Squared distance to it."""
    unexplained: NDArray[np.float64] | None
    """Squared length of what the components leave; None where they explain all."""


class Space:
    """Components, the types' means in them, two whitenings, landmarks and a logistic regression."""

    ARRAYS: ClassVar[dict[str, Stored]] = {
        "within": Stored("f4", ("components", "components")),
        "means": Stored("f4", ("types", "components")),
        "overall": Stored("f4", ("components", "components")),
        "landmarks": Stored("f4", ("landmarks", "components")),
        "logits": Stored("f4", ("components and one", "types")),
    }

    components: Components
    within: NDArray[np.float32]
    """Components x components: after it, cells of a type spread alike in all directions."""
    means: NDArray[np.float32]
    """Types x components, whitened."""
    overall: NDArray[np.float32]
    """The same whitening for all cells around their common mean, which is 0."""
    landmarks: NDArray[np.float32]
    """Some reference cells, whitened."""
    logits: NDArray[np.float32]
    """Components + 1 x types: what the logistic regression multiplies a cell's place with, then its intercepts."""
    n_neighbors: int
    notes: list[str]
    """How the fit was made shorter; of a space just fitted only."""

    @classmethod
    def fit(
        cls, X: Any, codes: NDArray[np.intp], *, n_components: int, n_neighbors: int, max_landmarks: int, rng: int
    ) -> Space:
        """Learn from cells and the codes of their types; codes without a cell are left out."""
        self = cls()
        self.n_neighbors = n_neighbors
        self.components = Components.fit(X, n_components, rng)
        place = self.components.place(X).astype(np.float64)
        _, codes = np.unique(codes, return_inverse=True)
        n = np.bincount(codes)
        means = np.stack([np.bincount(codes, column) for column in place.T], axis=1) / n[:, None]
        all_cells = shrunken_covariance(place)
        least = _LEAST * np.trace(all_cells) / len(all_cells)
        self.overall = whitening(all_cells, least).astype(np.float32)
        within = whitening(shrunken_covariance(place - means[codes]), least)
        self.within, self.means = within.astype(np.float32), (means @ within).astype(np.float32)
        kept = choose_landmarks(codes, max_landmarks, np.random.default_rng(rng))
        self.landmarks = (place[kept] @ within).astype(np.float32)
        sd = np.sqrt(np.square(place).mean(axis=0))
        solver = Solver(max_iter=_steps(codes.size, n.size), tol=1e-3 / codes.size)
        logistic = softmax_regression(place / sd, codes, n.size, Loss(_PENALTY), solver=solver)
        self.notes = []
        if n.size > _MANY and logistic.n_iter >= solver.max_iter:
            self.notes.append(
                f"unfamiliarity, {n.size:,} types (more than {_MANY:,}): the regression behind `energy` stopped after "
                f"{logistic.n_iter} steps, before it converged"
            )
        self.logits = np.vstack([logistic.coef / sd[:, None], logistic.intercept]).astype(np.float32)
        return self

    def see(self, X: Any) -> Seen:
        """Cells x genes, as the measures and the neighbourhood take them."""
        place = self.components.place(X)
        white = place @ self.within
        distance = squares(white, self.means)
        nearest = distance.argmin(axis=1)
        return Seen(
            X,
            place,
            white,
            white - self.means[nearest],
            nearest,
            distance[np.arange(len(nearest)), nearest],
            self.components.unexplained(X, place) if self.components.curve.size else None,
        )

    def measure(self, seen: Seen, names: Collection[str]) -> dict[str, NDArray[np.float64]]:
        """The named measures of every cell, each on its own scale; the higher, the farther."""
        place = seen.place
        parts = {"mahalanobis": np.sqrt(seen.nearest)}
        if "relative" in names:
            parts["relative"] = seen.nearest - np.square(place @ self.overall, dtype=np.float64).sum(axis=1)
        if "landmark" in names:
            parts["landmark"] = self._to_landmarks(seen.white)
        if "energy" in names:
            parts["energy"] = -logsumexp((place @ self.logits[:-1] + self.logits[-1]).astype(np.float64), axis=1)
        if "residual" in names and seen.unexplained is not None:
            parts["residual"] = self.components.residual(seen.cells, seen.unexplained)
        return {name: parts[name] for name in names if name in parts}

    def _to_landmarks(self, white: NDArray[np.float32]) -> NDArray[np.float64]:
        k = min(self.n_neighbors, len(self.landmarks))
        out = np.empty(len(white))
        step = max(1, _DISTANCES // len(self.landmarks))
        for start in range(0, len(white), step):
            rows = slice(start, start + step)
            near = np.partition(squares(white[rows], self.landmarks), k - 1, axis=1)[:, :k]
            out[rows] = np.sqrt(near).mean(axis=1)
        return out

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        own = {f"space_{name}": getattr(self, name) for name in self.ARRAYS}
        parts = {f"components_{name}": getattr(self.components, name) for name in Components.ARRAYS}
        return own | {name: array for name, array in parts.items() if array.size}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], n_neighbors: int) -> Space:
        self, components = cls(), Components()
        declared = {n: each for n, each in Components.ARRAYS.items() if n != "curve" or "components_curve" in arrays}
        components.curve = np.empty(0)
        vars(components).update(take(arrays, "components_", declared))
        p, d = components.loadings.shape
        if len(components.weight) != p or len(components.offset) != p + 1:
            raise InputError("the stored components differ in their genes. Fit again.")
        vars(self).update(take(arrays, "space_", self.ARRAYS, components=d, **{"components and one": d + 1}))
        self.components, self.n_neighbors, self.notes = components, n_neighbors, []
        return self


def _steps(n_cells: int, n_types: int) -> int:
    if n_types <= _MANY:
        return _STEPS
    return int(min(_STEPS, max(_LEAST_STEPS, _SCORES // (n_cells * n_types))))


def squares(cells: NDArray[np.float32], to: NDArray[np.float32]) -> NDArray[np.float64]:
    """Squared distances, cells x points; not below 0, where rounding would put them."""
    square = np.square(cells).sum(axis=1)[:, None] - 2 * (cells @ to.T) + np.square(to).sum(axis=1)
    return np.maximum(square, 0).astype(np.float64)
