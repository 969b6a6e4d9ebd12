"""A small simulated task that any annotator should manage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import public

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What real labels look like: a slash, spaces, a sign, letters beyond ASCII.
TYPES = ("B cell", "CD4+/CD25 T Reg", "Zelle ä β 細胞")


@dataclass(frozen=True)
class Task:
    """Training and test cells, log1p of counts per 10,000, or counts."""

    X: NDArray[np.float32]
    y: NDArray[np.str_]
    genes: NDArray[np.str_]
    batch: NDArray[np.str_]
    test_X: NDArray[np.float32]
    test_y: NDArray[np.str_]

    def subset(self, rows: NDArray[Any]) -> Task:
        """The same task with fewer training cells."""
        return Task(self.X[rows], self.y[rows], self.genes, self.batch[rows], self.test_X, self.test_y)


@public
def easy_task(seed: int = 0, *, counts: bool = False) -> Task:
    """Three types of 70, 50 and 30 training cells, 60 genes, of which each type has eight markers.

    Parameters
    ----------
    seed
        Of the simulation.
    counts
        Whether the cells are counts, not their logarithms.

    Returns
    -------
    Training cells ``X``, ``y``, ``genes`` and ``batch``; 60 more cells, ``test_X`` and ``test_y``.

    Examples
    --------
    >>> from sc_annotate.testing import easy_task
    >>> easy_task().X.shape
    (150, 60)
    """
    generator = np.random.default_rng(seed)
    codes = np.repeat([0, 1, 2, 0, 1, 2], [70, 50, 30, 20, 20, 20])
    rate = np.tile(generator.gamma(0.5, 2.0, size=60), (3, 1))
    for k in range(3):
        rate[k, 8 * k : 8 * k + 8] += 4.0
    depth = generator.lognormal(0.0, 0.3, size=(len(codes), 1))
    drawn = generator.poisson(rate[codes] * depth).astype(np.float64)
    logged = np.log1p(1e4 * drawn / np.maximum(drawn.sum(axis=1, keepdims=True), 1))
    X = (drawn if counts else logged).astype(np.float32)
    y = np.array(TYPES)[codes]
    order = generator.permutation(150)
    genes = np.array([f"gene{i}" for i in range(60)])
    batch = np.where(np.arange(150) % 2 == 0, "one", "two")
    return Task(X[order], y[order], genes, batch, X[150:], y[150:])
