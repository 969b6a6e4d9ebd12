"""Rank correlation of many cells with many profiles at once, and the genes worth correlating over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _unit_ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Ranks along the rows, centred, of length 1: their products are Spearman's rho. A constant row becomes zeros."""
    ranks = np.asarray(rankdata(values, axis=1), dtype=np.float64)
    ranks -= (values.shape[1] + 1) / 2
    length = np.linalg.norm(ranks, axis=1, keepdims=True)
    return np.divide(ranks, length, out=np.zeros_like(ranks), where=length > 0)


def spearman(cells: NDArray[Any], profiles: NDArray[Any]) -> NDArray[np.float64]:
    """Spearman correlation, cells x profiles, ties at their mean rank; 0 where either has no differences."""
    if not len(cells):
        return np.zeros((0, len(profiles)))
    return np.asarray(_unit_ranks(cells) @ _unit_ranks(profiles).T)


def pair_markers(profiles: NDArray[Any], n: int) -> NDArray[np.int32]:
    """The `n` genes by which type a exceeds type b most: types x types x n (at most the number of genes).

    -1 fills up where fewer genes are higher in a than in b.
    """
    n_types, n_genes = profiles.shape
    n = min(n, n_genes)
    markers = np.full((n_types, n_types, n), -1, dtype=np.int32)
    for a in range(n_types):
        excess = profiles[a] - profiles
        top = np.argsort(-excess, axis=1, kind="stable")[:, :n]
        markers[a] = np.where(np.take_along_axis(excess, top, axis=1) > 0, top, -1)
    return markers
