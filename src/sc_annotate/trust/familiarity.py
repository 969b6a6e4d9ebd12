"""How far a cell lies from the reference, whatever it was called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.evaluation import grouped, stratified
from sc_annotate.trust._probabilities import need_fitted, stored, stored_number
from sc_annotate.trust._space import Space, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import NDArray

__all__ = ["Familiarity"]

N_FOLDS = 5


class Familiarity:
    """Distance of cells to a labelled reference, with p-values against held-out reference cells.

    Two distances are measured in the space of the reference's principal components (genes scaled to unit variance),
    whitened by the covariance within types: ``mahalanobis``, to the centre of the nearest type, and ``neighbors``, the
    mean distance to the nearest landmarks (reference cells, at most `n_landmarks`, with some of each type). Each is
    standardised by held-out reference cells; the score is their mean.

    It sees new types that differ in what varies in the reference. It does not see a type close to a known one, and it
    takes batch effects for strangeness.

    Parameters
    ----------
    n_components
        Principal components; fewer where there are fewer cells or genes.
    n_neighbors, n_landmarks
        Of the second distance.

    Attributes
    ----------
    reference_ : NDArray
        Scores of held-out reference cells, float64, sorted.

    References
    ----------
    Lee et al. 2018, arXiv 1807.03888 (Mahalanobis distance by class with a shared covariance). Sun et al. 2022,
    arXiv 2204.06507 (nearest neighbours).

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import Familiarity
    >>> rng = np.random.default_rng(0)
    >>> codes = np.arange(200) % 2
    >>> X = rng.normal(size=(200, 10)) + 4 * codes[:, None]
    >>> known = Familiarity().fit(X, codes)
    >>> far = known.p_values(known.score(np.array([[9.0, -9.0] * 5])))
    >>> bool(far[0] < 0.01)
    True
    """

    if TYPE_CHECKING:
        space_: Space
        center_: NDArray[np.float64]  # mean of each part over held-out reference cells
        spread_: NDArray[np.float64]  # and standard deviation
        reference_: NDArray[np.float64]

    PARTS: ClassVar = ("mahalanobis", "neighbors")

    def __init__(self, n_components: int = 50, n_neighbors: int = 15, n_landmarks: int = 1000) -> None:
        self.n_components, self.n_neighbors, self.n_landmarks = n_components, n_neighbors, n_landmarks

    def fit(self, X: Any, codes: NDArray[np.intp], *, batch: NDArray[np.str_] | None = None, rng: int = 0) -> Self:
        """Learn the reference, and how far its own cells lie from it while they are held out.

        Parameters
        ----------
        X
            Cells x genes, log values (or a representation), CSR or dense.
        codes
            Type of each cell, 0 to k - 1, shape (n,).
        batch
            Batch of each cell; whole batches are then held out, so that a shift between batches is no surprise.
        rng
            Seed of folds and landmarks.

        Raises
        ------
        sc_annotate.errors.InputError
            Fewer than four cells, or codes of other cells.
        """
        types = np.asarray(codes)
        if types.shape != (X.shape[0],) or len(types) < 4:
            raise InputError(
                f"familiarity needs at least four cells with one code each, not {X.shape[0]} and {types.shape}."
            )
        names = types.astype(str)
        if batch is not None and len(np.unique(batch)) > 1:
            folds = grouped(names, batch, min(N_FOLDS, len(np.unique(batch))), rng=rng)
        else:
            folds = stratified(names, min(N_FOLDS, len(types)), rng=rng)
        held = np.empty((len(types), len(self.PARTS)))
        for fold in folds:
            held[fold.test] = self._raw(self._space(X[fold.train], types[fold.train], rng), X[fold.test])
        self.space_ = self._space(X, types, rng)
        self.center_, spread = held.mean(axis=0), held.std(axis=0)
        self.spread_ = np.where(spread > 0, spread, 1.0)
        self.reference_ = np.sort(((held - self.center_) / self.spread_).mean(axis=1))
        return self

    def _space(self, X: Any, codes: NDArray[np.intp], rng: int) -> Space:
        return Space.of(X, codes, n_components=self.n_components, n_landmarks=self.n_landmarks, rng=rng)

    def _raw(self, space: Space, X: Any) -> NDArray[np.float64]:
        where = space.coordinates(X)
        k = min(self.n_neighbors, len(space.landmarks))
        return np.stack([nearest(where, space.centers, 1), nearest(where, space.landmarks, k)], axis=1)

    def parts(self, X: Any) -> dict[str, NDArray[np.float64]]:
        """Each distance by its name, standardised, shape (n,)."""
        need_fitted(self, "reference_")
        values = (self._raw(self.space_, X) - self.center_) / self.spread_
        return dict(zip(self.PARTS, values.T, strict=True))

    def score(self, X: Any) -> NDArray[np.float32]:
        """How far each cell lies from the reference, float32, shape (n,).

        0 for a typical cell of it, 1 for one that is a standard deviation farther.
        """
        return np.mean(list(self.parts(X).values()), axis=0).astype(np.float32)

    def p_values(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Share of held-out reference cells at least as far: (1 + their number) / (n + 1), shape (n,)."""
        need_fitted(self, "reference_")
        n = len(self.reference_)
        farther = n - np.searchsorted(self.reference_, np.asarray(scores, dtype=np.float64), side="left")
        return np.asarray((1 + farther) / (n + 1))

    def threshold(self, false_alarms: float) -> float:
        """The score above which the p-value is below `false_alarms`; infinite where there are too few cells for that."""
        need_fitted(self, "reference_")
        n = len(self.reference_)
        allowed = int(np.ceil(false_alarms * (n + 1) - 1e-9)) - 2
        return float(self.reference_[n - 1 - allowed]) if allowed >= 0 else float("inf")

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What to store: numeric arrays, and a dict that JSON can hold."""
        need_fitted(self, "reference_")
        arrays: dict[str, NDArray[Any]] = {
            "basis": self.space_.basis,
            "offset": self.space_.offset,
            "centers": self.space_.centers,
            "landmarks": self.space_.landmarks,
            "center": self.center_,
            "spread": self.spread_,
            "reference": self.reference_,
        }
        return arrays, {
            "n_components": self.n_components,
            "n_neighbors": self.n_neighbors,
            "n_landmarks": self.n_landmarks,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`to_arrays` gave; an InputError where it cannot be."""
        model = cls(
            **{name: int(stored_number(meta, name, 1, 1e6)) for name in ("n_components", "n_neighbors", "n_landmarks")}
        )
        found = {
            name: np.asarray(arrays.get(name, np.empty(0))) for name in ("basis", "offset", "centers", "landmarks")
        }
        d = found["offset"].size
        shaped = found["basis"].ndim == found["centers"].ndim == found["landmarks"].ndim == 2 and d > 0
        if not shaped or any(found[name].shape[1] != d for name in ("basis", "centers", "landmarks")):
            raise InputError("the stored space of the reference is not whole. Fit again.")
        model.space_ = Space(*(found[name].astype(np.float32) for name in ("basis", "offset", "centers", "landmarks")))
        model.center_, model.spread_ = (stored(arrays, name, "f").astype(np.float64) for name in ("center", "spread"))
        model.reference_ = stored(arrays, "reference", "f").astype(np.float64)
        if model.center_.size != len(cls.PARTS) or model.spread_.size != len(cls.PARTS) or (model.spread_ <= 0).any():
            raise InputError("the stored standardisation does not fit. Fit again.")
        if model.reference_.size == 0 or (np.diff(model.reference_) < 0).any():
            raise InputError("the stored reference scores are not sorted. Fit again.")
        return model
