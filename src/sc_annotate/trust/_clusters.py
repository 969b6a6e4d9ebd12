"""Classes whose scores are distributed alike, so that they can share a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BY = ("marginal", "label", "clustered")
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9)
SHARE = 0.3
CELLS_PER_CLUSTER = 50


def group_classes(
    scores: NDArray[np.float64],
    codes: NDArray[np.intp],
    k: int,
    *,
    by: str,
    min_cells: int,
    n_clusters: int | None,
    rng: int,
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Group of each class that shares a threshold (-1: that of all cells), and the cells left to find thresholds on."""
    if by not in BY:
        raise InputError(f"by must be one of {', '.join(map(repr, BY))}, not {by!r}.")
    if min_cells < 1 or (n_clusters is not None and n_clusters < 1):
        raise InputError(f"min_cells and n_clusters must be 1 or more, not {min_cells!r} and {n_clusters!r}.")
    if by == "clustered":
        return cluster_classes(scores, codes, k, min_cells=min_cells, n_clusters=n_clusters, rng=rng)
    group = np.full(k, -1, dtype=np.intp)
    if by == "label":
        enough = np.bincount(codes, minlength=k) >= min_cells
        group[enough] = np.arange(enough.sum())
    return group, np.ones(codes.size, dtype=bool)


def cluster_classes(
    scores: NDArray[np.float64], codes: NDArray[np.intp], k: int, *, min_cells: int, n_clusters: int | None, rng: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Cluster of each class, and the cells left to find thresholds on.

    The scheme of Ding et al.: a share of the cells of each class describes it by the quantiles of their scores, weighted
    k-means puts classes together, and the other cells give the thresholds, so that these hold in spite of the choice.

    Parameters
    ----------
    scores, codes
        Score of the true class, and true class, of each calibration cell.
    min_cells
        Classes with fewer cells get no cluster (-1); all their cells are left.
    n_clusters
        None: one for each two classes, but no more than there are times 50 cells left.
    """
    generator = np.random.default_rng(rng)
    n = np.bincount(codes, minlength=k)
    members = np.flatnonzero((n >= min_cells) & (n >= 2))
    left = np.ones(codes.size, dtype=bool)
    cluster = np.full(k, -1, dtype=np.intp)
    if members.size == 0:
        return cluster, left
    shapes, weights = [], []
    for c in members:
        cells = generator.permutation(np.flatnonzero(codes == c))
        used = cells[: max(1, round(SHARE * cells.size))]
        left[used] = False
        shapes.append(np.quantile(scores[used], LEVELS))
        weights.append(np.sqrt(used.size))
    embedding = np.array(shapes)
    if n_clusters is None:
        n_left = int((left & np.isin(codes, members)).sum())
        n_clusters = min(members.size // 2, n_left // CELLS_PER_CLUSTER)
    # k-means warns where it is asked for more clusters than there are different points.
    n_clusters = max(1, min(n_clusters, np.unique(embedding, axis=0).shape[0]))
    if n_clusters == 1:
        cluster[members] = 0
        return cluster, left
    from sklearn.cluster import KMeans

    fitted = KMeans(n_clusters, n_init=10, random_state=rng).fit(embedding, sample_weight=weights)
    cluster[members] = np.unique(fitted.labels_, return_inverse=True)[1]
    return cluster, left
