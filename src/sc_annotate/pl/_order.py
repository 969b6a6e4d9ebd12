"""Put similar types next to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_OPTIMAL = 200
"""Types above which the best order of the leaves takes longer than a picture is worth."""


def by_similarity(shares: NDArray[np.floating]) -> NDArray[np.intp]:
    """Order of types such that those confused with each other are neighbours.

    Parameters
    ----------
    shares
        Types x types: how much of the row's type went to the column's; NaN counts as nothing.

    Returns
    -------
    Positions of the types. Where nothing is confused, the order stays as it was.
    """
    n = len(shares)
    similar = np.nan_to_num(np.asarray(shares, dtype=np.float64))
    similar = (similar + similar.T) / 2
    np.fill_diagonal(similar, 0)
    if n < 3 or not similar.any():
        return np.arange(n)
    distance = squareform(1 - similar / similar.max(), checks=False)
    tree = linkage(distance, "average")
    order = leaves_list(optimal_leaf_ordering(tree, distance) if n <= MOST_OPTIMAL else tree).astype(np.intp)
    # An order and its reverse are equally good; take the one that starts earlier in the alphabet.
    return order if order[0] < order[-1] else order[::-1]
