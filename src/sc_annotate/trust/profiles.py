"""What types look like in counts, and from where on a cell looks like two of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import public, whole
from sc_annotate._core.stored_arrays import Stored
from sc_annotate.errors import InputError
from sc_annotate.evaluation.allocation import deal, sample
from sc_annotate.trust._mixing import as_counts, mixing, profiles
from sc_annotate.trust._stored import stored_params, take

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array

__all__ = ["Profiles"]

# Reference cells that a threshold is taken from: fewer than this say nothing about 1 in 50.
_ENOUGH = 50
# Share of the molecules that other data must have genes for, so that the threshold holds for it.
_MOST = 0.9
_TINY = 1e-300


@public
@dataclass
class Profiles:
    """Profiles of the types of a reference, and the threshold between one cell and two.

    The reference should be free of doublets as far as it can be: if as many as `false_positive_rate` of its cells are
    doublets, the threshold moves up to them, and few are found. In three simulations with 10 % of doublets left in the
    reference, 14 to 18 % of new doublets were found, and 56 to 79 % with them taken out.

    Parameters
    ----------
    false_positive_rate
        Share of held-out reference cells that may be doublet-like.
    folds
        Reference cells, and doublets made by adding two of them of different types, are scored by profiles of the
        other folds.
    max_cells
        Cells to learn from: a random sample where there are more, with at least 50 of each type as far as there are.

    Attributes
    ----------
    types_ : NDArray[np.float64]
        Share of each gene in the molecules of each type, types x genes.
    mean_ : NDArray[np.float64]
        The same for all cells together: what ambient RNA looks like.
    doublet_threshold_ : float
        A cell is doublet-like above it: exceeded by `false_positive_rate` of held-out reference cells. Infinite where fewer
        than 50 cells could be held out.
    doublets_found_ : float
        Share of the made doublets above the threshold, NaN where there are none: how much to expect of it at best.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> from sc_annotate.trust import Profiles, low_quality, quality_measures
    >>> adata = sca.datasets.simulate_reference(600, 300, 4, doublets=0.1, rng=1)
    >>> single = ~adata.obs["is_doublet"].to_numpy()
    >>> known = Profiles().fit(adata.X[single], adata.obs["cell_type"].cat.codes.to_numpy()[single])
    >>> low = low_quality(quality_measures(adata.X, known), known.doublet_threshold_)
    >>> bool(low["doublet"][~single].mean() > 10 * low["doublet"][single].mean())
    True
    """

    false_positive_rate: float = 0.02
    folds: int = 3
    max_cells: int = 5000

    if TYPE_CHECKING:
        types_: NDArray[np.float64] = field(init=False)
        mean_: NDArray[np.float64] = field(init=False)
        doublet_threshold_: float = field(init=False)
        doublets_found_: float = field(init=False)

    @public
    def fit(self, counts: Any, codes: ArrayLike, *, rng: int = 0) -> Self:
        """Learn profiles and the threshold.

        Parameters
        ----------
        counts
            Cells x genes, counts, CSR or dense. A selection of genes will do for the profiles.
        codes
            Whole number from 0 of the type of each cell, shape (n,).
        rng
            Seed of the folds and of the made doublets.

        Raises
        ------
        sc_annotate.errors.InputError
            Negative or infinite values, codes of other cells, or parameters out of range.
        """
        self._check_params()
        matrix = as_counts(counts)
        types = np.asarray(codes)
        if types.dtype.kind not in "iu" or types.shape != (matrix.shape[0],) or (types.size and types.min() < 0):
            raise InputError("codes must be whole numbers from 0, one a cell of counts: which type it is.")
        if types.size == 0:
            raise InputError("counts has no cells to learn from. Hand in the reference.")
        random = np.random.default_rng(rng)
        kept, drawn = sample(types.astype(np.intp), self.max_cells, random)
        matrix = matrix[kept]
        present, types = np.unique(types[kept], return_inverse=True)
        self.types_, self.mean_ = profiles(matrix, types, present.size)
        self._set_threshold(matrix, types, drawn, random)
        return self

    def _set_threshold(
        self, counts: csr_array, types: NDArray[np.intp], drawn: NDArray[np.bool_], random: np.random.Generator
    ) -> None:
        """The threshold, from the cells that were `drawn` as they come; others are there to know their type by."""
        singles, doubles = [], []
        fold = deal(types, min(self.folds, types.size), random)
        for i in np.unique(fold):
            rest = fold != i
            here = np.flatnonzero(~rest)
            here = here[np.isin(types[here], types[rest])]
            if here.size == 0:
                continue
            _, codes = np.unique(types[rest], return_inverse=True)
            known = profiles(counts[rest], codes, codes.max() + 1)
            singles.append(mixing(counts[here[drawn[here]]], *known)[0])
            other = random.permutation(here)
            differ = types[here] != types[other]
            if differ.any():
                doubles.append(mixing(counts[here[differ]] + counts[other[differ]], *known)[0])
        single, double = np.concatenate([*singles, []]), np.concatenate([*doubles, []])
        enough = single.size >= _ENOUGH and len(self.types_) > 1
        threshold = np.quantile(single, 1 - self.false_positive_rate, method="higher") if enough else np.inf
        self.doublet_threshold_ = float(threshold)
        self.doublets_found_ = float((double > threshold).mean()) if double.size else float("nan")

    def on(self, present: NDArray[np.bool_]) -> Self:
        """The same for data that has only the genes `present`, shape (genes,).

        Without a threshold where those genes have less than 90 % of the reference's molecules.
        """
        self.need_fitted()
        if present.all():
            return self
        part = type(self)(**asdict(self))
        share = float(self.mean_[present].sum())
        part.types_ = self.types_[:, present] / self.types_[:, present].sum(axis=1, keepdims=True)
        part.mean_ = self.mean_[present] / share
        part.doublet_threshold_ = self.doublet_threshold_ if share >= _MOST else np.inf
        part.doublets_found_ = self.doublets_found_
        return part

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What to store: numeric arrays, and a dict that JSON can hold."""
        self.need_fitted()
        lines = np.array([self.doublet_threshold_, self.doublets_found_])
        arrays = {"types": self.types_, "mean": self.mean_, "lines": lines}
        return arrays, {"params": asdict(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`to_arrays` gave; an InputError where it cannot be."""
        model = stored_params(cls, meta)
        model._check_params()
        lines = np.asarray(arrays.get("lines"))
        if lines.dtype != np.float64 or lines.shape != (2,):
            raise InputError("the stored array 'lines' is missing or damaged. Fit again.")
        # The threshold is infinite where it could not be learned, and the share undefined.
        declared = {"types": Stored("f8", ("types", "genes"), low=_TINY), "mean": Stored("f8", ("genes",), low=_TINY)}
        found = take({name: array for name, array in arrays.items() if name != "lines"}, "", declared)
        model.types_, model.mean_ = found["types"], found["mean"]
        model.doublet_threshold_, model.doublets_found_ = map(float, lines)
        return model

    def _check_params(self) -> None:
        if not isinstance(self.false_positive_rate, int | float) or not 0 < self.false_positive_rate < 1:
            raise InputError(
                f"false_positive_rate is {self.false_positive_rate!r}, but must be a share between 0 and 1."
            )
        for name, least in {"folds": 2, "max_cells": 2}.items():
            whole(getattr(self, name), name, least=least)

    def need_fitted(self) -> None:
        """Raise where `fit` has not been called."""
        if not hasattr(self, "types_"):
            raise InputError("these Profiles are not fitted. Call fit(counts, codes) first.")
