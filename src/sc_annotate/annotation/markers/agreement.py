"""Whether scores of marker lists agree with calls: arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtri

from sc_annotate.metrics.wilson import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

AGREE, CONTRADICT, SILENT = "agree", "contradict", "silent"
WORDS: Final = (AGREE, CONTRADICT, SILENT)

STANDS_OUT: Final = float(ndtri(0.95))
"""A list stands out of a cell's other genes above this score (one-sided 5 %)."""

AHEAD: Final = STANDS_OUT * np.sqrt(2)
"""Another list is ahead of the call's own by more than this: the same for the difference of two scores."""


@dataclass(frozen=True)
class Row:
    """What the lists say of the cells of one call (in one group)."""

    n: int
    shares: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    own: float
    rival: int
    other: float
    ahead: tuple[float, float, float]
    """Mean of own minus rival's score over the cells, and its 95 % interval."""
    verdict: str


def cell_verdicts(scores: NDArray[np.float64], own: NDArray[np.intp]) -> NDArray[np.int8]:
    """What the lists say of each cell's call, in the order of `WORDS`; -1 where the call has no list.

    Parameters
    ----------
    scores
        Cells x lists, about standard normal where a list says nothing.
    own
        The list of each cell's call, -1 for none.

    Returns
    -------
    agree: no list scores more than the call's own, and that stands out. contradict: another stands out and is clearly
    ahead of the call's own. silent: all else.
    """
    verdict = np.full(len(own), -1, dtype=np.int8)
    rows = np.flatnonzero(own >= 0)
    mine = scores[rows, own[rows]]
    others = scores[rows].copy()
    others[np.arange(len(rows)), own[rows]] = -np.inf
    best = others.max(axis=1)
    verdict[rows] = WORDS.index(SILENT)
    verdict[rows[(mine >= best) & (mine > STANDS_OUT)]] = WORDS.index(AGREE)
    verdict[rows[(best > STANDS_OUT) & (best - mine > AHEAD)]] = WORDS.index(CONTRADICT)
    return verdict


def judge(scores: NDArray[np.float64], verdict: NDArray[np.int8], own: int) -> Row:
    """What the lists say of some cells that have one call, whose list is `own`.

    Against the rival, the list with the highest mean score but for the own one: contradict where it is ahead by an interval
    (95 %, Bonferroni over the rivals that it was chosen from), agree where the own list is ahead by one and stands out.
    """
    n, k = scores.shape
    counts = np.bincount(verdict, minlength=len(WORDS))
    low, high = wilson(counts, np.full(len(WORDS), n), 0.95)
    means = scores.mean(axis=0)
    rivals = means.copy()
    rivals[own] = -np.inf
    rival = int(rivals.argmax())
    gap = scores[:, own] - scores[:, rival]
    middle = float(gap.mean())
    half = np.inf if n < 2 else float(-ndtri(0.025 / (k - 1)) * gap.std(ddof=1) / np.sqrt(n))
    word = SILENT
    if middle + half < 0 and means[rival] > 0:
        word = CONTRADICT
    elif middle - half > 0 and means[own] > 0:
        word = AGREE
    return Row(
        n,
        counts / n,
        low,
        high,
        float(means[own]),
        rival,
        float(means[rival]),
        (middle, middle - half, middle + half),
        word,
    )
