"""What a cell shares with similar cells of the query, beyond being of one of the known types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, issparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.trust._space import Seen, Space

SHARED = ("shared_within", "shared_residual")

LEAST = 20
"""Fewer cells than this say nothing about one another."""
# One in so many of the cells compared with is a neighbour, and at most so many.
_ONE_IN, _MOST = 10, 25
# Low enough shares of the query to lie among known cells as long as no more than about two in three are unseen.
ALIGN = (0.05, 0.15, 0.30)
# Distances that are held at a time: they stay in the processor's cache.
_DISTANCES = 200_000
# Genes whose residuals are worked out at a time.
_GENES = 256


@dataclass(frozen=True)
class Neighbourhood:
    """Cells of a query that its other cells are compared with.

    ``white`` and ``off`` are cells x components: see :class:`Seen`. ``rest`` is what the components leave of
    their scaled genes, genes x cells, and once more multiplied by the genes' scale, so that its product with a cell's own
    values is that of two residuals, but for ``shift`` (cells). Both are None where the components explain all of it.

    The cells stand by their nearest type, so that neighbours lie close together in memory; ``stands`` is where each of
    those that were handed in went.
    """

    n_neighbors: int
    stands: NDArray[np.intp]
    white: NDArray[np.float32]
    off: NDArray[np.float32]
    rest: NDArray[np.float32] | None
    shift: NDArray[np.float32] | None

    @classmethod
    def of(cls, space: Space, X: Any, size: int) -> Neighbourhood:
        """From its cells, `size` or somewhat more; dense for a moment, so they should be a thousand or two."""
        n_neighbors = max(2, min(_MOST, size // _ONE_IN))
        components = space.components
        seen = space.see(X)
        order = np.argsort(seen.type, kind="stable")
        stands = np.empty_like(order)
        stands[order] = np.arange(order.size)
        white, off, place = seen.white[order], seen.off[order], seen.place[order]
        if not components.curve.size:
            return cls(n_neighbors, stands, white, off, None, None)
        scale = np.sqrt(components.weight)
        inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
        # The offset is twice the mean over the variance.
        center = components.offset[:-1] * inverse / 2
        # Genes x cells from the start, and worked on in place: it is the largest thing that an annotation holds.
        cells = X[order].T
        rest: NDArray[np.float32] = (
            cells.toarray(order="C") if issparse(cells) else np.array(cells, dtype=np.float32, order="C")
        )
        rest *= scale[:, None]
        rest -= center[:, None]
        turned, loadings = place.T, components.loadings * inverse[:, None]
        for start in range(0, len(rest), _GENES):
            genes = slice(start, start + _GENES)
            rest[genes] -= loadings[genes] @ turned
        shift = (center @ rest).astype(np.float32)
        rest *= scale[:, None]
        return cls(n_neighbors, stands, white, off, rest, shift)

    def measure(self, seen: Seen, own: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
        """How much of its displacement each cell shares with its nearest neighbours in the query.

        The length of their mean displacement along the cell's own. Noise is not shared and averages out, so 0 is
        expected of cells that differ from their type at random; and as each is compared with its own nearest type,
        cells between two types are not far off for having both as neighbours. ``own[i]`` is the place of cell i among
        these cells, so that it is no neighbour of itself; -1 where it is not one of them.
        """
        near = self._neighbors(seen.white, own)
        shared = np.einsum("ij,ij->i", seen.off, _mean_of(self.off, near))
        found = {"shared_within": _over(shared, _length(seen.off))}
        if self.rest is not None and self.shift is not None and seen.unexplained is not None:
            from sc_annotate.trust._kernels import mean_products

            cells = csr_array(seen.cells)
            product = mean_products(cells.indptr, cells.indices, cells.data, self.rest, near)
            # Both residuals lie across the components, so what the cell has along them takes no part.
            shared = product - self.shift[near].mean(axis=1)
            found["shared_residual"] = _over(shared, np.sqrt(seen.unexplained))
        return found

    def _neighbors(self, white: NDArray[np.float32], own: NDArray[np.intp]) -> NDArray[np.uint32]:
        from sc_annotate.trust._kernels import smallest

        n, m, k = len(white), len(self.white), min(self.n_neighbors, len(self.white) - 1)
        near = np.empty((n, k), dtype=np.uint32)
        # The length of the cell itself is the same for all neighbours.
        half = np.square(self.white).sum(axis=1) / 2
        step = max(1, _DISTANCES // m)
        for start in range(0, n, step):
            rows = slice(start, min(n, start + step))
            distance = white[rows] @ -self.white.T
            distance += half
            inside = np.flatnonzero(own[rows] >= 0)
            distance[inside, self.stands[own[rows][inside]]] = np.inf
            near[rows] = smallest(distance, k)
        return near


def _mean_of(values: NDArray[np.float32], near: NDArray[np.uint32]) -> NDArray[np.float32]:
    n, k = near.shape
    columns, starts = near.ravel().astype(np.int32), np.arange(0, n * k + 1, k, dtype=np.int32)
    average = csr_array((np.full(n * k, 1 / k, np.float32), columns, starts), shape=(n, len(values)))
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
        found = Neighbourhood.of(space, group, size).measure(space.see(group), np.arange(rows.size))
        for name, values in found.items():
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
