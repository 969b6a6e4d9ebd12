"""Spearman correlation to type profiles, fine-tuned over marker genes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import softmax

from sc_annotate._core.arguments import need_count, need_positive
from sc_annotate._core.stored_arrays import Stored
from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._linear import normalise
from sc_annotate.annotators._moments import as_dense, class_means, inverse_or_zero, typical_sd
from sc_annotate.annotators._spearman import pair_markers, spearman
from sc_annotate.annotators._stored import rebuild
from sc_annotate.annotators.checks import check_fit, check_predict, need_fitted, row_blocks
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Arrays, Matrix

_BLOCK = 2048  # cells at a time: ranks are dense
_ARRAYS = {
    "profiles": Stored("f4", ("types", "genes")),
    "markers": Stored("i4", ("types", "types", "markers"), low=-1, below="genes"),
}


@dataclass
class Correlation(Annotator):
    """The type whose mean profile has the same order of genes: SingleR's idea.

    The Spearman correlation of a cell with each type's mean is taken over the genes that mark any type against any
    other. Then again, cell by cell, over the genes that tell apart only the types that came close to the best, until
    one is left or none falls behind. Only the order of genes within a cell matters, so any monotone change of a
    cell's values (another log base, another depth factor) leaves the result as it is.

    The idea is SingleR's; the rest is plainer: one mean profile a type instead of the reference's single samples, and
    markers ranked by difference of means over the spread within types.

    Parameters
    ----------
    n_markers
        Marker genes of each ordered pair of types.
    tune_gap
        Types within this much correlation of the best go to the next round; 0 for no fine-tuning.
    temperature
        A difference of this much correlation is a factor e between probabilities.

    References
    ----------
    Aran et al. 2019, Reference-based analysis of lung single-cell sequencing reveals a transitional profibrotic
    macrophage, `doi:10.1038/s41590-018-0276-y <https://doi.org/10.1038/s41590-018-0276-y>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.correlation import Correlation
    >>> X = np.array([[2, 1, 0], [3, 2, 0], [0, 1, 2], [0, 1, 3]], dtype=np.float32)
    >>> model = Correlation().fit(X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "ACTB", "CD3D"]))
    >>> model.classes_[model.predict_proba(X**2).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    parallel: ClassVar[bool] = True

    n_markers: int = 75
    tune_gap: float = 0.05
    temperature: float = 0.03

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Learn profiles and markers; deterministic, so `rng` changes nothing, and `batch` is not used."""
        self._check()
        matrix, codes, self.classes_ = check_fit(X, y, genes, batch)
        means = class_means(matrix, codes, len(self.classes_))
        self.profiles_: NDArray[np.float32] = means.astype(np.float32)
        self.markers_: NDArray[np.int32] = pair_markers(
            means * inverse_or_zero(typical_sd(matrix, codes, means)), self.n_markers
        )
        return self

    def _check(self) -> None:
        need_positive(self, "temperature")
        need_count(self, "n_markers")
        if not self.tune_gap >= 0:
            raise MethodError(f"Correlation: tune_gap must be 0 or more, not {self.tune_gap!r}.")

    def _genes_among(self, types: NDArray[np.intp]) -> NDArray[Any]:
        genes: NDArray[Any] = np.unique(self.markers_[np.ix_(types, types)])
        genes = genes[genes >= 0]
        # A correlation over fewer than two genes says nothing.
        return genes if len(genes) > 1 else np.arange(self.profiles_.shape[1])

    def _share_out(
        self, cells: NDArray[np.float32], types: NDArray[np.intp], mass: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Share out each cell's probability `mass` among `types`; what the best of them get is shared out again.

        The winner of the last round keeps the largest probability: it has at least the mean of its group, and every
        member of the group had more than any type outside.
        """
        genes = self._genes_among(types)
        rho = spearman(cells[:, genes], self.profiles_[np.ix_(types, genes)])
        out = softmax(rho / self.temperature, axis=1) * mass[:, None]
        close = rho >= rho.max(axis=1, keepdims=True) - self.tune_gap
        size = close.sum(axis=1)
        again = np.flatnonzero((size > 1) & (size < len(types)))
        if not len(again):
            return out
        groups, which = np.unique(close[again], axis=0, return_inverse=True)
        order = np.argsort(which.ravel(), kind="stable")
        for group, rows in zip(groups, np.split(again[order], np.cumsum(np.bincount(which.ravel()))[:-1]), strict=True):
            inner = np.ix_(rows, np.flatnonzero(group))
            out[inner] = self._share_out(cells[rows], types[group], out[inner].sum(axis=1))
        return out

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Probabilities, cells x types, float32, columns in ``classes_`` order."""
        need_fitted(self, "profiles_")
        matrix = check_predict(X, self.profiles_.shape[1])
        out = np.empty((matrix.shape[0], len(self.classes_)), dtype=np.float32)
        types = np.arange(len(self.classes_))
        for rows in row_blocks(matrix.shape[0], _BLOCK):
            cells = as_dense(matrix[rows])
            out[rows] = normalise(self._share_out(cells, types, np.ones(len(cells))))
        return out

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Profiles and markers."""
        need_fitted(self, "profiles_")
        return {"profiles": self.profiles_, "markers": self.markers_}, {"params": self.params()}

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any], classes: NDArray[np.str_]) -> Self:
        """Rebuild a fitted model."""
        model = rebuild(cls, arrays, meta, classes, declared=_ARRAYS)
        model._check()
        return model
