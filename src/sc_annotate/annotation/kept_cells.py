"""Held-out cells of the reference that a model keeps, with which it is calibrated for a query that lacks some of its genes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core.stored_arrays import Stored, check_arrays
from sc_annotate.annotation.shallow import without
from sc_annotate.errors import InputError
from sc_annotate.trust.ladder import Ladder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

_TINY = 1e-30


@dataclass(frozen=True, eq=False)
class KeptCells:
    """Values in the model's genes (CSR arrays), probabilities by models that had not seen the cells, and their types."""

    data: NDArray[np.float32]
    indices: NDArray[np.int32]
    indptr: NDArray[np.int64]
    proba: NDArray[np.float32]
    codes: NDArray[np.int32]
    weight: NDArray[np.float64]
    unit: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.codes)

    def cells(self, n_genes: int) -> sparse.csr_matrix:
        """Cells x genes."""
        return sparse.csr_matrix((self.data, self.indices, self.indptr), shape=(len(self), n_genes))

    def ladder(
        self,
        annotator: Any,
        missing: NDArray[np.bool_],
        means: NDArray[np.float32],
        calibrated: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        share: float,
        score: Any,
    ) -> Ladder:
        """Calibration for cells without the missing genes.

        The model has seen these cells. What it loses with the genes is therefore taken from the probabilities that models
        had for them which had not: the logarithms change by as much. Of a linear model that is the loss itself.
        """
        whole = self.cells(len(means))
        own, fewer = (
            np.maximum(np.asarray(annotator.predict_proba(cells), dtype=np.float64), _TINY)
            for cells in (whole.copy(), without(whole, missing, means))
        )
        moved = np.log(np.maximum(self.proba.astype(np.float64), _TINY)) + np.log(fewer) - np.log(own)
        moved = np.exp(moved - moved.max(axis=1, keepdims=True))
        moved /= moved.sum(axis=1, keepdims=True)
        both = np.vstack([calibrated(self.proba), calibrated(moved.astype(np.float32))])
        n = len(self)
        return Ladder(score, biased=False).fit(
            both,
            np.tile(self.codes, 2).astype(np.intp),
            np.repeat([0.0, min(share, -0.2)], n),
            np.repeat([0, 1], n),
            weight=np.tile(self.weight, 2),
            unit=np.tile(self.unit, 2),
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """As they are stored."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], n_genes: int, n_classes: int) -> KeptCells:
        """Rebuild; an InputError where they cannot be."""
        declared = {
            "data": Stored("f4", ("values",)),
            "indices": Stored("i4", ("values",), 0, n_genes - 1),
            "indptr": Stored("i8", ("ends",), 0),
            "proba": Stored("f4", ("cells", n_classes), 0, 1.001),
            "codes": Stored("i4", ("cells",), 0, n_classes - 1),
            "weight": Stored("f8", ("cells",), 0),
            "unit": Stored("i4", ("cells",), 0),
        }
        try:
            found = check_arrays(arrays, declared)
        except ValueError as error:
            raise InputError(f"the kept cells: {error}. Fit again.") from error
        ends, n = found["indptr"], len(found["codes"])
        sums = found["proba"].sum(axis=1)
        wrong = len(ends) != n + 1 or ends[0] != 0 or ends[-1] != len(found["data"]) or (np.diff(ends) < 0).any()
        if wrong or np.abs(sums - 1).max() > 1e-2 or not found["weight"].min() > 0:
            raise InputError("the kept cells are damaged. Fit again.")
        return cls(**found)
