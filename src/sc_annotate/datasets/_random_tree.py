"""Cell types as the leaves of a random binary tree, and their expression profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Share of the genes that a branch changes; the spread of log mean expression over genes.
_CHANGED = 0.15
_BASE_SD = 1.3


@dataclass(frozen=True, eq=False)
class Tree:
    """Nodes are numbered so that a parent comes before its children; node 0 is the root."""

    parent: NDArray[np.intp]
    """Parent of each node, shape (2 k - 1,); -1 for the root."""
    leaves: NDArray[np.intp]
    """The k types as nodes, depth first, so that siblings are neighbours."""
    broad: NDArray[np.intp]
    """For each type its ancestor (or itself) in a cut of the tree."""
    names: list[str]
    """Name of each node: root, node_01, ..., type_01, ..."""


def grow(n_types: int, rng: np.random.Generator) -> Tree:
    """Split a random leaf in two until there are `n_types`; the cut is the leaves at about the square root of that."""
    parent, children = [-1], {}
    leaves = cut = [0]
    n_broad = min(n_types, max(2, round(n_types**0.5)))
    while len(leaves) < n_types:
        at = int(rng.integers(len(leaves)))
        pair = [len(parent), len(parent) + 1]
        children[leaves[at]] = pair
        parent += [leaves[at]] * 2
        # In place of their parent, so that the order stays depth first.
        leaves = [*leaves[:at], *pair, *leaves[at + 1 :]]
        if len(leaves) == n_broad:
            cut = leaves
    broad = []
    for leaf in leaves:
        node = leaf
        while node not in cut:
            node = parent[node]
        broad.append(node)
    names = ["root"] * len(parent)
    for form, nodes in (("type", leaves), ("node", sorted(set(children) - {0}))):
        digits = max(2, len(str(len(nodes))))
        for i, node in enumerate(nodes):
            names[node] = f"{form}_{i + 1:0{digits}d}"
    return Tree(np.array(parent), np.array(leaves), np.array(broad), names)


def log_profiles(tree: Tree, n_genes: int, strength: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Log expression of each type, shape (types, genes): what all share plus the changes along its branches."""
    base = rng.normal(0, _BASE_SD, n_genes)
    shape = (tree.parent.size, n_genes)
    change = rng.normal(0, strength, shape) * (rng.random(shape) < _CHANGED)
    change[0] = 0
    for node in range(1, tree.parent.size):
        change[node] += change[tree.parent[node]]
    return base + change[tree.leaves]


def shares(log_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exponentiate and scale the last axis to sum to 1."""
    values = np.exp(log_values - log_values.max(axis=-1, keepdims=True))
    out: NDArray[np.float64] = values / values.sum(axis=-1, keepdims=True)
    return out


def apportion(n_cells: int, frequency: NDArray[np.float64]) -> NDArray[np.intp]:
    """Type of each cell, sorted: as many of each as `frequency` says, at least one."""
    spare = n_cells - frequency.size
    upto = np.rint(np.cumsum(frequency) * spare).astype(np.intp)
    return np.repeat(np.arange(frequency.size), np.diff(upto, prepend=0) + 1)


def by_type_and_batch(
    log_p: NDArray[np.float64], shift: NDArray[np.float64], frequency: NDArray[np.float64], ambient: float
) -> NDArray[np.float64]:
    """Profile of each type in each batch, batches running faster, ambient molecules mixed in."""
    p = shares(log_p[:, None, :] + shift)
    p = (1 - ambient) * p + ambient * np.tensordot(frequency, p, axes=1)
    return p.reshape(-1, p.shape[-1])
