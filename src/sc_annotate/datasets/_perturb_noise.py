"""More noise for some genes than for others, without a dense matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

# Levels of noise, and stored counts that are worked on at a time.
_LEVELS = 24
_BLOCK = 1 << 19
_HALF_NORMAL_SD = np.sqrt(1 - 2 / np.pi)


def noise_levels(n_genes: int, log_sd: float, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Variance / mean of counts by level (1: Poisson), and the level of each gene.

    The log of the factor on a gene's standard deviation is half-normal with standard deviation `log_sd`, cut into a few
    levels. None is below 0, since counts cannot vary less than Poisson ones here.
    """
    if log_sd == 0:
        return np.ones(1), np.zeros(n_genes, dtype=np.intp)
    middle = (np.arange(_LEVELS) + 0.5) / _LEVELS
    factor = np.exp(log_sd / _HALF_NORMAL_SD * norm.ppf((1 + middle) / 2))
    return factor**2, rng.permutation(np.arange(n_genes) % _LEVELS)


def burst_size(fano: NDArray[np.float64]) -> NDArray[np.float64]:
    """Molecules of one event on average, so that Poisson events make negative binomial counts with such a ratio."""
    out = np.ones_like(fano)
    more = fano > 1
    out[more] = (fano[more] - 1) / np.log(fano[more])
    return out


def burst(X: csr_matrix, fano: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Replace numbers of events by numbers of molecules, in place; `fano` has one value a gene.

    A Poisson number of events with logarithmic sizes makes negative binomial counts; only stored entries are touched.
    """
    chance = 1 - 1 / fano
    for start in range(0, X.nnz, _BLOCK):
        here = slice(start, start + _BLOCK)
        events = X.data[here].astype(np.intp)
        sizes = rng.logseries(np.repeat(chance[X.indices[here]], events))
        X.data[here] = np.add.reduceat(sizes, np.cumsum(events) - events)
