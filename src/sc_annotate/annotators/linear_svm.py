"""Linear support vector machine with probabilities calibrated out of fold."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate.annotators._inputs import check_fit, need_choice, need_positive
from sc_annotate.annotators._linear import LinearAnnotator, two_columns
from sc_annotate.annotators._moments import class_weights, inverse_or_zero, mean_and_sd, scale_columns
from sc_annotate.annotators._platt import platt
from sc_annotate.errors import ScAnnotateWarning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Arrays, Matrix


def scattered_folds(codes: NDArray[np.intp], n_folds: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """A fold for each cell; every class is spread as evenly as it can be, whatever its size."""
    fold = np.empty(len(codes), dtype=np.intp)
    for code in np.unique(codes):
        cells = rng.permutation(np.flatnonzero(codes == code))
        # A random first fold, so that the single cells of several rare classes do not meet in fold 0.
        fold[cells] = (np.arange(len(cells)) + rng.integers(n_folds)) % n_folds
    return fold


@dataclass
class LinearSVM(LinearAnnotator):
    C: float = 0.01
    class_weight: Literal["balanced", "sqrt"] | None = "balanced"
    n_folds: int = 3
    max_iter: int = 10_000
    pooled: bool = False
    tol: float = 1e-3

    link = "sigmoid"

    def _margins(self, X: Any, codes: NDArray[np.intp], seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        from sklearn.svm import LinearSVC

        model = LinearSVC(
            C=self.C,
            class_weight=class_weights(codes, self.class_weight),
            dual=X.shape[0] < X.shape[1],
            max_iter=self.max_iter,
            random_state=seed,
            tol=self.tol,
        )
        model.fit(X, codes)
        return two_columns(model.coef_, model.intercept_, link="sigmoid")

    def fit(self, X, y, *, genes, batch=None, rng=0):
        from sklearn.exceptions import ConvergenceWarning

        matrix, codes, classes = check_fit(X, y, genes, batch)
        scale = inverse_or_zero(mean_and_sd(matrix)[1])
        scaled = scale_columns(matrix, scale)
        generator = np.random.default_rng(rng)
        seed = int(generator.integers(2**31))
        fold = scattered_folds(codes, self.n_folds, generator)
        held_out = np.full((len(codes), len(classes)), np.nan)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            coef, intercept = self._margins(scaled, codes, seed)
            for f in range(self.n_folds):
                train, test = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
                known, inner = np.unique(codes[train], return_inverse=True)
                if len(known) > 1 and len(test):
                    w, b = self._margins(scaled[train], inner, seed)
                    # A class without a training cell has no margin in this fold.
                    held_out[np.ix_(test, known)] = scaled[test] @ w.T + b
        self._set(classes, coef, intercept, scale=scale)
        slope, offset = platt(held_out, codes, pooled=self.pooled)
        self.platt_slope_, self.platt_offset_ = slope.astype(np.float32), offset.astype(np.float32)
        self.held=held_out,codes
        return self

    def decision(self, X):
        return super().decision(X) * self.platt_slope_ + self.platt_offset_
