"""Whether scores of marker lists agree with labels: arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtri

from sc_annotate.metrics.probabilities import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

AGREE, CONTRADICT, SILENT = "agree", "contradict", "silent"
AGREEMENTS: Final = (AGREE, CONTRADICT, SILENT)

STANDS_OUT: Final = float(ndtri(0.95))
"""A list stands out of a cell's other genes above this score (one-sided 5 %)."""

AHEAD: Final = STANDS_OUT * np.sqrt(2)
"""Another list is ahead of the label's own by more than this: the same for the difference of two scores."""


@dataclass(frozen=True)
class Comparison:
    """How the lists compare for the cells of one label (in one group)."""

    n: int
    shares: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    own: float
    rival: int
    other: float
    difference: tuple[float, float, float]
    """Mean of own minus rival's score over the cells, and its 95 % interval."""
    agreement: str


def cell_agreement(scores: NDArray[np.float64], own: NDArray[np.intp]) -> NDArray[np.int8]:
    """Whether the lists agree with the label of each cell, in the order of `AGREEMENTS`; -1 where the label has no list.

    Parameters
    ----------
    scores
        Cells x lists, about standard normal where a list is not enriched.
    own
        The list of each cell's label, -1 for none.

    Returns
    -------
    agree: no list scores higher than the label's own, which stands out. contradict: another list stands out and is
    clearly ahead of the label's own. silent: all else.
    """
    agreement = np.full(len(own), -1, dtype=np.int8)
    rows = np.flatnonzero(own >= 0)
    mine = scores[rows, own[rows]]
    others = scores[rows].copy()
    others[np.arange(len(rows)), own[rows]] = -np.inf
    best = others.max(axis=1)
    agreement[rows] = AGREEMENTS.index(SILENT)
    agreement[rows[(mine >= best) & (mine > STANDS_OUT)]] = AGREEMENTS.index(AGREE)
    agreement[rows[(best > STANDS_OUT) & (best - mine > AHEAD)]] = AGREEMENTS.index(CONTRADICT)
    return agreement


def compare(scores: NDArray[np.float64], agreement: NDArray[np.int8], own: int) -> Comparison:
    """Compare the lists on cells of one label, whose list is `own`.

    The rival is the list with the highest mean score but for the own one. contradict: the rival is ahead by the whole
    interval (95 %, Bonferroni over the rivals it was chosen from). agree: the own list is ahead by it and stands out.
    """
    n, k = scores.shape
    counts = np.bincount(agreement, minlength=len(AGREEMENTS))
    low, high = wilson(counts, np.full(len(AGREEMENTS), n), 0.95)
    means = scores.mean(axis=0)
    rivals = means.copy()
    rivals[own] = -np.inf
    rival = int(rivals.argmax())
    gap = scores[:, own] - scores[:, rival]
    middle = float(gap.mean())
    half = np.inf if n < 2 else float(-ndtri(0.025 / (k - 1)) * gap.std(ddof=1) / np.sqrt(n))
    together = SILENT
    if middle + half < 0 and means[rival] > 0:
        together = CONTRADICT
    elif middle - half > 0 and means[own] > 0:
        together = AGREE
    return Comparison(
        n=n,
        shares=counts / n,
        low=low,
        high=high,
        own=float(means[own]),
        rival=rival,
        other=float(means[rival]),
        difference=(middle, middle - half, middle + half),
        agreement=together,
    )
