"""A shift of all cells of a query, estimated under the composition that a linear model predicts for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

ROUNDS = 8


@dataclass(frozen=True, eq=False)
class Shift:
    """How the values of a query differ from those of the reference beyond what its composition explains.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.special import softmax
    >>> from sc_annotate.trust import estimate_shift
    >>> means = np.array([[4.0, 0.0], [0.0, 4.0]])
    >>> query = means[[0, 0, 0, 1]] + [1.0, 0.0]
    >>> def link(scores):
    ...     return softmax(scores, axis=1)
    >>> found = estimate_shift(query @ means.T, query.mean(axis=0), means, means, link)
    >>> found.composition.round(2).tolist(), bool(np.allclose(found.genes, [1, 0], atol=0.01))
    ([0.75, 0.25], True)
    """

    genes: NDArray[np.float32]
    """In the unit of the values, shape (genes,); 0 for a gene that the query lacks."""
    scores: NDArray[np.float64]
    """What the shift adds to the scores of each type, shape (types,): the part to be taken off."""
    composition: NDArray[np.float64]
    """Predicted share of each type among the cells, shape (types,), sums to 1."""
    rounds: int
    """How often shift and composition were estimated in turn."""

    @property
    def norm(self) -> float:
        """Length of the shift over all genes."""
        return float(np.sqrt(np.square(self.genes, dtype=np.float64).sum()))

    @property
    def log_odds(self) -> float:
        """The largest change of the score of a type against that of another."""
        return float(np.ptp(self.scores))

    def apply(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Scores without the shift, cells x types, float64."""
        return np.asarray(scores, dtype=np.float64) - self.scores


@public
def estimate_shift(
    scores: ArrayLike,
    mean: ArrayLike,
    class_means: ArrayLike,
    coef: ArrayLike,
    link: Callable[[NDArray[np.float64]], NDArray[Any]],
    *,
    present: ArrayLike | None = None,
    rounds: int = ROUNDS,
) -> Shift:
    """Estimate the shift of a query and its composition in turn.

    The composition is the mean of the probabilities; the shift is the mean of the query minus that of a mixture of the
    reference's types of this composition; the next probabilities are those of the scores without what the shift adds to them.
    A shift shared by all cells changes only the intercept of a linear model, so that no value has to be corrected. As the
    composition is taken off first, a query of other proportions than the reference is not taken for a shifted one.

    Parameters
    ----------
    scores
        Scores of some cells before the link, cells x types: values times coefficients, plus the intercept.
    mean
        Mean of each gene over these cells, shape (genes,).
    class_means
        Mean of each gene in each type of the reference, types x genes, in the unit of `mean`.
    coef
        Coefficients, types x genes, for values in the same unit.
    link
        Makes probabilities of scores, cells x types.
    present
        Mask of the genes that the query has; of the others nothing is known, and their shift is 0. None: all.
    rounds
        How often the two are estimated.

    Returns
    -------
    The shift of the last round, and the composition under which it was found.

    Raises
    ------
    sc_annotate.errors.InputError
        Shapes that do not fit each other, no cells, or no rounds.

    References
    ----------
    Iterating between the mixture and the shift is expectation-maximisation for label shift (Saerens et al. 2002, Neural
    Computation 14), with a common offset of the features in each step.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.special import softmax
    >>> from sc_annotate.trust import estimate_shift
    >>> means = np.array([[4.0, 0.0], [0.0, 4.0]])
    >>> query = means[[0, 0, 0, 1]] + [1.0, 0.0]
    >>> def link(scores):
    ...     return softmax(scores, axis=1)
    >>> found = estimate_shift(query @ means.T, query.mean(axis=0), means, means, link)
    >>> round(found.norm, 2), found.apply(np.zeros((1, 2))).round(1).tolist()
    (1.0, [[-4.0, 0.0]])
    """
    Z = np.asarray(scores, dtype=np.float64)
    q, M, W = (np.asarray(a, dtype=np.float64) for a in (mean, class_means, coef))
    if Z.ndim != 2 or M.ndim != 2 or M.shape != W.shape or q.shape != M.shape[1:] or Z.shape[1] != len(M):
        raise InputError(
            f"scores {Z.shape}, mean {q.shape}, class_means {M.shape} and coef {W.shape} do not fit: they must be cells x types, "
            "genes, types x genes and types x genes."
        )
    known = np.ones(len(q), dtype=bool) if present is None else np.asarray(present, dtype=bool)
    if known.shape != q.shape:
        raise InputError(
            f"present must be one True or False for each of the {len(q)} genes, not of shape {known.shape}."
        )
    if not len(Z) or rounds < 1:
        raise InputError(f"a shift needs cells and at least one round, not {len(Z)} cells and {rounds} rounds.")
    effect, shift = np.zeros(len(M)), np.zeros(len(q))
    composition = np.empty(len(M))
    for _ in range(rounds):
        composition = np.asarray(link(Z - effect), dtype=np.float64).mean(axis=0)
        shift = np.where(known, q - composition @ M, 0.0)
        effect = W @ shift
    return Shift(shift.astype(np.float32), effect, composition / composition.sum(), rounds)
