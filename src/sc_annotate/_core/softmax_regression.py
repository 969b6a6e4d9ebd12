"""Multinomial logistic regression on a matrix that is neither scaled, nor centred, nor copied."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import issparse

from sc_annotate._core.arrays import rows
from sc_annotate._core.settings import n_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Rows at a time; fixed, so that sums do not depend on the number of threads.
_ROWS = 4096
# Fewer rows where the classes are a thousand and more: larger blocks of scores are taken from the system at every step.
_SCORES = 4_000_000


class Softmax(NamedTuple):
    """Coefficients of the scaled, centred columns (columns x classes), intercepts, and the steps that were taken."""

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    n_iter: int


@dataclass(frozen=True, eq=False)
class Loss:
    """Summed log loss plus half the penalty times the squared coefficients; intercepts are free.

    With `above`, the loss of a cell also has, for each set of classes that holds its own, minus the logarithm of their
    summed probability, times the weight of the set; it is then divided by one plus the mean of these weights over the cells,
    so that a penalty means what it meant.

    References
    ----------
    A loss over the levels of a tree of cell types: Nature Computational Science 2026, 10.1038/s43588-025-00945-z.
    """

    penalty: float
    """1 / C of scikit-learn; for two classes, twice that gives the same model."""
    weights: NDArray[np.float64] | None = None
    """Of each class; None: 1."""
    above: NDArray[np.float64] | None = None
    """Sets x classes: the weight of the set where it holds the class, else 0. None: the plain loss."""


@dataclass(frozen=True, eq=False)
class Columns:
    """What each column is multiplied by, and its mean before that. None: 1 and 0."""

    scale: NDArray[np.float64] | None = None
    center: NDArray[np.float64] | None = None

    def both(self, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scale and mean of `n` columns."""
        return (
            np.ones(n) if self.scale is None else self.scale,
            np.zeros(n) if self.center is None else self.center,
        )


@dataclass(frozen=True, eq=False)
class Solver:
    """When to stop, and where to begin."""

    max_iter: int = 1000
    tol: float = 1e-4
    """Largest entry of the gradient of the loss a cell at which it stops."""
    start: Softmax | None = None
    """Such as the model of another penalty."""


def softmax_regression(
    X: Any,
    codes: NDArray[np.intp],
    n_classes: int,
    loss: Loss,
    *,
    columns: Columns | None = None,
    solver: Solver | None = None,
) -> Softmax:
    """Minimise a loss.

    Centred columns need a fraction of the steps. Centring and scaling are worked into the two products that a step
    consists of, so a sparse matrix stays sparse.

    Parameters
    ----------
    X
        Cells x columns, CSR or dense.
    codes
        Class of each cell.
    loss, columns, solver
        What is minimised, how the columns are standardised, and how far.
    """
    columns, solver = columns or Columns(), solver or Solver()
    n, p = X.shape
    scale, center = columns.both(p)
    shift = center * scale
    of_class = np.ones(n_classes) if loss.weights is None else loss.weights
    weight = of_class[codes]
    total = weight.sum()
    step = min(_ROWS, max(1, _SCORES // n_classes))
    parts = [slice(at, min(at + step, n)) for at in range(0, n, step)]
    over = None if loss.above is None else _Above(loss.above, weight, codes)
    blocks = [rows(X, part) for part in parts]
    if issparse(X):
        blocks = [block.astype(np.float64) for block in blocks]

    def part_of(i: int, B: NDArray[Any], intercept: NDArray[np.float64]) -> tuple[float, Any, NDArray[np.float64]]:
        here, own = codes[parts[i]], weight[parts[i]]
        # With products of float32 the solver comes to rest somewhere else for every rounding of the values.
        block = blocks[i].astype(np.float64, copy=False)
        # As scipy's logsumexp, which takes longer than the products here; in place, as new memory takes time too.
        log_p = np.asarray(block @ B)
        log_p += intercept
        log_p -= log_p.max(axis=1, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
        each = np.arange(len(here))
        value = -float(own @ log_p[each, here])
        off = np.exp(log_p, out=log_p)
        if over is None:
            off[each, here] -= 1
        else:
            value, off = over(value, off, here, own)
        off *= own[:, None]
        return value, np.asarray(block.T @ off), off.sum(axis=0)

    threads = min(n_threads(), len(parts))
    with ThreadPoolExecutor(threads) as pool:
        # Handing the one part of a small matrix to a thread takes longer than working on it.
        each_of = pool.map if threads > 1 else map

        def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            B, intercept = flat[:-n_classes].reshape(p, n_classes), flat[-n_classes:]
            scaled = scale[:, None] * B
            moved = intercept - shift @ B
            value, gradient, residual = 0.0, np.zeros((p, n_classes)), np.zeros(n_classes)
            for one, two, three in each_of(lambda i: part_of(i, scaled, moved), range(len(parts))):
                value, residual = value + one, residual + three
                gradient += two
            gradient = scale[:, None] * gradient - shift[:, None] * residual + loss.penalty * B
            value += loss.penalty / 2 * float(np.square(B).sum())
            return value / total, np.concatenate([gradient.ravel(), residual]) / total

        first = np.zeros((p + 1) * n_classes)
        if solver.start is not None:
            first = np.concatenate([solver.start.coef.ravel(), solver.start.intercept])
        options = {"maxiter": solver.max_iter, "maxls": 50, "gtol": solver.tol}
        found = minimize(objective, first, jac=True, method="L-BFGS-B", options=options)
    return Softmax(found.x[:-n_classes].reshape(p, n_classes), found.x[-n_classes:], int(found.nit))


class _Above:
    """The part of the loss that classes share with their sets, and its gradient by the scores."""

    def __init__(self, above: NDArray[np.float64], weight: NDArray[np.float64], codes: NDArray[np.intp]) -> None:
        self.holds = (above > 0).astype(np.float64)
        # Weight of each set in the loss of a cell of each class: 0 where the set does not hold the class.
        self.of_class = above.T.copy()
        self.total = float(weight @ self.of_class.sum(axis=1)[codes] / weight.sum())

    def __call__(
        self, loss: float, p: NDArray[np.float64], codes: NDArray[np.intp], weight: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64]]:
        """Loss and derivative of some cells by their scores (before their weights), from the plain loss and probabilities."""
        mine = self.of_class[codes]
        # Of a set that no probability is left for, the logarithm is taken as that of the smallest number.
        mass = np.maximum(p @ self.holds.T, np.finfo(np.float64).tiny)
        loss -= float(weight @ (mine * np.log(mass)).sum(axis=1))
        off = (1 + mine.sum(axis=1, keepdims=True)) * p
        off -= p * ((mine / mass) @ self.holds)
        off[np.arange(len(codes)), codes] -= 1
        off /= 1 + self.total
        return loss / (1 + self.total), off
