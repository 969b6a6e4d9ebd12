"""What a cell shares with the cells of the query that are most like it, beyond being of one of the known types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, issparse

from sc_annotate.trust._space import squares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.trust._space import Space

SHARED = ("shared_within", "shared_residual")

LEAST = 20
"""Fewer cells than this say nothing about one another."""
# One in so many of the company is a neighbour, and at most so many.
_ONE_IN, _MOST = 10, 25
# Low enough shares of the query to lie among known cells as long as no more than about two in three are unseen.
ALIGN = (0.05, 0.15, 0.30)
# Distances that are held at a time.
_DISTANCES = 1_000_000


def displacement(space: Space, place: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where cells lie among the components, whitened within types; and from there, to the nearest type's mean."""
    white = place @ space.within
    return white, white - space.means[squares(white, space.means).argmin(axis=1)]


@dataclass(frozen=True)
class Company:
    """Some cells of a query, to which each of its cells is compared.

    ``white`` and ``off`` are cells x components: see :func:`displacement`. ``rest`` is what the components leave of
    their scaled genes, genes x cells, and once more multiplied by the genes' scale, so that its product with a cell's own
    values is that of two residuals, but for ``shift`` (cells). Both are None where the components explain everything.
    """

    n_neighbors: int
    white: NDArray[np.float32]
    off: NDArray[np.float32]
    rest: NDArray[np.float32] | None
    shift: NDArray[np.float32] | None

    @classmethod
    def of(cls, space: Space, X: Any, size: int) -> Company:
        """From its cells, `size` or somewhat more; dense for a moment, so they should be a thousand or two."""
        n_neighbors = max(2, min(_MOST, size // _ONE_IN))
        components = space.components
        place = components.place(X)
        white, off = displacement(space, place)
        if not components.curve.size:
            return cls(n_neighbors, white, off, None, None)
        scale = np.sqrt(components.weight)
        inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
        # The offset is twice the mean over the variance.
        center = components.offset[:-1] * inverse / 2
        dense = np.asarray(X.toarray() if issparse(X) else X, dtype=np.float32)
        rest = dense * scale - center - place @ (components.loadings * inverse[:, None]).T
        return cls(n_neighbors, white, off, np.ascontiguousarray((rest * scale).T), (rest @ center).astype(np.float32))

    def measure(
        self, space: Space, X: Any, place: NDArray[np.float32], own: NDArray[np.intp]
    ) -> dict[str, NDArray[np.float64]]:
        """How much of its displacement each cell shares with its nearest neighbours in the company.

        The length of their mean displacement along the cell's own. Noise is not shared and averages out, so 0 is
        expected of cells that differ from their type at random; and as each is compared with its own nearest type,
        cells between two types are not far off for having both as neighbours. ``own[i]`` is the place of cell i in the
        company, which is no neighbour of itself; -1 where it is not in it.
        """
        white, off = displacement(space, place)
        near = self._neighbors(white, own)
        found = {"shared_within": _over(np.einsum("ij,ij->i", off, _mean_of(self.off, near)), _length(off))}
        if self.rest is not None and self.shift is not None:
            from sc_annotate.trust._kernels import mean_products

            cells = csr_array(X)
            product = mean_products(cells.indptr, cells.indices, cells.data, self.rest, near)
            # Both residuals lie across the components, so what the cell has along them takes no part.
            shared = product - self.shift[near].mean(axis=1)
            found["shared_residual"] = _over(shared, np.sqrt(space.components.unexplained(X, place)))
        return found

    def _neighbors(self, white: NDArray[np.float32], own: NDArray[np.intp]) -> NDArray[np.intp]:
        n, m, k = len(white), len(self.white), min(self.n_neighbors, len(self.white) - 1)
        near = np.empty((n, k), dtype=np.intp)
        # The length of the cell itself is the same for all neighbours.
        half = np.square(self.white).sum(axis=1) / 2
        step = max(1, _DISTANCES // m)
        for start in range(0, n, step):
            rows = slice(start, min(n, start + step))
            distance = half - white[rows] @ self.white.T
            inside = np.flatnonzero(own[rows] >= 0)
            distance[inside, own[rows][inside]] = np.inf
            near[rows] = np.argpartition(distance, k - 1, axis=1)[:, :k]
        return near


def _mean_of(values: NDArray[np.float32], near: NDArray[np.intp]) -> NDArray[np.float32]:
    n, k = near.shape
    average = csr_array(
        (np.full(n * k, 1 / k, np.float32), near.ravel(), np.arange(0, n * k + 1, k)), shape=(n, len(values))
    )
    return np.asarray(average @ values)


def _length(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.sqrt(np.einsum("ij,ij->i", rows, rows).astype(np.float64))


def _over(products: NDArray[Any], length: NDArray[np.float64]) -> NDArray[np.float64]:
    return products.astype(np.float64) / np.maximum(length, 1e-9)


def in_groups(space: Space, X: Any, size: int, random: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Each cell compared with the others of a random group of about `size`."""
    n = X.shape[0]
    out: dict[str, NDArray[np.float64]] = {}
    for rows in np.array_split(random.permutation(n), max(1, round(n / size))):
        group = X[rows]
        company = Company.of(space, group, size)
        for name, values in company.measure(space, group, space.components.place(group), np.arange(rows.size)).items():
            out.setdefault(name, np.empty(n))[rows] = values
    return out


def align(values: NDArray[np.float64], to: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move and squeeze `values`, never the other way, so that their lower quantiles are no higher than `to`.

    What a new batch moves in every cell is not what makes a cell new.
    """
    low, middle, high = np.quantile(values, ALIGN)
    moved = values - max(0.0, middle - to[1])
    squeeze = max(1.0, (high - low) / max(to[2] - to[0], 1e-12))
    return np.where(moved > to[1], to[1] + (moved - to[1]) / squeeze, moved)
