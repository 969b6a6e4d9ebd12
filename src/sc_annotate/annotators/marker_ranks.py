"""Names for clusters from their ranked genes: the score behind ``annotate_markers(..., by="wilcoxon")`` and ``by="nact"``.

The choices below were made on data sets with labels, with a collection of published lists: see docs/markers.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtr

from sc_annotate.annotators.marker_scores import RARE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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

    @property
    def best(self) -> NDArray[np.intp]:
        """The list with the highest score in each group, -1 where none fits."""
        return np.where(self.fits_none, -1, self.scores.argmax(axis=1))

    def shares(self, rng: int = 0) -> NDArray[np.float32]:
        """In how many of `DRAWS` draws of the group's genes, with replacement, each list has the highest score; groups x lists.

        They say how far a label hangs on single genes. They are no calibrated probabilities.
        """
        out = np.zeros((self.parts.shape[0], self.parts.shape[2]), dtype=np.float32)
        random = np.random.default_rng(rng)
        for i, parts in enumerate(self.parts):
            out[i] = _wins(parts, random)
        return out


def _wins(parts: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """In how many of `DRAWS` draws of the ranks, with replacement, each list has the highest score."""
    n, n_lists = parts.shape
    drawn = random.multinomial(n, np.full(n, 1 / n), size=DRAWS) @ parts
    return np.asarray(np.bincount(drawn.argmax(axis=1), minlength=n_lists) / DRAWS)


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


@dataclass(frozen=True)
class Step:
    """A group's label before a step to a finer list, the lists to choose from, and how they score on the group's own genes.

    `first` are the genes that set the group apart from its relatives, and `found` is of one row: that group.
    """

    group: int
    coarse: int
    finer: NDArray[np.intp]
    first: NDArray[np.intp]
    found: RankScores

    @property
    def best(self) -> int:
        """The list that the group goes on to."""
        return int(self.finer[self.found.scores[0].argmax()])

    @property
    def clear(self) -> bool:
        """Whether its score is rarer than `RARE`, divided by the number of lists, if genes come in any order."""
        j = int(self.found.scores[0].argmax())
        return bool(self.found.scores[0, j] > 0 and ndtr(-self.found.above_chance[0, j]) * len(self.finer) <= RARE)


def refine(
    best: NDArray[np.intp],
    scores: NDArray[np.float64],
    values: NDArray[np.float64],
    genes: NDArray[np.intp],
    weights: NDArray[np.float64],
    finer: Callable[[int], Sequence[int]],
    n: int,
) -> list[Step]:
    """Steps from the best lists of groups down to finer ones, where groups with the same list or a finer one can be compared.

    Lists of broad types are supported by more sources, so that they win against those of their finer types wherever both
    fit. What decides between the finer ones is not what the groups have in common: genes are ranked again by their value
    in the group less the largest one in any relative, and score the finer lists alone (:func:`rank_scores`). A group
    without relatives keeps its list, and so does one in which no finer list stands out.

    Parameters
    ----------
    best
        List of each group, -1 for none.
    scores
        Groups x lists, over all genes: a finer list with a score of 0 or below is not taken.
    values
        Groups x some genes: how much each gene speaks for the group.
    genes
        Places of these genes among the rows of `weights`.
    weights
        As of :func:`rank_scores`.
    finer
        Lists of finer types than a list.
    n
        Genes of each group that count.
    """
    label, steps, open_ = best.copy(), [], True
    while open_:
        open_, before = False, label.copy()
        for i, coarse in enumerate(before.tolist()):
            under = np.asarray(finer(coarse), dtype=np.intp) if coarse >= 0 else np.empty(0, dtype=np.intp)
            kin = np.flatnonzero((before == coarse) | np.isin(before, under))
            kin = kin[kin != i]
            if not len(under) or not len(kin):
                continue
            apart = np.where(values[i] > 0, values[i] - values[kin].max(axis=0), 0)
            order = np.argsort(-apart, kind="stable")[:n]
            first = np.where(apart[order] > 0, genes[order], -1)[None]
            step = Step(i, coarse, under, first, rank_scores(first, weights[:, under]))
            if step.clear and scores[i, step.best] > 0:
                steps.append(step)
                label[i], open_ = step.best, True
    return steps


def shares_after(shares: NDArray[np.float32], steps: Sequence[Step], rng: int = 0) -> NDArray[np.float32]:
    """Shares of the lists, with that of a list that a group went on from divided between the finer ones by draws of its genes."""
    out, random = shares.copy(), np.random.default_rng([rng, 1])
    for step in steps:
        out[step.group, step.finer] += out[step.group, step.coarse] * _wins(step.found.parts[0], random)
        out[step.group, step.coarse] = 0
    return out
