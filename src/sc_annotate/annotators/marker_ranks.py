"""Names for clusters from their ranked genes: the score behind ``annotate_markers(..., by="wilcoxon")`` and ``by="nact"``.

The choices below were made on four data sets with labels (pbmc68k, Kang et al. 2018 twice, and a mixture of three 10x
chemistries), with a collection of published lists: see docs/markers.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtr

from sc_annotate.annotators.marker_scores import RARE

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_GENES: Final = 50
"""Genes of each group that count."""

DRAWS: Final = 1_000
"""Of the genes of each group, for the confidence."""


@dataclass(frozen=True)
class RankScores:
    """Scores of each group of cells on each list, from the order of the group's genes.

    `parts` says what each ranked gene adds to each score: groups x ranks x lists.
    """

    scores: NDArray[np.float64]
    above_chance: NDArray[np.float64]
    parts: NDArray[np.float64]

    @property
    def fits_none(self) -> NDArray[np.bool_]:
        """Groups whose best score is not above 0, or no rarer than `RARE` if genes come in any order (for one list)."""
        rows, best = np.arange(len(self.scores)), self.scores.argmax(axis=1)
        high = ndtr(-self.above_chance[rows, best]) <= RARE
        return np.asarray((self.scores[rows, best] <= 0) | ~high)

    def shares(self, rng: int = 0) -> NDArray[np.float32]:
        """In how many of `DRAWS` draws of the group's genes, with replacement, each list has the highest score; groups x lists.

        They say how far a label hangs on single genes. They are no calibrated probabilities.
        """
        n_groups, n, n_lists = self.parts.shape
        random = np.random.default_rng(rng)
        out = np.zeros((n_groups, n_lists), dtype=np.float32)
        for i, parts in enumerate(self.parts):
            drawn = random.multinomial(n, np.full(n, 1 / n), size=DRAWS) @ parts
            out[i] = np.bincount(drawn.argmax(axis=1), minlength=n_lists) / DRAWS
        return out


def rank_scores(ranked: NDArray[np.intp], weights: NDArray[np.float64]) -> RankScores:
    """Scores of every list in every group.

    With T lists, of which df(g) name gene g, and s(g, t) the number of sources that name g for type t (times the weight they
    give it, below 0 where they name it against t), the first n genes of a group score ::

        score(t) = sum over r = 1..n of  (1 - (r - 1) / n) * idf(g_r) * s(g_r, t)  /  sqrt(sum over all g of idf(g) * |s(g, t)|)
        idf(g)   = 1 + ln((1 + T) / (1 + df(g)))

    Without the square root, long lists of broad types win whatever the genes.

    Parameters
    ----------
    ranked
        Groups x n, columns of the matrix, the first gene first; -1 where a group has fewer.
    weights
        s: genes of the matrix x lists, 0 for genes that are in no list.

    Examples
    --------
    >>> found = rank_scores(np.array([[0, 1], [3, -1]]), np.array([[2.0, 0], [1, 0], [0, 0], [0, 3]]))
    >>> found.scores.argmax(axis=1)
    array([0, 1])
    """
    n_genes, n_lists = weights.shape
    n = ranked.shape[1]
    named = (weights > 0).sum(axis=1)
    weighed = weights * (1 + np.log((1 + n_lists) / (1 + named)))[:, None]
    total = np.abs(weighed).sum(axis=0)
    weighed = weighed / np.sqrt(np.where(total > 0, total, 1))
    by_rank = 1 - np.arange(n) / n
    there = (ranked >= 0)[:, :, None]
    parts = np.where(there, weighed[np.maximum(ranked, 0)] * by_rank[None, :, None], 0.0)
    scores = parts.sum(axis=1)
    # Mean and variance over all orders of the genes.
    used = np.zeros(n_genes)
    used[: min(n, n_genes)] = by_rank[: min(n, n_genes)]
    spread = ((weighed - weighed.mean(axis=0)) ** 2).sum(axis=0)
    sd = np.sqrt(used.var() * n_genes / max(n_genes - 1, 1) * spread)
    above = (scores - used.mean() * weighed.sum(axis=0)) / np.where(sd > 0, sd, np.inf)
    return RankScores(scores, above, parts)
