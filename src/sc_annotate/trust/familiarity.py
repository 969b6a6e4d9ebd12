"""How far a cell lies from everything the reference has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.trust._components import as_cells, take
from sc_annotate.trust._sampling import folds, sample
from sc_annotate.trust._space import Space
from sc_annotate.trust._tail import TAIL_SIZE, fit_tail, tail

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

__all__ = ["PARTS", "Familiarity"]

PARTS = ("mahalanobis", "relative", "landmark", "residual", "energy")


PARAMS = ("n_components", "n_neighbors", "max_landmarks", "combine", "folds", "max_cells")


class Familiarity:
    """Scores how unfamiliar cells are, and p-values of those scores among held-out reference cells.

    Five measures are taken in the space of the leading principal components of the reference, genes scaled to unit
    variance:

    ``mahalanobis``
        distance to the nearest type's mean, with one shrunken covariance within types (Lee et al. 2018);
    ``relative``
        its square minus the squared distance to the overall mean with the overall covariance (Ren et al. 2021): what
        is unusual in every reference cell too, such as little depth, counts less;
    ``landmark``
        mean distance to the nearest of some kept reference cells, with the covariance within types;
    ``residual``
        log of the squared length that the components do not explain, minus what they leave unexplained in reference
        cells with as many detected genes; not there where the components explain all, as in an embedding;
    ``energy``
        minus the log of the summed exponentials of the outputs of a logistic regression (Liu et al. 2020): high for
        cells that lie between types.

    Each is brought to one scale, minus the log of the share of held-out reference cells that have as much of it or
    more, with an exponential tail beyond them. The score is the mean of the parts in `combine`, which is Fisher's way
    of combining p-values. Different new types show in different parts; the choice, the table behind it and where it
    fails are in ``docs/benchmarks_unfamiliar.md``. A cell with a small p-value is unlike the reference: of a type that
    is not there, or from another batch, a doublet, damaged. A large one does not say that its type is in the reference.

    Parameters
    ----------
    n_components
        Principal components; fewer where the cells or genes are fewer.
    n_neighbors, max_landmarks
        Nearest landmarks that ``landmark`` averages over, and how many are kept: rare types keep theirs longest.
    combine
        Which parts make the score.
    folds
        Reference cells are scored by a space fitted on the other folds.
    max_cells
        Cells to learn from: a random sample where there are more, with at least 50 of each type as far as there are.

    Attributes
    ----------
    reference_ : NDArray[np.float32]
        Scores of reference cells by spaces that had not seen them, ascending; of the random sample only.

    References
    ----------
    Lee et al. 2018, NeurIPS, arXiv 1807.03888. Ren et al. 2021, arXiv 2106.09022. Liu et al. 2020, NeurIPS, arXiv
    2010.03759. Fisher 1932, Statistical Methods for Research Workers, 4th edition.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust.familiarity import Familiarity
    >>> draw = np.random.default_rng(0)
    >>> known = draw.normal(size=(200, 30)).astype(np.float32)
    >>> codes = np.arange(200) % 2
    >>> known[codes == 1, :10] += 3
    >>> model = Familiarity(n_components=5).fit(known, codes)
    >>> new = draw.normal(size=(50, 30)).astype(np.float32)
    >>> new[:, :10] -= 4
    >>> bool((model.p_values(model.score(new)) < 0.05).mean() > 0.9)
    True
    """

    if TYPE_CHECKING:
        reference_: NDArray[np.float32]
        space_: Space
        tails_: dict[str, NDArray[np.float64]]
        n_genes_: int

    def __init__(
        self,
        n_components: int = 50,
        n_neighbors: int = 15,
        max_landmarks: int = 1000,
        combine: tuple[str, ...] = ("mahalanobis", "relative", "residual", "energy"),
        folds: int = 5,
        max_cells: int = 5000,
    ) -> None:
        self.n_components, self.n_neighbors, self.max_landmarks = n_components, n_neighbors, max_landmarks
        self.combine, self.folds, self.max_cells = combine, folds, max_cells

    def fit(self, X: Any, codes: ArrayLike, *, batch: ArrayLike | None = None, rng: int = 0) -> Self:
        """Learn the reference.

        Parameters
        ----------
        X
            Cells x genes, ``log1p`` of counts per 10,000, CSR or dense, genes already selected; or an embedding.
        codes
            Whole number of the type of each cell, shape (n,).
        batch
            Batch of each cell, shape (n,). With two or more, the folds are whole batches, so that the reference scores,
            and with them the p-values, allow for what differs between batches. None: folds of single cells.
        rng
            Seed; equal seeds give equal models.

        Raises
        ------
        sc_annotate.errors.InputError
            Values that are not finite, no gene that varies, lengths that differ, fewer than four cells, codes that are
            no whole numbers from 0, or parameters out of range.
        """
        self._check_params()
        matrix = as_cells(X)
        types = np.asarray(codes)
        if types.dtype.kind not in "iu" or types.ndim != 1 or (types.size and types.min() < 0):
            raise InputError("codes must be whole numbers from 0, one a cell: which type it is.")
        if types.size != matrix.shape[0]:
            raise InputError(f"X has {matrix.shape[0]} cells but codes has {types.size}. They must describe the same.")
        if types.size < 4:
            raise InputError(
                f"X has {types.size} cells, but distances need four or more. Hand in more of the reference."
            )
        types = types.astype(np.intp)
        random = np.random.default_rng(rng)
        kept, sampled = sample(types, self.max_cells, random)
        matrix, types = matrix[kept], types[kept]
        fold = folds(types, None if batch is None else np.asarray(batch)[kept], self.folds, random)
        held_out = self._held_out(matrix, types, fold, rng)
        self.space_ = self._fit_space(matrix, types, rng)
        self.n_genes_ = matrix.shape[1]
        # A fold may explain all of its cells where the whole does not, and the other way round.
        names = [
            name for name in PARTS if name in held_out and (name != "residual" or self.space_.components.curve.size)
        ]
        counted = sampled & np.isfinite(held_out["mahalanobis"])
        self.tails_ = {name: fit_tail(held_out[name][counted]) for name in names}
        self.reference_ = np.sort(self._combine({name: held_out[name][counted] for name in names}))
        return self

    def _fit_space(self, X: Any, codes: NDArray[np.intp], rng: int) -> Space:
        sizes = {k: getattr(self, k) for k in ("n_components", "n_neighbors", "max_landmarks")}
        return Space.fit(X, codes, **sizes, rng=rng)

    def _held_out(
        self, X: Any, codes: NDArray[np.intp], fold: NDArray[np.intp], rng: int
    ) -> dict[str, NDArray[np.float64]]:
        """Measures of each cell by a space fitted without its fold; NaN where the other folds have none of its type."""
        found: list[tuple[NDArray[np.intp], dict[str, NDArray[np.float64]]]] = []
        for i in np.unique(fold):
            rest = fold != i
            here = np.flatnonzero(~rest)
            taught = here[np.isin(codes[here], codes[rest])]
            if taught.size:
                found.append((taught, self._fit_space(X[rest], codes[rest], rng).measure(X[taught])))
        if sum(rows.size for rows, _ in found) < 2:
            raise InputError("no type has two cells (in two batches), so nothing can be held out. Hand in more cells.")
        out = {}
        for name in set.intersection(*(set(parts) for _, parts in found)):
            out[name] = np.full(codes.size, np.nan)
            for rows, parts in found:
                out[name][rows] = parts[name]
        return out

    def parts(self, X: Any) -> dict[str, NDArray[np.float32]]:
        """Each part of each cell, on the common scale: 0 most typical, 3 as 1 in 20 reference cells, no upper end."""
        measured = self._measure(X)
        return {name: tail(measured[name], self.tails_[name]).astype(np.float32) for name in self.tails_}

    def measures(self, X: Any) -> dict[str, NDArray[np.float64]]:
        """Each part of each cell on its own scale, such as distances; the higher, the farther."""
        measured = self._measure(X)
        return {name: measured[name] for name in self.tails_}

    def score(self, X: Any) -> NDArray[np.float32]:
        """How unfamiliar each cell is, shape (n,): the mean of the parts in `combine` that there are."""
        return self._combine(self._measure(X))

    def p_values(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Share of held-out reference cells with as high a score, the cell itself counted: never 0.

        If a cell is exchangeable with the reference cells, the chance of a value of a or less is about a. It is not
        exactly a, as the reference cells were scored by spaces fitted on fewer cells.
        """
        self._need_fitted()
        values = np.asarray(scores, dtype=np.float32)
        n = self.reference_.size
        return (1 + n - np.searchsorted(self.reference_, values, side="left")) / (n + 1)

    def threshold(self, false_alarms: float) -> float:
        """The score above which the p-value is below `false_alarms`; infinite where there are too few cells for that."""
        self._need_fitted()
        n = self.reference_.size
        allowed = int(np.ceil(false_alarms * (n + 1) - 1e-9)) - 2
        return float(self.reference_[n - 1 - allowed]) if allowed >= 0 else float("inf")

    def _measure(self, X: Any) -> dict[str, NDArray[np.float64]]:
        self._need_fitted()
        return self.space_.measure(as_cells(X, self.n_genes_))

    def _combine(self, measured: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float32]:
        used = [name for name in self.combine if name in self.tails_]
        # An embedding has no residual; if only that was asked for, all the others stand in.
        return np.mean([tail(measured[k], self.tails_[k]) for k in used or self.tails_], axis=0).astype(np.float32)

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What to store: numeric arrays, and a dict that JSON can hold."""
        self._need_fitted()
        tails = {f"tail_{name}": value for name, value in self.tails_.items()}
        params = {name: getattr(self, name) for name in PARAMS} | {"combine": list(self.combine)}
        return {"reference": self.reference_, **tails, **self.space_.to_arrays()}, {"params": params}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`to_arrays` gave; an InputError where it cannot be."""
        params = meta.get("params")
        if not isinstance(params, dict) or set(params) != set(PARAMS):
            raise InputError("the stored parameters are missing or of another version. Fit again.")
        model = cls(**params | {"combine": tuple(params["combine"])})
        model._check_params()
        model.space_ = Space.from_arrays(arrays, model.n_neighbors)
        model.n_genes_ = len(model.space_.components.loadings)
        names = [name for name in PARTS if f"tail_{name}" in arrays]
        if missing := set(PARTS) - {"residual"} - set(names):
            raise InputError(f"the stored tails lack {', '.join(sorted(missing))}. Fit again.")
        model.tails_ = take(arrays, "tail_", dict.fromkeys(names, (TAIL_SIZE,)))
        model.reference_ = take(arrays, "", {"reference": (None,)})["reference"]
        if model.reference_.size == 0 or (np.diff(model.reference_) < 0).any():
            raise InputError("the stored reference scores are not sorted. Fit again.")
        return model

    def _check_params(self) -> None:
        for name, least in {
            "n_components": 1,
            "n_neighbors": 1,
            "max_landmarks": 1,
            "folds": 2,
            "max_cells": 4,
        }.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise InputError(f"{name} is {value!r}, but must be a whole number, {least} or more.")
        if not self.combine or (unknown := [name for name in self.combine if name not in PARTS]):
            raise InputError(f"combine names {unknown if self.combine else 'nothing'}; choose of {', '.join(PARTS)}.")

    def _need_fitted(self) -> None:
        if not hasattr(self, "reference_"):
            raise InputError("this Familiarity is not fitted. Call fit(X, codes) first.")
