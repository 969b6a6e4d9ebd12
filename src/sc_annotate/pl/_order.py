"""Put similar types next to each other, and all others in natural order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

from sc_annotate._core.order import natural_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

MOST_OPTIMAL = 200
"""Types above which the best order of the leaves takes longer than a picture is worth."""

LEAST = 0.02
"""Share of two types in each other below which they count as not confused."""


def natural_ranks(names: Iterable[str]) -> NDArray[np.intp]:
    """The position of each name in natural order: "type 2" before "type 10"."""
    keys = [natural_key(str(name)) for name in names]
    ranks = np.empty(len(keys), dtype=np.intp)
    ranks[sorted(range(len(keys)), key=keys.__getitem__)] = np.arange(len(keys))
    return ranks


def in_natural_order(names: Iterable[str]) -> NDArray[np.intp]:
    """Positions that put names into natural order."""
    return np.argsort(natural_ranks(names))


def by_similarity(shares: NDArray[np.floating]) -> NDArray[np.intp]:
    """Order of types such that those confused with each other are neighbours.

    Parameters
    ----------
    shares
        Types x types: how much of the row's type went to the column's; NaN counts as nothing.

    Returns
    -------
    Positions of the types: groups of confused types, each in the best order of the leaves of its tree (Bar-Joseph et
    al. 2001); the groups, and all types that are confused with no other, stay in the order they had.
    """
    similar = np.nan_to_num(np.asarray(shares, dtype=np.float64))
    similar = (similar + similar.T) / 2
    np.fill_diagonal(similar, 0)
    similar[similar < LEAST] = 0
    n_groups, group = connected_components(csr_array(similar), directed=False)
    first = [int(np.flatnonzero(group == g)[0]) for g in range(n_groups)]
    ordered = [_chain(np.flatnonzero(group == g), similar) for g in np.argsort(first)]
    return np.concatenate(ordered) if ordered else np.arange(0)


def _chain(members: NDArray[np.intp], similar: NDArray[np.float64]) -> NDArray[np.intp]:
    if len(members) < 3:
        return members
    inside = similar[np.ix_(members, members)]
    distance = squareform(1 - inside / np.max(inside), checks=False)
    tree = linkage(distance, "average")
    leaves = leaves_list(optimal_leaf_ordering(tree, distance) if len(members) <= MOST_OPTIMAL else tree)
    # An order and its reverse are equally good; take the one that starts with the earlier type.
    return members[leaves if leaves[0] < leaves[-1] else leaves[::-1]]
