"""What a cell shares with the cells of the query that are most like it, beyond being of one of the known types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, issparse

from sc_annotate.trust._space import squares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sc_annotate.trust._space import Space

SHARED = ("shared_within", "shared_residual")

LEAST = 20
"""Fewer cells than this say nothing about one another."""
# One in so many of the company is a neighbour, and at most so many.
_ONE_IN, _MOST = 10, 25
# Low enough shares of the query to lie among known cells as long as no more than about two in three are unseen.
ALIGN = (0.05, 0.15, 0.30)
# Values of a dense block of cells x genes.
_BLOCK = 4_000_000


@dataclass(frozen=True)
class Displaced:
    """How cells differ from the nearest type's mean: whitened, in the components, and gene by gene off them.

    ``rest`` is None where the components explain everything.
    """

    white: NDArray[np.float32]
    off: NDArray[np.float32]
    rest: NDArray[np.float32] | None

    @classmethod
    def of(cls, space: Space, X: Any) -> Displaced:
        """Of cells x genes; dense, so for some cells at a time."""
        place = space.components.place(X)
        white = place @ space.within
        off = white - space.means[squares(white, space.means).argmin(axis=1)]
        components = space.components
        rest = None
        if components.curve.size:
            scale = np.sqrt(components.weight)
            inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
            dense = np.asarray(X.toarray() if issparse(X) else X, dtype=np.float32)
            rest = dense * scale
            # The offset is twice the mean over the variance.
            rest -= components.offset[:-1] * inverse / 2
            rest -= place @ (components.loadings * inverse[:, None]).T
        return cls(white, off, rest)

    def __getitem__(self, rows: NDArray[np.intp]) -> Displaced:
        return Displaced(self.white[rows], self.off[rows], None if self.rest is None else self.rest[rows])


def measure(cells: Displaced, company: Displaced, own: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
    """How much of its displacement each cell shares with its nearest neighbours in the company.

    The length of their mean displacement along the cell's own. Noise is not shared and averages out, so 0 is expected
    of cells that differ from their type at random; and as each is compared with its own nearest type, cells between
    two types are not far off for having both as neighbours. ``own[i]`` is the place of cell i in the company, which is
    no neighbour of itself; -1 where it is not in it.
    """
    n, m = len(cells.white), len(company.white)
    k = max(2, min(_MOST, m // _ONE_IN))
    distance = squares(cells.white, company.white)
    inside = np.flatnonzero(own >= 0)
    distance[inside, own[inside]] = np.inf
    near = np.argpartition(distance, k - 1, axis=1)[:, :k]
    average = csr_array((np.full(n * k, 1 / k, np.float32), near.ravel(), np.arange(0, n * k + 1, k)), shape=(n, m))
    found = {"shared_within": _along(cells.off, average @ company.off)}
    if cells.rest is not None:
        found["shared_residual"] = _along(cells.rest, average @ company.rest)
    return found


def _along(own: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    length = np.sqrt(np.einsum("ij,ij->i", own, own))
    return np.einsum("ij,ij->i", own, others).astype(np.float64) / np.maximum(length, 1e-9)


def row_blocks(n: int, n_genes: int) -> Iterator[slice]:
    """Rows whose dense values stay within some megabytes."""
    step = max(1, _BLOCK // max(1, n_genes))
    for start in range(0, n, step):
        yield slice(start, min(n, start + step))


def in_groups(cells: Displaced, size: int, random: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Each cell compared with the others of a random group of about `size`."""
    n = len(cells.white)
    out: dict[str, NDArray[np.float64]] = {}
    for rows in np.array_split(random.permutation(n), max(1, round(n / size))):
        group = cells[rows]
        for name, values in measure(group, group, np.arange(rows.size)).items():
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
