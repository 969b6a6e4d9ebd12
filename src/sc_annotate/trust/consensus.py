"""Several methods on the same cells: their average, and where they disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import entr

from sc_annotate._core.arguments import one_of, public
from sc_annotate._core.codec import check_texts
from sc_annotate.errors import InputError, LabelError
from sc_annotate.trust._probabilities import as_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Consensus", "consensus", "disagreement"]


@dataclass(frozen=True, eq=False)
class Consensus:
    """What several methods predict together for n cells; m methods, k classes in their union.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import consensus
    >>> pair = [np.array([[0.9, 0.1]]), np.array([[0.6, 0.4]])]
    >>> found = consensus(pair, [["B", "T"], ["B", "T"]])
    >>> found.labels.tolist(), found.proba.round(2).tolist()
    (['B'], [[0.75, 0.25]])
    """

    proba: NDArray[np.float32]
    """Averaged probabilities, shape (n, k), rows summing to 1."""
    classes: NDArray[np.str_]
    """Types of the columns: those of all methods, sorted."""
    disagreement: NDArray[np.float32]
    """Jensen-Shannon divergence between the methods, shape (n,): 0 where all say the same, 1 where each is certain of
    another type."""
    disagrees: NDArray[np.bool_]
    """Whether the method's own call is another than that of the consensus, shape (n, m)."""
    knows: NDArray[np.bool_]
    """Whether the method has the class at all, shape (m, k). Where it has not, it always disagrees."""

    @property
    def labels(self) -> NDArray[np.str_]:
        """The most probable type of each cell, shape (n,); of equal ones the first in `classes`."""
        labels: NDArray[np.str_] = self.classes[self.proba.argmax(axis=1)]
        return labels


@public
def consensus(
    probas: Sequence[ArrayLike],
    classes: Sequence[ArrayLike],
    *,
    weights: ArrayLike | None = None,
    absent: Literal["abstain", "zero"] = "abstain",
) -> Consensus:
    """Average the probabilities of several methods, which should be calibrated first.

    Uncalibrated, the most over-confident method decides. An average of calibrated probabilities is itself a little
    too humble where methods differ; calibrate it again if its numbers matter more than its labels.

    Parameters
    ----------
    probas
        Probabilities of each method for the same cells, shapes (n, k_i), rows summing to 1.
    classes
        Types of the columns of each, shapes (k_i,).
    weights
        How much each method counts, shape (m,), 0 or more; None: all the same. With equal weights a poor method can
        make the average worse than the best one: see :func:`~sc_annotate.trust.pool_weights`.
    absent
        What a class that a method does not have means. ``"abstain"``: the method has no opinion on it; the class is
        averaged over the methods that have it, and rows are divided by their sums. ``"zero"``: it counts as
        probability 0, a vote against: a class that one of three methods has can then get 1/3 at most, and is hardly
        ever predicted. Neither is right for a method that was trained without a type which is there: such a method gives
        that type's cells to others, often with great confidence. Where all methods have the same classes, the two are
        the same.

    Returns
    -------
    The average, the disagreement and the dissenters of each cell.

    Raises
    ------
    sc_annotate.errors.InputError
        Fewer than two methods, different numbers of cells, what are no probabilities, weights that are none, or an
        unknown `absent`; a
        LabelError where the classes of a method do not fit its columns or repeat.

    References
    ----------
    Lin 1991, IEEE Transactions on Information Theory 37:145 (divergence). Ranjan & Gneiting 2010, Journal of the Royal
    Statistical Society B 72:71 (averages of calibrated probabilities).

    Examples
    --------
    >>> from sc_annotate.trust import consensus
    >>> found = consensus([[[0.75, 0.25]], [[0.5, 0.5]], [[0.25, 0.75]]], [["B", "T"]] * 3)
    >>> found.proba.tolist(), found.labels.tolist(), found.disagrees.tolist()
    ([[0.5, 0.5]], ['B'], [[False, False, True]])
    """
    one_of(absent, "absent", ("abstain", "zero"))
    if len(probas) < 2 or len(probas) != len(classes):
        raise InputError(
            f"a consensus needs two methods or more with their classes, not {len(probas)} and {len(classes)}."
        )
    found = [as_probabilities(p) for p in probas]
    if len({p.shape[0] for p in found}) > 1:
        raise InputError(f"the methods have different numbers of cells: {[p.shape[0] for p in found]}.")
    w = np.ones(len(found)) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (len(found),) or not np.isfinite(w).all() or w.min() < 0 or w.sum() == 0:
        raise InputError(f"weights must be {len(found)} numbers of 0 or more, one a method, and not all 0.")
    for c in classes:
        check_texts(np.asarray(c, dtype=object).ravel().tolist(), "classes", LabelError)
    names = [np.asarray(c).astype(np.str_) for c in classes]
    for i, (p, c) in enumerate(zip(found, names, strict=True)):
        if c.shape != (p.shape[1],) or np.unique(c).size != c.size:
            raise LabelError(f"classes of method {i} must name its {p.shape[1]} columns, each type once.")
    union = np.unique(np.concatenate(names))
    columns = [np.searchsorted(union, c) for c in names]
    aligned = np.zeros((len(found), found[0].shape[0], union.size))
    knows = np.zeros((len(found), union.size), dtype=bool)
    for i, (p, j) in enumerate(zip(found, columns, strict=True)):
        aligned[i][:, j] = p
        knows[i, j] = True
    total = np.tensordot(w, aligned, axes=1)
    opinions = w @ knows if absent == "abstain" else np.full(union.size, w.sum())
    # A class that only methods of weight 0 have gets nothing.
    mean = np.divide(total, opinions, out=np.zeros_like(total), where=opinions > 0)
    # Rounded before the label, so that the stored probabilities give the same one.
    proba = (mean / mean.sum(axis=1, keepdims=True)).astype(np.float32)
    call = proba.argmax(axis=1)
    own = np.stack([j[p.argmax(axis=1)] for p, j in zip(found, columns, strict=True)], axis=1)
    return Consensus(proba, union, _divergence(aligned), own != call[:, None], knows)


@public
def disagreement(probas: Sequence[ArrayLike]) -> NDArray[np.float32]:
    """Jensen-Shannon divergence between methods with the same classes, for each cell.

    Entropy of the average less the average entropy, divided by its largest possible value (the logarithm of the number
    of methods or of classes, whichever is smaller).

    Parameters
    ----------
    probas
        Probabilities of each method for the same cells and classes, shapes (n, k).

    Returns
    -------
    float32, shape (n,): 0 where all say the same, 1 where each is certain of another class.

    Raises
    ------
    sc_annotate.errors.InputError
        Fewer than two methods, different shapes, or what are no probabilities.

    Examples
    --------
    >>> from sc_annotate.trust import disagreement
    >>> disagreement([[[1.0, 0.0], [0.7, 0.3]], [[0.0, 1.0], [0.7, 0.3]]]).tolist()
    [1.0, 0.0]
    """
    found = [as_probabilities(p) for p in probas]
    if len(found) < 2 or len({p.shape for p in found}) > 1:
        raise InputError("disagreement needs two methods or more, with the same cells and classes.")
    return _divergence(np.stack(found))


def _divergence(p: NDArray[np.float64]) -> NDArray[np.float32]:
    """Of methods x cells x classes."""
    p = p / p.sum(axis=2, keepdims=True)
    surplus = entr(p.mean(axis=0)).sum(axis=1) - entr(p).sum(axis=2).mean(axis=0)
    return np.clip(surplus / np.log(min(p.shape[0], p.shape[2])), 0, 1).astype(np.float32)
