"""Prediction sets that hold the true class as often as requested."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.trust._probabilities import as_probabilities, check_fit, need_fitted, stored_number
from sc_annotate.trust.nonconformity import (
    BY,
    SCORES,
    expected_coverage,
    group_classes,
    nonconformity,
    p_values,
    pack,
    quantiles,
    unpack,
    unpack_weights,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Conformal"]


@public
@dataclass(eq=False)
class Conformal:
    """Split conformal prediction sets.

    Fitted on cells that the model was not trained on. If later cells are exchangeable with these (drawn alike: same
    tissue, same protocol, same mix of types), the sets hold the true class at least as often as requested, on average
    over calibration sets. A shift between batches breaks that, and so does a refit of the model on the calibration
    cells: sets from out-of-fold scores are close to the coverage but without its guarantee.

    The class of the largest probability is always in the set. Where labels are right more often than the coverage requested, sets are therefore single classes and cover as often as predictions are right.

    Calibration scores are kept whole, so that any coverage can be requested later.

    Of several batches, cells may be weighted so that each batch counts alike (``weight``), and the threshold bounded
    (``bounded``): where more than ``1 - coverage`` of the cells are wrong and sure of it, no threshold short of all types
    would include their types. It then stays where the probabilities themselves put a coverage of ``(1 + coverage) / 2``,
    and the sets of a new batch hold the true class less often than requested.

    Parameters
    ----------
    score
        See :func:`~sc_annotate.trust.nonconformity`.
    by
        ``"marginal"``: one threshold; the coverage holds over all cells, not for each type.

        ``"label"``: a threshold for each class from its own cells (Mondrian); the coverage holds for every type that
        did not fall back. Sets are larger, much larger where types have few calibration cells.

        ``"clustered"``: classes with alike score quantiles share a threshold (Ding et al. 2023), which needs fewer
        cells a class. 30 % of the cells choose the clusters, the others give the thresholds. The coverage holds
        over the cells of a cluster.
    min_cells
        Classes with fewer calibration cells take the threshold of all cells.
    penalty, free
        Of ``score="raps"``.
    n_clusters
        Of ``by="clustered"``; None: at most one for each two classes and for 50 cells.

    Attributes
    ----------
    fallback_ : dict[str, list[int]]
        ``{"marginal": [...]}``: the classes with fewer than `min_cells` calibration cells, which take the
        threshold of all cells. Nothing is promised for their own cells. :meth:`fallback` says it for a coverage.
    cluster_ : NDArray
        Group of each class that has a common threshold, shape (k,); -1 for the classes that fell back.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import Conformal
    >>> rng = np.random.default_rng(0)
    >>> proba = rng.dirichlet([1, 1, 1], size=2000)
    >>> codes = (proba.cumsum(axis=1) < rng.random((2000, 1))).sum(axis=1)
    >>> model = Conformal().fit(proba[:1000], codes[:1000])
    >>> sets = model.sets(proba[1000:], 0.9)
    >>> round(float(sets[np.arange(1000), codes[1000:]].mean()), 2), round(float(sets.sum(axis=1).mean()), 1)
    (0.9, 2.0)
    """

    score: Literal["lac", "aps", "raps"] = "lac"
    by: Literal["marginal", "label", "clustered"] = "marginal"
    min_cells: int = 10
    penalty: float = 0.1
    free: int = 1
    n_clusters: int | None = None

    if TYPE_CHECKING:
        pools_: list[NDArray[np.float64]] = field(init=False)  # sorted scores; the first pool holds all cells
        weights_: list[NDArray[np.float64]] | None = field(init=False)
        bound_: NDArray[np.float64] | None = field(
            init=False
        )  # thresholds, and the coverage that is expected with them
        cluster_: NDArray[np.intp] = field(init=False)  # pool of each class, less one
        fallback_: dict[str, list[int]] = field(init=False)

    @public
    def fit(
        self,
        proba: ArrayLike,
        codes: ArrayLike,
        *,
        weight: ArrayLike | None = None,
        bounded: bool = False,
        rng: int = 0,
    ) -> Self:
        """Keep the scores of the true classes.

        Parameters
        ----------
        proba
            Probabilities of cells that the model was not trained on, shape (n, k).
        codes
            Column of the true class of each cell, shape (n,).
        weight
            How much each cell counts, shape (n,), above 0. None: all alike.
        bounded
            Whether thresholds are bounded by the coverage that the probabilities themselves give reason to expect.
        rng
            Seed of the choice of cells for ``by="clustered"``.

        Raises
        ------
        sc_annotate.errors.InputError
            What are no probabilities or no codes of them, no cells, or an unknown option.

        References
        ----------
        Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World. Ding et al. 2023, arXiv 2306.09335.
        """
        p, c = check_fit(proba, codes)
        own = self._scores(p)[np.arange(c.size), c]
        group, left = group_classes(
            own, c, p.shape[1], by=self.by, min_cells=self.min_cells, n_clusters=self.n_clusters, rng=rng
        )
        w = np.full(c.size, 1 / c.size) if weight is None else np.asarray(weight, dtype=np.float64)
        if w.shape != c.shape or not (np.isfinite(w).all() and w.min() > 0):
            raise InputError("weight must be one positive number for each cell.")
        order = np.argsort(own, kind="stable")
        masks = [np.ones(c.size, dtype=bool), *(left & (group[c] == g) for g in range(group.max() + 1))]
        rows = [order[mask[order]] for mask in masks]
        weights = None if np.ptp(w) == 0 else [w[each] for each in rows]
        bound = expected_coverage(p, self._scores(p), w) if bounded else None
        return self._set([own[each] for each in rows], group, weights, bound)

    def _set(
        self,
        pools: list[NDArray[np.float64]],
        group: NDArray[np.intp],
        weights: list[NDArray[np.float64]] | None,
        bound: NDArray[np.float64] | None,
    ) -> Self:
        self.pools_, self.cluster_, self.weights_, self.bound_ = pools, group, weights, bound
        fell = [] if self.by == "marginal" else np.flatnonzero(group < 0).tolist()
        self.fallback_ = {"marginal": fell}
        return self

    def _scores(self, proba: ArrayLike) -> NDArray[np.float64]:
        return nonconformity(proba, self.score, penalty=self.penalty, free=self.free)

    def _quantiles(self, coverage: float) -> NDArray[np.float64]:
        need_fitted(self, "pools_")
        q = quantiles(self.pools_, coverage, self.weights_)
        if self.bound_ is None:
            return q
        at = int(np.searchsorted(self.bound_[1], (1 + coverage) / 2 - 1e-9))
        return np.minimum(q, self.bound_[0, min(at, self.bound_.shape[1] - 1)])

    def thresholds(self, coverage: float) -> NDArray[np.float64]:
        """Highest score of a class with which it is in the set, shape (k,).

        A class whose own cells are too few for this coverage (fewer than 9 for 90 %, 19 for 95 %) takes the threshold
        of all cells, or its own highest score if that is higher. Where all cells are too few it is infinite: every
        class is in every set.
        """
        q = self._quantiles(coverage)
        highest = np.array([pool[-1] for pool in self.pools_])
        filled = np.where(np.isfinite(q), q, np.maximum(highest, q[0]))
        return filled[self.cluster_ + 1]

    def common_threshold(self, coverage: float) -> float:
        """Highest score of all cells together with which a class is in the set."""
        return float(self._quantiles(coverage)[0])

    def fallback(self, coverage: float) -> dict[str, list[int]]:
        """Classes without a threshold of their own at this coverage.

        Returns
        -------
        ``marginal``: those that take the threshold of all cells though another was requested. ``all_types``: those
        that are in every set, because all cells together are too few for this coverage.
        """
        q = self._quantiles(coverage)
        none = np.flatnonzero(~np.isfinite(self.thresholds(coverage))).tolist()
        fell = (self.cluster_ < 0) | ~np.isfinite(q[self.cluster_ + 1])
        own = self.by != "marginal" and not none
        return {"marginal": np.flatnonzero(fell & own).tolist(), "all_types": none}

    def sets(self, proba: ArrayLike, coverage: float, more: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Which classes are in the set of each cell, bool, shape (n, k); the label (``argmax``) always is.

        Sets grow with the coverage. `more` is added to the thresholds of each cell, shape (n,), such as for cells with few
        molecules.
        """
        threshold = self.thresholds(coverage)
        p = as_probabilities(proba, threshold.size)
        inside = self._scores(p) <= (threshold if more is None else threshold + np.asarray(more)[:, None])
        inside[np.arange(p.shape[0]), p.argmax(axis=1)] = True
        return inside

    def p_values(self, proba: ArrayLike) -> NDArray[np.float64]:
        """How often a calibration cell was at least as strange: (1 + cells with such a score) / (n + 1), shape (n, k).

        Not smoothed; n are the cells of the pool of the class (its own, its cluster's, or all). A class is in the set
        where its p-value exceeds 1 - coverage, unless its threshold fell back for that coverage. It cannot be below
        1 / (n + 1).
        """
        need_fitted(self, "pools_")
        scores = self._scores(as_probabilities(proba, self.cluster_.size))
        return p_values(self.pools_, self.cluster_, scores, self.weights_)

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What to store: numeric arrays, and a dict that JSON can hold."""
        need_fitted(self, "pools_")
        params = {"score": self.score, "by": self.by, "penalty": float(self.penalty), "free": int(self.free)}
        arrays = pack(self.pools_, self.cluster_)
        if self.weights_ is not None:
            arrays["weights"] = np.concatenate(self.weights_)
        if self.bound_ is not None:
            arrays["bound"] = self.bound_
        return arrays, params

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`to_arrays` gave; an InputError where it cannot be."""
        pools, group = unpack(arrays)
        weights, bound = unpack_weights(arrays, pools)
        if meta.get("score") not in SCORES or meta.get("by") not in BY:
            raise InputError("the stored sets are of a kind that this version does not know. Fit again.")
        penalty, free = float(stored_number(meta, "penalty", 0, 1e6)), int(stored_number(meta, "free", 0, 1e6))
        return cls(meta["score"], meta["by"], penalty=penalty, free=free)._set(pools, group, weights, bound)
