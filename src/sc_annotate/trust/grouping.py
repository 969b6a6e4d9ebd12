"""How groups of cells are found, and how far they lie from known types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, issparse

from sc_annotate._core.arrays import leading_directions

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Variance between cells that every gene has in addition, as a share of the mean variance within types.
_FLOOR = 0.04
# Smallest standard error, as a share of the same.
_LEAST = 1e-3
# How often types and the shift from them are worked out in turn; tries of k-means, and steps of one.
_ROUNDS, _STARTS, _STEPS = 3, 4, 50
# Variance between batches where only one was seen, as a share of the mean variance within types.
_ONE_BATCH = 0.4


@dataclass(frozen=True)
class Found:
    """Groups of a query, tested; the farthest first."""

    weights: NDArray[np.float32]
    """Genes x centres: with ``offsets``, a cell belongs to the centre with the largest product."""
    offsets: NDArray[np.float32]
    number: NDArray[np.intp]
    """Group of each centre: several may be of one unseen type."""
    statistic: NDArray[np.float64]
    nearest: NDArray[np.intp]
    """The most similar known type."""
    apart: NDArray[np.float32]
    """Groups x genes: how far above (or, negative, below) all known types it lies, in standard errors; 0 among them."""

    @classmethod
    def of(
        cls,
        tested: Tested,
        n: NDArray[np.int64],
        number: NDArray[np.intp],
        types: Types,
        weights: NDArray[np.float32],
        offsets: NDArray[np.float64],
        genes: NDArray[np.bool_] | None,
    ) -> Found:
        """From what is found of the centres, of `n` cells each: those of one `number` are one."""
        k = int(number.max()) + 1
        cells = np.zeros((k, len(n)))
        cells[number, np.arange(len(n))] = n
        # Of centres that are one group, the statistic is that of the farthest, and the type that of the largest.
        statistic = np.zeros(k)
        np.maximum.at(statistic, number, tested.statistic)
        largest = cells.argmax(axis=1)
        moved = cells @ tested.moved / cells.sum(axis=1, keepdims=True)
        above = np.maximum(moved - types.means.max(axis=0), 0) - np.maximum(types.means.min(axis=0) - moved, 0)
        apart = np.zeros((k, len(weights)), dtype=np.float32)
        apart[:, slice(None) if genes is None else genes] = above / tested.error[largest]
        return cls(weights, offsets.astype(np.float32), number, statistic, tested.nearest[largest], apart)

    def assign(self, X: Any) -> NDArray[np.intp]:
        """The group of each cell."""
        near = np.asarray(X @ self.weights, dtype=np.float32) + self.offsets
        group: NDArray[np.intp] = self.number[near.argmax(axis=1)]
        return group


@dataclass(frozen=True)
class Types:
    """What is known of some types: their means, the cells behind these, and the variances of the genes."""

    means: NDArray[np.float64]
    sizes: NDArray[np.int64]
    within: NDArray[np.float64]
    """Between cells of a type."""
    between: NDArray[np.float64]
    """Between the means of a type in several batches, beyond what cells do."""

    @property
    def spread(self) -> NDArray[np.float64]:
        """What genes are divided by."""
        spread: NDArray[np.float64] = np.sqrt(self.within + max(_FLOOR * self.within.mean(), 1e-12))
        return spread

    def of(self, kept: NDArray[np.bool_] | None = None, genes: NDArray[np.bool_] | None = None) -> Types:
        """Some of the types, on some of the genes."""
        types = slice(None) if kept is None else kept
        columns = slice(None) if genes is None else genes
        return Types(self.means[types][:, columns], self.sizes[types], self.within[columns], self.between[columns])

    def split(
        self, X: Any, n_groups: int, n_components: int, rng: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
        """Group of each cell, the groups' centres among the components of these cells, and the loadings of those."""
        scale = 1 / self.spread
        if issparse(X):
            # Worked on in place, and they stand where those of the cells do: nothing is held twice.
            values = scale[X.indices]
            values *= X.data
            Z = csr_array((values, X.indices, X.indptr), shape=X.shape)
        else:
            Z = X * scale
        center = np.asarray(Z.T @ np.ones(Z.shape[0])) / Z.shape[0]
        _, vt = leading_directions(Z, center, max(1, min(n_components, min(Z.shape) - 1)), rng)
        shift = center @ vt.T
        place = np.asarray(Z @ vt.T) - shift
        centers = k_means(place, n_groups, rng)
        kept, group = np.unique(nearest(place, centers), return_inverse=True)
        return group, centers[kept] + shift, scale[:, None] * vt.T

    def test(self, own: NDArray[np.float64], n: NDArray[np.intp], n_genes: int) -> Tested:
        """How far the means of groups of `n` cells each lie from the types."""
        scale = 1 / self.spread
        scaled = self.means * scale
        shift = np.zeros(own.shape[1])
        near = nearest(own * scale, scaled)
        for _ in range(_ROUNDS if len(own) > 2 else 0):
            off = own - self.means[near]
            of = np.unique(near)
            # One vote a type, as one type may have most groups.
            votes = [np.average(off[near == t], axis=0, weights=n[near == t]) for t in of] if len(of) > 2 else off
            shift = np.median(votes, axis=0)
            near = nearest((own - shift) * scale, scaled)
        moved = own - shift
        noise = self.between + self.within * (1 / n[:, None] + 1 / self.sizes[near][:, None])
        error = np.sqrt(noise + _LEAST * self.within.mean() + 1e-12)
        far = np.abs(moved - self.means[near]) / error
        k = min(n_genes, far.shape[1])
        return Tested(np.partition(far, far.shape[1] - k, axis=1)[:, -k:].mean(axis=1), near, moved, error)


@dataclass(frozen=True)
class Tested:
    """What is found of some groups."""

    statistic: NDArray[np.float64]
    nearest: NDArray[np.intp]
    moved: NDArray[np.float64]
    """Their means, without what all have in common beside their types."""
    error: NDArray[np.float64]
    """Standard errors of these."""


def learn_types(X: Any, types: NDArray[np.intp], batch: NDArray[np.intp]) -> Types:
    """Means of the types, and the variances of each gene, rounded as a file holds them."""
    means, sizes = means_of(X, types)
    square = X.power(2) if issparse(X) else X**2
    second = np.asarray(square.mean(axis=0, dtype=np.float64)).ravel()
    within = np.maximum(second - (sizes[:, None] * means**2).sum(axis=0) / types.size, 0)
    within *= types.size / max(1, types.size - len(means))
    total, freedom = np.zeros(len(within)), 0
    for code in range(len(means)):
        rows = np.flatnonzero(types == code)
        of, n = means_of(X[rows], batch[rows])
        of, n = of[n >= 5], n[n >= 5]
        if len(of) > 1:
            total += (len(of) - 1) * (of.var(axis=0, ddof=1) - within * (1 / n).mean())
            freedom += len(of) - 1
    between = np.maximum(total / max(1, freedom), 0)
    # Few batches say little about each gene.
    between = (between + between.mean()) / 2 if freedom else np.full(len(within), _ONE_BATCH * within.mean())
    means, within, between = (a.astype(np.float32).astype(np.float64) for a in (means, within, between))
    return Types(means, sizes.astype(np.int64), within, between)


def means_of(X: Any, codes: NDArray[np.intp], k: int | None = None) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean of the cells of each code, and their number."""
    n = np.bincount(codes, minlength=k or 0)
    sums = csr_array((np.ones(codes.size), (codes, np.arange(codes.size))), shape=(n.size, codes.size)) @ X
    return np.asarray(sums.todense() if issparse(sums) else sums) / np.maximum(n, 1)[:, None], n


def nearest(cells: NDArray[np.float64], to: NDArray[np.float64]) -> NDArray[np.intp]:
    near: NDArray[np.intp] = (cells @ to.T - np.square(to).sum(axis=1) / 2).argmax(axis=1)
    return near


def join(tested: Tested, flagged: NDArray[np.bool_], types: Types) -> NDArray[np.intp]:
    """Number of each group, 0 the farthest; a flagged one joins a flagged one that is nearer than its nearest type."""
    places = tested.moved / types.spread
    own = np.square(places - types.means[tested.nearest] / types.spread).sum(axis=1)
    first: list[int] = []
    number = np.empty(len(places), dtype=np.intp)
    for i in np.argsort(-tested.statistic, kind="stable"):
        number[i] = len(first)
        if flagged[i] and first:
            distance = np.square(places[first] - places[i]).sum(axis=1)
            nearest = int(distance.argmin())
            if distance[nearest] < own[i]:
                number[i] = nearest
                continue
        first.append(int(i))
    return number


def k_means(cells: NDArray[np.float64], k: int, rng: int) -> NDArray[np.float64]:
    """Centres of at most `k` groups, the tightest of a few tries; the same for the same seed on any number of threads."""
    random = np.random.default_rng(rng)
    best, tightest = cells[:1], np.inf
    for _ in range(_STARTS):
        centers = _first_centers(cells, k, random)
        near = np.full(len(cells), -1)
        for _ in range(_STEPS):
            before, near = near, nearest(cells, centers)
            if np.array_equal(before, near):
                break
            means, n = means_of(cells, near, k)
            centers = np.where(n[:, None] > 0, means, centers)
        spread = float(np.square(cells - centers[near]).sum())
        if spread < tightest:
            best, tightest = centers, spread
    return best


def _first_centers(cells: NDArray[np.float64], k: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Cells far from each other (k-means++, Arthur & Vassilvitskii 2007)."""
    chosen = [int(random.integers(len(cells)))]
    distance = np.square(cells - cells[chosen[0]]).sum(axis=1)
    while len(chosen) < k and distance.sum() > 0:
        chosen.append(int(random.choice(len(cells), p=distance / distance.sum())))
        distance = np.minimum(distance, np.square(cells - cells[chosen[-1]]).sum(axis=1))
    centers: NDArray[np.float64] = cells[chosen]
    return centers if len(chosen) == k else np.vstack([centers, np.repeat(centers[:1], k - len(chosen), axis=0)])
