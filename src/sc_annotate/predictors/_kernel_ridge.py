"""Kernel ridge regression of many outcomes at once, with an intercept, and without each observation in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


class Membership:
    """Which gene sets the targets of conditions belong to, and how much two conditions share."""

    def __init__(self, gene_sets: Mapping[str, Sequence[str]]) -> None:
        self._sets: dict[str, list[int]] = {}
        sizes = []
        for i, genes in enumerate(gene_sets.values()):
            members = set(genes)
            sizes.append(max(len(members), 1))
            for gene in members:
                self._sets.setdefault(gene, []).append(i)
        self._weight = np.sqrt(1 / np.array(sizes, dtype=np.float64))

    def missing(self, targets: tuple[str, ...]) -> list[str]:
        """Targets in none of the sets."""
        return [name for name in targets if name not in self._sets]

    def _vectors(self, conditions: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
        out = np.zeros((len(conditions), len(self._weight)))
        for row, targets in zip(out, conditions, strict=True):
            for name in targets:
                row[self._sets[name]] += self._weight[self._sets[name]]
        length = np.linalg.norm(out, axis=1, keepdims=True)
        return np.divide(out, length, out=out, where=length > 0)

    def kernel(self, rows: Sequence[tuple[str, ...]], columns: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
        """Cosine of the vectors of two lists of conditions."""
        return self._vectors(rows) @ self._vectors(columns).T


@dataclass(frozen=True, eq=False)
class Solution:
    """Fit with one penalty. ``inverse`` is that of the kernel with penalty, bordered by the ones of the intercept."""

    inverse: NDArray[np.float64]
    outcomes: NDArray[np.float64]
    dual: NDArray[np.float64]
    """Dual coefficients and, last, the intercept: (n + 1) x p."""

    def changes(self, kernel: NDArray[np.float64], left_out: int | None = None) -> NDArray[np.float64]:
        """Predictions from the kernel between new and training observations, without one of the latter."""
        bordered = np.column_stack([kernel, np.ones(len(kernel))])
        out: NDArray[np.float64] = bordered @ self.dual
        if left_out is not None:
            # The coefficients without an observation, by elimination of its row and column of the inverse.
            share = bordered @ self.inverse[:, left_out] / self.inverse[left_out, left_out]
            out -= np.outer(share, self.dual[left_out])
        return out

    def left_out(self, i: int) -> NDArray[np.float64]:
        """Prediction of a training observation without it."""
        out: NDArray[np.float64] = self.outcomes[i] - self.dual[i] / self.inverse[i, i]
        return out


class KernelRidge:
    """Fits over a grid of penalties."""

    def __init__(
        self, kernel: NDArray[np.float64], outcomes: NDArray[np.float64], penalties: tuple[float, ...]
    ) -> None:
        self._kernel, self._outcomes, self._penalties = kernel, outcomes, penalties
        self._solved: dict[float, Solution] = {}
        self._errors = self._left_out_errors() if len(penalties) > 1 and len(outcomes) > 1 else None

    def solution(self, penalty: float) -> Solution:
        """The fit with one penalty."""
        if penalty not in self._solved:
            n = len(self._kernel)
            bordered = np.ones((n + 1, n + 1))
            bordered[:n, :n] = self._kernel + penalty * np.eye(n)
            bordered[n, n] = 0
            inverse = np.asarray(np.linalg.inv(bordered), dtype=np.float64)
            self._solved[penalty] = Solution(inverse, self._outcomes, inverse[:, :n] @ self._outcomes)
        return self._solved[penalty]

    def _left_out_errors(self) -> NDArray[np.float64]:
        """L2 of each observation, predicted without it, n x penalties."""
        n = len(self._kernel)
        errors = np.empty((n, len(self._penalties)))
        for j, penalty in enumerate(self._penalties):
            solution = self.solution(penalty)
            scale = np.abs(np.diag(solution.inverse)[:n])
            errors[:, j] = np.linalg.norm(solution.dual[:n], axis=1) / scale
        return errors

    def best(self) -> tuple[float, float]:
        """The penalty with the smallest mean error over the observations, the strongest of equals."""
        if self._errors is None:
            return self._penalties[-1], float("nan")
        mean = self._errors.mean(axis=0)
        i = len(mean) - 1 - int(np.argmin(mean[::-1]))
        return self._penalties[i], float(mean[i])
