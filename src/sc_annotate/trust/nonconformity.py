"""Nonconformity scores of probabilities, and the calibration scores and groups of classes that thresholds come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.trust._probabilities import as_probabilities, ragged, stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    Pools = list[NDArray[np.float64]]
    from numpy.typing import NDArray


__all__ = ["SCORES", "nonconformity"]

SCORES = ("lac", "aps", "raps")


@public
def nonconformity(
    proba: ArrayLike, score: Literal["lac", "aps", "raps"] = "lac", *, penalty: float = 0.1, free: int = 1
) -> NDArray[np.float64]:
    """Score of every class for every cell; higher is stranger.

    Parameters
    ----------
    proba
        Probabilities, shape (n, k).
    score
        ``"lac"`` (least ambiguous sets): 1 - p. Sets are the smallest on average.

        ``"aps"`` (adaptive sets): the sum of the probabilities of the classes ranked before, 0 for the first. This is
        the score of Romano et al. without randomisation (their u = 1). Sets of hard cells are larger, those of easy
        cells smaller, so that coverage is more even.

        ``"raps"`` (regularised): ``"aps"`` plus `penalty` for each rank beyond the first `free`, which keeps
        sets from collecting many classes of tiny probability.

        Of equal probabilities the first class ranks first, as for ``argmax``.
    penalty, free
        Of ``"raps"``: lambda and k_reg of Angelopoulos et al. The penalty of the r-th class (1 is the first) is
        ``penalty * max(r - free, 0)``.

    Returns
    -------
    float64, shape (n, k). The class of the largest probability has the lowest score of its cell.

    Raises
    ------
    sc_annotate.errors.InputError
        What are no probabilities, an unknown score, or a negative penalty.

    References
    ----------
    LAC: Sadinle, Lei & Wasserman 2019, arXiv 1609.00451. APS: Romano, Sesia & Candes 2020, arXiv 2006.02544. RAPS:
    Angelopoulos et al. 2021, arXiv 2009.14193.

    Examples
    --------
    >>> from sc_annotate.trust import nonconformity
    >>> nonconformity([[0.25, 0.5, 0.25]]).tolist()
    [[0.75, 0.5, 0.75]]
    >>> nonconformity([[0.25, 0.5, 0.25]], "aps").tolist()
    [[0.5, 0.0, 0.75]]
    >>> nonconformity([[0.25, 0.5, 0.25]], "raps", penalty=0.125).tolist()
    [[0.625, 0.0, 1.0]]
    """
    if score not in SCORES:
        raise InputError(f"score must be one of {', '.join(map(repr, SCORES))}, not {score!r}.")
    if not (penalty >= 0 and np.isfinite(penalty)) or free < 0:
        raise InputError(f"penalty and free must be 0 or more, not {penalty!r} and {free!r}.")
    p = as_probabilities(proba)
    if score == "lac":
        return 1 - p
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.zeros_like(p)
    np.cumsum(np.take_along_axis(p, order[:, :-1], axis=1), axis=1, out=ranked[:, 1:])
    if score == "raps":
        ranked += penalty * np.maximum(np.arange(1, p.shape[1] + 1) - free, 0)
    out = np.empty_like(p)
    np.put_along_axis(out, order, ranked, axis=1)
    return out


def quantiles(pools: Pools, coverage: float, weights: Pools | None = None) -> NDArray[np.float64]:
    """The ``ceil((n + 1) * coverage)``-th lowest score of each pool; inf where it has too few for that.

    With weights, the lowest score up to which the cells weigh ``(n + 1) / n * coverage`` of all: the same for equal ones.
    """
    if not 0 < coverage < 1:
        raise InputError(f"coverage must lie between 0 and 1, both excluded, not {coverage!r}.")
    if weights is not None:
        return np.array([weighted_quantile(s, w, coverage) for s, w in zip(pools, weights, strict=True)])
    # 20 * 0.55 must not become 12 by rounding.
    ranks = [max(1, int(np.ceil((pool.size + 1) * coverage - 1e-9))) for pool in pools]
    return np.array([pool[r - 1] if r <= pool.size else np.inf for pool, r in zip(pools, ranks, strict=True)])


def weighted_quantile(ascending: NDArray[np.float64], weight: NDArray[np.float64], coverage: float) -> float:
    """The lowest score up to which the cells weigh ``(n + 1) / n * coverage`` of all; inf where all are too few."""
    n, share = ascending.size, np.cumsum(weight) / weight.sum()
    at = int(np.searchsorted(share, coverage * (n + 1) / n - 1e-9))
    return float(ascending[at]) if at < n else np.inf


def p_values(
    pools: Pools, group: NDArray[np.intp], scores: NDArray[np.float64], weights: Pools | None = None
) -> NDArray[np.float64]:
    """Share of the pool of each class (column) that is at least as strange, the cell itself counted in."""
    out = np.empty_like(scores)
    for j, g in enumerate(group):
        pool = pools[g + 1]
        below = np.searchsorted(pool, scores[:, j], side="left")
        above = pool.size - below
        if weights is not None:
            share = np.append(0, np.cumsum(weights[g + 1])) / weights[g + 1].sum()
            above = pool.size * np.maximum(1 - share[below], 0)
        out[:, j] = (1 + above) / (pool.size + 1)
    return out


def pack(pools: Pools, group: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
    """Numeric arrays to store."""
    starts = np.cumsum([0, *(pool.size for pool in pools)]).astype(np.int64)
    return {"scores": np.concatenate(pools), "starts": starts, "cluster": group.astype(np.int64)}


def unpack(arrays: Mapping[str, Any]) -> tuple[Pools, NDArray[np.intp]]:
    """What :func:`pack` was given, or an InputError."""
    scores, group = stored(arrays, "scores", "f").astype(np.float64), stored(arrays, "cluster", "i")
    starts = ragged(arrays, "starts", scores.size)
    pools = [scores[a:b] for a, b in zip(starts[:-1], starts[1:], strict=True)]
    if any(pool.size == 0 or (np.diff(pool) < 0).any() for pool in pools):
        raise InputError("the stored calibration scores are not sorted. Fit again.")
    if group.size < 2 or group.min() < -1 or group.max() >= len(pools) - 1:
        raise InputError("the stored groups of classes do not fit the scores. Fit again.")
    return pools, group.astype(np.intp)


def unpack_weights(arrays: Mapping[str, Any], pools: Pools) -> tuple[Pools | None, NDArray[np.float64] | None]:
    """The weights of the cells of each pool, and what bounds the thresholds, where they were stored; or an InputError."""
    weights = bound = None
    if "weights" in arrays:
        flat = stored(arrays, "weights", "f").astype(np.float64)
        if flat.shape != (sum(pool.size for pool in pools),) or not (np.isfinite(flat).all() and flat.min() > 0):
            raise InputError("the stored weights of calibration cells do not fit the scores. Fit again.")
        weights = np.split(flat, np.cumsum([pool.size for pool in pools])[:-1])
    if "bound" in arrays:
        bound = np.asarray(arrays["bound"])
        if bound.ndim != 2 or bound.shape[0] != 2 or not bound.size or bound.dtype.kind != "f":
            raise InputError("the stored bound of the thresholds is damaged. Fit again.")
        if not np.isfinite(bound).all() or (np.diff(bound, axis=1) < 0).any():
            raise InputError("the stored bound of the thresholds is damaged. Fit again.")
        bound = bound.astype(np.float64)
    return weights, bound


_POINTS = 257


def expected_coverage(
    proba: NDArray[np.float64], scores: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Thresholds, ascending, and the coverage that the probabilities themselves expect of the sets with each, shape (2, m).

    It is the mean probability of all classes in a set, the label among them whatever its score.
    """
    each = np.arange(len(proba))
    label = proba.argmax(axis=1)
    mass = proba * (weight / weight.sum())[:, None]
    start = float(mass[each, label].sum())
    mass[each, label] = 0
    order = np.argsort(scores, axis=None, kind="stable")
    q, coverage = scores.ravel()[order], np.minimum(start + np.cumsum(mass.ravel()[order]), 1.0)
    # As many points as a curve needs; the first has single labels only.
    at = np.unique(np.searchsorted(coverage, np.linspace(start, coverage[-1], _POINTS)).clip(0, q.size - 1))
    return np.array([np.append(q[0], q[at]), np.append(start, coverage[at])])


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
    # k-means warns where more clusters are requested than there are different points.
    n_clusters = max(1, min(n_clusters, np.unique(embedding, axis=0).shape[0]))
    if n_clusters == 1:
        cluster[members] = 0
        return cluster, left
    from sklearn.cluster import KMeans

    fitted = KMeans(n_clusters, n_init=10, random_state=rng).fit(embedding, sample_weight=weights)
    cluster[members] = np.unique(fitted.labels_, return_inverse=True)[1]
    return cluster, left
