"""Principal components of genes over conditions, with the control among these, and without one condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.directions import thin_svd
from sc_annotate.predictors._downdate import downdated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.predictors._screen import Screen


@dataclass(frozen=True, eq=False)
class GenePCA:
    """Genes are observations, conditions (the control last) are variables, centred and not scaled.

    The scores of genes are ``basis * values``. Leaving a condition out stays within the same basis: where all components
    are kept, its scores are ``basis @ without(i, k)``, exactly.
    """

    basis: NDArray[np.float64]
    """Genes x r, orthonormal columns."""
    values: NDArray[np.float64]
    """Singular values, shape (r,)."""
    loadings: NDArray[np.float64]
    """Conditions and control x r, orthonormal columns."""

    @classmethod
    def of(cls, screen: Screen, k: int | None = None) -> GenePCA:
        """Of the profiles (not the changes) of a screen; the first `k` components, or all of them."""
        profiles = np.concatenate([screen.mean, screen.control[None]])
        profiles -= profiles.mean(axis=1, keepdims=True)
        if k == 0 or not profiles.any():
            return cls(np.zeros((len(screen.genes), 0)), np.zeros(0), np.zeros((len(profiles), 0)))
        return cls(*thin_svd(profiles.T, k))

    def all(self, k: int) -> NDArray[np.float64]:
        """Scores of the first `k` components as combinations of the basis, r x k."""
        return np.eye(len(self.values))[:, :k] * self.values[:k]

    def without(self, i: int, k: int) -> NDArray[np.float64]:
        """The same of an analysis without condition `i`."""
        if not len(self.values):
            return self.all(k)
        eigenvalues, vectors = downdated(self.values**2, self.values * self.loadings[i], k)
        return vectors * np.sqrt(np.maximum(eigenvalues, 0))
