"""The shape every annotator has: arrays in, arrays out, never an AnnData."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self, TypeAlias

    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from sc_annotate._core.capabilities import Statistic

    Matrix: TypeAlias = NDArray[np.floating[Any]] | csr_matrix
    Arrays: TypeAlias = dict[str, NDArray[Any]]


@dataclass
class Annotator(ABC):
    """Base class of the built-in annotators; third parties may use it or only its shape.

    A subclass is a dataclass whose fields are its hyperparameters. ``fit`` sets ``classes_`` and other
    attributes that end in ``_``; nothing is computed before.

    A subclass may add ``gene_evidence(X, codes)``: how much each gene pushed the log-odds of type ``codes[i]`` in cell ``i``,
    float32, cells x genes, CSR or dense, 0 where the gene has no value. Without it, :func:`sc_annotate.tl.evidence`
    deletes one gene at a time, which is slow.
    """

    if TYPE_CHECKING:
        # Not a dataclass field: `fit` sets it. Type names, sorted.
        classes_: NDArray[np.str_]

    saves: ClassVar[bool] = True
    """Whether :meth:`to_arrays` holds the whole fitted state. Where it is False, the model cannot be saved."""

    parallel: ClassVar[bool] = True
    """Whether :meth:`predict_proba` may run on several threads at once and leaves its input as it is.

    Without the attribute it runs on one, on a copy.
    """

    streams: ClassVar[tuple[Statistic, ...]] = ()
    """Whether ``fit_statistics`` learns from what passes over blocks of cells leave, so that no matrix is needed."""

    def params(self) -> dict[str, Any]:
        """Hyperparameters, by name."""
        return asdict(self)

    @abstractmethod
    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Learn the types.

        Parameters
        ----------
        X
            Cells x genes, float32, CSR or dense; ``log1p`` of counts per 10,000 unless the method's record
            says otherwise. Not modified.
        y
            One label a cell, strings.
        genes
            One name a column of `X`.
        batch
            One batch a cell, or None.
        rng
            Seed; equal seeds give equal models, bit for bit, on one machine.
        """

    @abstractmethod
    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Probabilities, cells x types, float32, rows summing to 1, columns in ``classes_`` order."""

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """The fitted state: a flat dict of numeric numpy arrays, and a dict that JSON can hold."""
        raise NotImplementedError(f"{type(self).__name__} keeps no arrays; its record says so (saves=False)")

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any], classes: NDArray[np.str_]) -> Self:
        """Rebuild what :meth:`to_arrays` described; `classes` become ``classes_``."""
        raise NotImplementedError(f"{cls.__name__} keeps no arrays; its record says so (saves=False)")
