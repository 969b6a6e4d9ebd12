"""The vector of a perturbation: given, or the rows of principal components that belong to its targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.predictors._names import some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.predictors._pca import GenePCA
    from sc_annotate.predictors._screen import Embedding, Screen


class TargetVectors:
    """Vectors of the conditions of a screen, and of others.

    Parameters
    ----------
    screen
        n training conditions.
    given
        Vectors from elsewhere; None: the rows of `pca`.
    pca
        Of the training profiles. Leaving out a condition changes it, so that its components come in last.
    """

    def __init__(self, screen: Screen, given: Embedding | None, pca: GenePCA) -> None:
        self.given, self.pca = given, pca
        self._gene_row = {name: i for i, name in enumerate(screen.genes.tolist())}
        self.known = np.array([not self.missing(t) for t in screen.targets], dtype=np.bool_)
        """Which training conditions have a vector."""
        training = self.rows([t for t, ok in zip(screen.targets, self.known, strict=True) if ok])
        self.training = np.zeros((len(self.known), training.shape[1]))
        """As :meth:`rows` of the training conditions; zeros where there is none."""
        self.training[self.known] = training

    def missing(self, targets: tuple[str, ...]) -> list[str]:
        """Targets without a vector."""
        if self.given is None:
            return [name for name in targets if name not in self._gene_row]
        return [name for name, row in zip(targets, self.given.rows(targets), strict=True) if row < 0]

    def reason(self, targets: tuple[str, ...]) -> str:
        """Why a condition has no vector; "" where it has."""
        missing = self.missing(targets)
        if not missing:
            return ""
        what = f"target {missing[0]} is" if len(missing) == 1 else f"targets {some(missing)} are"
        has = "it has" if len(missing) == 1 else "they have"
        if self.given is None:
            return f"{what} not among the genes, so {has} no embedding"
        return f"{what} not in the perturbation embedding"

    def rows(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]:
        """Vectors, m x L, or in the basis of the components before these are chosen.

        A combination adds up what its targets do beyond the control's row (zeros, unless one was given).
        """
        if self.given is None:
            table, control = self.pca.basis, np.zeros(self.pca.basis.shape[1])
            where = [[self._gene_row[name] for name in t] for t in targets]
        else:
            table, control = self.given.values, self.control()
            where = [self.given.rows(t).tolist() for t in targets]
        out = np.empty((len(targets), table.shape[1]))
        for row, positions in zip(out, where, strict=True):
            row[:] = control + (table[positions] - control).sum(axis=0)
        return out

    def control(self) -> NDArray[np.float64]:
        """The control's row of the given vectors."""
        if self.given is None:
            return np.zeros(0)
        row = self.given.rows([""])[0]
        return self.given.values[row] if row >= 0 else np.zeros(self.given.values.shape[1])

    def finish(self, rows: NDArray[np.float64], components: NDArray[np.float64]) -> NDArray[np.float64]:
        """What :meth:`rows` gave, in components that were chosen; given vectors stay as they are."""
        return rows @ components if self.given is None else rows
