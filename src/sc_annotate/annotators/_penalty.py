"""How strongly a logistic regression should be held back, from held-out cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from sc_annotate._core.arrays import rows
from sc_annotate._core.softmax_regression import Columns, Loss, Softmax, Solver, softmax_regression

if TYPE_CHECKING:
    from numpy.typing import NDArray

USUAL = 0.2
"""C for small references, where a choice would be mostly luck; see ``docs/benchmarks_annotators.md``."""
FEW = 5_000
"""Up to this many cells are a small reference; of a larger one, so many are looked at."""
GRID = (USUAL / 3125, USUAL / 625, USUAL / 125, USUAL / 25, USUAL / 5, USUAL)


def penalty(C: float, n_classes: int) -> float:
    """Weight of the squared coefficients, one column a class, that gives the model of scikit-learn.

    That has one column for two classes; split in halves, its square is half as large.
    """
    return (2 if n_classes == 2 else 1) / C


def choose_C(
    X: Any,
    codes: NDArray[np.intp],
    *,
    columns: Columns,
    weights: NDArray[np.float64],
    batch: NDArray[np.str_] | None,
    rng: int,
) -> float:
    """The value in :data:`GRID` whose probabilities are best on held-out cells, once a temperature is fitted to them.

    Without the temperature a weak penalty would win where the strong one gives better labels and is merely too modest,
    which calibration corrects. A fifth of 5,000 random cells is held out, in whole batches where there are several.
    """
    from sc_annotate.evaluation import holdout

    if len(codes) <= FEW:
        return USUAL
    some = np.sort(np.random.default_rng(rng).permutation(len(codes))[:FEW])
    matrix, codes = rows(X, some), codes[some]
    split = holdout(codes, groups=None if batch is None else batch[some], rng=rng)
    train = split.train
    known, at = np.unique(codes[train], return_inverse=True)
    test = split.test[np.isin(codes[split.test], known)]
    if len(known) < 2 or not len(test):
        return USUAL
    seen, held, truth = rows(matrix, train), rows(matrix, test), np.searchsorted(known, codes[test])
    scale, center = columns.both(held.shape[1])
    model: Softmax | None = None
    losses = []
    for C in GRID:
        model = softmax_regression(
            seen,
            at,
            len(known),
            Loss(penalty(C, len(known)), weights[known]),
            columns=columns,
            solver=Solver(tol=1e-3, start=model),
        )
        score = held @ (scale[:, None] * model.coef) + model.intercept - (center * scale) @ model.coef
        losses.append(_calibrated_loss(score, truth))
    return GRID[int(np.argmin(losses))]


def _calibrated_loss(score: NDArray[np.float64], truth: NDArray[np.intp]) -> float:
    """Log loss with the scores divided by the temperature that suits them best."""

    def loss(log_t: float) -> float:
        return -float(log_softmax(score * np.exp(-log_t), axis=1)[np.arange(len(truth)), truth].mean())

    return float(minimize_scalar(loss, bounds=(-5, 5), method="bounded").fun)
