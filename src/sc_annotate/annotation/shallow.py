"""Held-out cells with fewer molecules, and with fewer of the genes, predicted by the models that had not seen them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate.evaluation.allocation import by_rank
from sc_annotate.trust.thinning import detected, log_scale, molecules, thin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.annotation.training import Training
    from sc_annotate.evaluation import Split

MOST = 2_000
"""Held-out cells that are looked at with less of them."""
ENTRIES = 2_000_000
"""Probabilities of all steps together: with thousands of types, fewer cells."""
DEPTHS = (2_000, 1_000, 500, 200, 100, 50, 20, 10)
"""Molecules that the cells are thinned to, one step after another."""
SHARES = (0.75, 0.5, 0.25)
"""Shares of the genes that the cells are left with."""


@dataclass
class Steps:
    """Predictions of the same cells, whole (step 0) and with less and less of them."""

    rows: list[NDArray[np.intp]] = field(default_factory=list)
    proba: list[NDArray[np.float32]] = field(default_factory=list)
    at: list[NDArray[np.float64]] = field(default_factory=list)
    step: list[NDArray[np.intp]] = field(default_factory=list)

    def add(self, rows: NDArray[np.intp], proba: NDArray[np.float32], at: NDArray[np.float64], step: int) -> None:
        """Some cells at one step."""
        self.rows.append(rows)
        self.proba.append(proba)
        self.at.append(at)
        self.step.append(np.full(len(rows), step, dtype=np.intp))

    def joined(self) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float64], NDArray[np.intp]]:
        """Rows of the training cells, probabilities, places on the axis, steps."""
        return (
            np.concatenate(self.rows),
            np.concatenate(self.proba),
            np.concatenate(self.at),
            np.concatenate(self.step),
        )


class LessOfTheCells:
    """Called for each fitted model of a cross-validation, with the split that it was fitted for.

    Batches have equal shares of the cells, as far as there are. ``depth`` has the logarithm of detected genes as its axis,
    ``genes`` that of the share of genes. Where the values were no counts, nothing is thinned.
    """

    def __init__(self, training: Training, rng: int) -> None:
        self.random = np.random.default_rng(rng)
        self.training, self.classes = training, np.unique(training.y)
        self.depth, self.genes = Steps(), Steps()
        most = min(MOST, max(200, ENTRIES // (len(self.classes) * (1 + len(DEPTHS)))))
        kept = np.flatnonzero(training.sampled)
        order = self.random.permutation(kept)
        if training.batch is not None:
            order = order[np.argsort(by_rank(np.unique(training.batch[order], return_inverse=True)[1]), kind="stable")]
        self.rows = np.sort(order[:most])

    def __call__(self, model: Any, split: Split) -> None:
        """Predict the cells that are held out in this split."""
        rows = np.intersect1d(self.rows, split.test)
        if not rows.size:
            return
        columns, annotator = model.columns, model.annotator
        whole = sparse.csr_matrix(self.training.X[rows], dtype=np.float32)
        counts = self._counts(whole)
        own = whole[:, columns]
        at = np.log1p(detected(own))
        proba = self._predicted(annotator, own)
        self.depth.add(rows, proba, at, 0)
        if counts is not None:
            some, totals = counts[0][:, columns], counts[1]
            for i, depth in enumerate(DEPTHS):
                fewer, left = thin(some, totals, depth, rng=self.random)
                cells = fewer if self.training.input == "counts" else log_scale(fewer, left)
                self.depth.add(rows, self._predicted(annotator, cells), np.log1p(detected(cells)), i + 1)
        self.genes.add(rows, proba, np.zeros(len(rows)), 0)
        means = np.asarray(own.mean(axis=0), dtype=np.float32).ravel()
        if self.training.input == "counts":
            means = np.rint(means)
        order = self.random.permutation(len(columns))
        for i, share in enumerate(SHARES):
            missing = np.ones(len(columns), dtype=bool)
            missing[order[: max(1, round(share * len(columns)))]] = False
            cells = without(own, missing, means)
            self.genes.add(rows, self._predicted(annotator, cells), np.full(len(rows), np.log(share)), i + 1)

    def _counts(self, whole: sparse.csr_matrix) -> tuple[sparse.csr_matrix, NDArray[np.float64]] | None:
        if self.training.input == "counts":
            return whole, np.asarray(whole.sum(axis=1), dtype=np.float64).ravel()
        return molecules(whole)

    def _predicted(self, annotator: Any, cells: sparse.csr_matrix) -> NDArray[np.float32]:
        found = np.asarray(annotator.predict_proba(cells), dtype=np.float32)
        out = np.zeros((found.shape[0], self.classes.size), dtype=np.float32)
        out[:, np.searchsorted(self.classes, np.asarray(annotator.classes_).astype(str))] = found
        return out


def without(cells: sparse.csr_matrix, missing: NDArray[np.bool_], means: NDArray[np.float32]) -> sparse.csr_matrix:
    """The cells with their means in place of the genes that are missing, as a query that lacks these is read."""
    kept = cells @ sparse.diags(np.where(missing, 0, 1).astype(np.float32))
    filled = sparse.csr_matrix(np.where(missing, means, 0).astype(np.float32)[None])
    ones = sparse.csr_matrix(np.ones((cells.shape[0], 1), dtype=np.float32))
    return sparse.csr_matrix(kept + ones @ filled, dtype=np.float32)
