"""Calibration of each class against all others, and the tables that are kept of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.trust._probabilities import as_probabilities, check_fit, need_fitted, normalise, ragged, stored

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    Table = tuple[NDArray[np.float64], ...]


class OneVsRest(ABC):
    """Base of calibrators that work on one class at a time; a subclass makes a table of a class and looks up in it.

    A table is a few arrays of one length, of which the first holds increasing probabilities. A class without a
    calibration cell has an empty table and keeps its probability: nothing is known against it, and a table of zeros
    would forbid the class for ever.
    """

    columns: ClassVar[tuple[str, ...]]
    """Names of the arrays of a table; the first is that of the probabilities."""

    if TYPE_CHECKING:
        tables_: list[Table]

    @abstractmethod
    def _table(self, score: NDArray[np.float64], own: NDArray[np.float64]) -> Table:
        """The table of a class; `own` is 1 for its cells and 0 for the others."""

    @abstractmethod
    def _look_up(self, table: Table, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities against all other classes; above 0."""

    def fit(self, proba: ArrayLike, codes: ArrayLike) -> Self:
        """Learn one table a class.

        Parameters
        ----------
        proba
            Probabilities of cells that the model was not trained on, shape (n, k).
        codes
            Column of the true class of each cell, shape (n,).

        Raises
        ------
        sc_annotate.errors.InputError
            What are no probabilities or no codes of them, or no cells.
        """
        p, c = check_fit(proba, codes)
        empty = tuple(np.zeros(0) for _ in self.columns)
        present = np.bincount(c, minlength=p.shape[1]) > 0
        self.tables_ = [
            self._table(p[:, j], (c == j).astype(np.float64)) if present[j] else empty for j in range(p.shape[1])
        ]
        return self

    def transform(self, proba: ArrayLike) -> NDArray[np.float32]:
        """Calibrated probabilities, float32, shape (n, k), rows summing to 1."""
        need_fitted(self, "tables_")
        p = as_probabilities(proba, len(self.tables_))
        out = [self._look_up(t, p[:, j]) if t[0].size else p[:, j] for j, t in enumerate(self.tables_)]
        return normalise(np.stack(out, axis=1))

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What to store: numeric arrays, and a dict that JSON can hold."""
        need_fitted(self, "tables_")
        arrays: dict[str, NDArray[Any]] = {
            name: np.concatenate([table[i] for table in self.tables_]) for i, name in enumerate(self.columns)
        }
        arrays["starts"] = np.cumsum([0, *(table[0].size for table in self.tables_)]).astype(np.int64)
        return arrays, {}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`to_arrays` gave; an InputError where it cannot be."""
        values = [stored(arrays, name, "f").astype(np.float64) for name in cls.columns]
        starts = ragged(arrays, "starts", values[0].size)
        if starts.size < 3 or any(
            v.size != values[0].size or (v.size and (v.min() < 0 or v.max() > 1)) for v in values
        ):
            raise InputError("the stored tables are no probabilities of two classes or more. Fit again.")
        model = cls()
        model.tables_ = [tuple(v[a:b] for v in values) for a, b in zip(starts[:-1], starts[1:], strict=True)]
        for table in model.tables_:
            if (np.diff(table[0]) <= 0).any() or any((np.diff(column) < 0).any() for column in table[1:]):
                raise InputError("the stored tables do not increase. Fit again.")
        return model


def at_distinct(
    score: NDArray[np.float64], own: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Distinct scores in increasing order, and at each the number of cells and of own cells."""
    distinct, inverse = np.unique(score, return_inverse=True)
    n, n_own = np.bincount(inverse), np.bincount(inverse, weights=own)
    return distinct, n.astype(np.float64), n_own.astype(np.float64)
