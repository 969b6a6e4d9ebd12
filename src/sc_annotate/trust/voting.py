"""One call for all cells of a cluster, except where that would wipe out a type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import entr

from sc_annotate._core.arguments import number as between
from sc_annotate._core.arguments import public
from sc_annotate.metrics.encoding import encode, numbers, same_length

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Votes", "vote"]


@dataclass(frozen=True, eq=False)
class Votes:
    """Labels after a vote.

    Examples
    --------
    >>> from sc_annotate.trust import vote
    >>> votes = vote(["B", "B", "T"], ["0", "0", "0"], guard=None)
    >>> votes.labels.tolist(), votes.table["winner"].tolist()
    (['B', 'B', 'B'], ['B'])
    """

    labels: NDArray[np.str_]
    """Label of each cell after the vote, shape (n,)."""
    guarded: NDArray[np.bool_]
    """Cells that kept their own label because the vote would have removed their type, shape (n,)."""
    table: dict[str, NDArray[Any]]
    """A row for each group, sorted: ``group``, ``n`` (cells), ``winner``, ``share`` (of the cells labelled so),
    ``runner_up`` ("" where all agree), ``runner_up_share``, ``entropy`` (of the labels, in nats: its exponential is the
    effective number of types), ``decided`` (whether the winner was given to its cells), ``guarded`` (cells that kept
    their own call against it)."""
    guarded_types: list[str]
    """Types that some cells kept against the vote."""


@public
def vote(
    labels: ArrayLike,
    groups: ArrayLike,
    *,
    min_share: float = 0.0,
    confidence: ArrayLike | None = None,
    guard: float | None = 0.5,
    min_confidence: float = 0.5,
) -> Votes:
    """Give the cells of each group the label that most of them have.

    Votes remove scattered mistakes, and with them every type that is nowhere in the majority: rare types, and types
    that the clustering did not separate. Keep the raw labels beside.

    Parameters
    ----------
    labels
        Call of each cell, shape (n,).
    groups
        Cluster of each cell, shape (n,).
    min_share
        A group whose winner has a smaller share of its cells is left undecided: its cells keep their own labels.
    confidence
        Probability of each label, shape (n,). With it, only labels of at least `min_confidence` are guarded.
    guard
        A type that would win no group, and so lose all its cells, keeps them in every group that holds at least this
        share of them: cells that belong together are a small population, those spread thinly over the groups are
        mistakes. 1 asks for all in one group, 0 keeps every such type, None switches the guard off.
    min_confidence
        See `confidence`.

    Returns
    -------
    The voted labels, the cells that were guarded, and a table of the groups. Of equally frequent labels the first in
    the alphabet wins.

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, arguments of different cells, or shares outside 0 to 1; a LabelError where labels or groups are missing.

    Examples
    --------
    >>> from sc_annotate.trust import vote
    >>> labels = ["T"] * 7 + ["B"] + ["NK"] * 2 + ["B"] * 5
    >>> groups = ["0"] * 10 + ["1"] * 5
    >>> found = vote(labels, groups)
    >>> "".join(found.labels[:10].tolist()), found.guarded_types
    ('TTTTTTTTNKNK', ['NK'])
    >>> found.table["winner"].tolist(), found.table["share"].tolist(), found.table["runner_up"].tolist()
    (['T', 'B'], [0.7, 1.0], ['NK', ''])
    """
    shares = {"min_share": min_share, "guard": 0.0 if guard is None else guard, "min_confidence": min_confidence}
    for name, value in shares.items():
        between(value, name, low=0, high=1)
    types, call = encode(labels, "labels")
    names, group = encode(groups, "groups")
    same_length(call.size, group.size, "groups", of="labels")
    sure = np.ones(call.size, dtype=bool)
    if confidence is not None:
        sure = numbers(confidence, "confidence", call.size) >= min_confidence
    counts = np.zeros((names.size, types.size), dtype=np.int64)
    np.add.at(counts, (group, call), 1)
    n = counts.sum(axis=1)
    order = np.argsort(-counts, axis=1, kind="stable")
    winner = order[:, 0]
    share = counts / n[:, None]
    decided = share[np.arange(names.size), winner] >= min_share
    guarded = np.zeros(call.size, dtype=bool)
    if guard is not None:
        # A type keeps cells by winning, or in a group that is left undecided.
        lives = np.isin(np.arange(types.size), winner[decided]) | (counts[~decided] > 0).any(axis=0)
        kept = ~lives & (counts >= guard * counts.sum(axis=0))
        guarded = kept[group, call] & sure
    voted = np.where(decided[group] & ~guarded, winner[group], call)
    second = order[:, min(1, types.size - 1)]
    n_second = counts[np.arange(names.size), second] if types.size > 1 else np.zeros(names.size, dtype=np.int64)
    table: dict[str, NDArray[Any]] = {
        "group": names,
        "n": n,
        "winner": types[winner],
        "share": share[np.arange(names.size), winner],
        "runner_up": np.where(n_second > 0, types[second], ""),
        "runner_up_share": n_second / n,
        "entropy": entr(share).sum(axis=1),
        "decided": decided,
        "guarded": np.bincount(group[guarded], minlength=names.size),
    }
    return Votes(types[voted], guarded, table, types[np.unique(call[guarded])].tolist())
