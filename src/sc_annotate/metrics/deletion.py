"""Whether the genes that are named as evidence matter to the model: delete them, and look at the probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.sparse import csr_matrix, issparse

from sc_annotate._core.arguments import one_of, public, seed, whole
from sc_annotate.errors import InputError
from sc_annotate.metrics._deletion_inputs import as_cells, check_ranking, check_steps, places

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["DeletionCurve", "deletion_curve"]


@dataclass(frozen=True, eq=False)
class DeletionCurve:
    """What deleting genes does to the probability of each cell's call; see :func:`deletion_curve`.

    Attributes
    ----------
    steps
        Numbers of deleted genes, int64, shape (s,).
    before
        Probability of the label with all genes, float64, shape (n,).
    drop
        `before` minus the probability without the first genes of the ranking, float64, shape (n, s).
    random_drop
        The same for as many random genes that the cell expresses, the mean of several draws, float64, shape (n, s).
    highest_drop
        The same for the genes with the highest values in the cell, float64, shape (n, s).
    n_expressed
        Genes that each cell expresses, int64, shape (n,).

    Examples
    --------
    >>> import sc_annotate as sca
    >>> [name for name in sca.metrics.DeletionCurve.__dataclass_fields__]
    ['steps', 'before', 'drop', 'random_drop', 'highest_drop', 'n_expressed']
    """

    steps: NDArray[np.int64]
    before: NDArray[np.float64]
    drop: NDArray[np.float64]
    random_drop: NDArray[np.float64]
    highest_drop: NDArray[np.float64]
    n_expressed: NDArray[np.int64]

    def difference(
        self,
        control: Literal["random", "highest"] = "random",
        *,
        step: int | None = None,
        n_boot: int = 1000,
        rng: int = 0,
    ) -> tuple[float, float, float]:
        """Mean of the drop minus that of a control, and its 95 % bootstrap interval: cells are drawn, each with both drops.

        Parameters
        ----------
        control
            ``"random"`` genes that the cell expresses, or those with the ``"highest"`` values in it.
        step
            Number of deleted genes, one of ``steps``; by default the last.
        n_boot
            Draws.
        rng
            Seed, an integer or a :class:`numpy.random.Generator`.

        Returns
        -------
        Mean, low and high; NaN without cells.

        Raises
        ------
        sc_annotate.errors.InputError
            No such control or step.

        Examples
        --------
        >>> import numpy as np
        >>> from sc_annotate.metrics import DeletionCurve
        >>> drop = np.array([[0.5], [0.7]])
        >>> curve = DeletionCurve(np.array([20]), np.ones(2), drop, drop - 0.4, drop - 0.3, np.array([90, 80]))
        >>> [round(value, 2) for value in curve.difference("highest")]
        [0.3, 0.3, 0.3]
        """
        other = {"random": self.random_drop, "highest": self.highest_drop}[
            one_of(control, "control", ("random", "highest"))
        ]
        at = int(self.steps[-1]) if step is None else one_of(step, "step", self.steps.tolist())
        whole(n_boot, "n_boot", least=1)
        gap = (self.drop - other)[:, self.steps.tolist().index(at)]
        if not len(gap):
            return np.nan, np.nan, np.nan
        generator = np.random.default_rng(seed(rng))
        means = [gap[generator.integers(0, len(gap), len(gap))].mean() for _ in range(n_boot)]
        low, high = np.quantile(means, [0.025, 0.975])
        return float(gap.mean()), float(low), float(high)


@public
def deletion_curve(
    predict_proba: Callable[[Any], Any],
    X: Any,
    ranked: ArrayLike,
    codes: ArrayLike,
    *,
    steps: Sequence[int] = (1, 2, 5, 10, 20, 50),
    n_random: int = 5,
    rng: int = 0,
) -> DeletionCurve:
    """Drop of the probability of each cell's call without named genes, without random expressed ones, without the highest.

    Deleted is set to 0. Random genes are drawn among those that the very cell expresses, without replacement, since taking
    away what is not there changes nothing; a ranked gene that the cell lacks counts as deleted all the same, so the
    comparison favours the controls. Where a cell expresses fewer genes than a step, all of them are gone.

    All cells count, and the probabilities are the model's own, calibrated or not. A drop is between -1 and 1 and at most
    the probability before: a label that was unsure has little to lose. Two traps: a cell without its best genes is like no
    cell that the model has seen, so a drop shows what the model uses and not what makes the type; and genes that say the
    same stand in for each other, so that a small drop need not mean a bad ranking. Compare only with the controls, on the same
    cells: :meth:`DeletionCurve.difference`. Random genes are a weak control, since those with the highest values, whatever
    they are, cost more than random ones: a ranking should beat both.

    Parameters
    ----------
    predict_proba
        From cells x genes (CSR where `X` is sparse) to cells x types.
    X
        Cells x genes, CSR or dense, float32. Not modified.
    ranked
        Column numbers of genes, the most important first, shape (n, m) or, the same for all cells, (m,); -1 for none.
        Of a gene that is named twice the first place counts.
    codes
        The call of each cell, as a number of a column of the probabilities, shape (n,).
    steps
        Numbers of genes to delete, ascending, each from 1 to m.
    n_random
        Draws of random genes, whose drops are averaged.
    rng
        Seed, an integer or a :class:`numpy.random.Generator`.

    Returns
    -------
    A :class:`DeletionCurve`.

    Raises
    ------
    sc_annotate.errors.InputError
        Shapes that do not fit, genes or codes out of range, or steps that are not ascending or go beyond the ranking.

    References
    ----------
    Samek et al. 2017, Evaluating the visualization of what a deep neural network has learned,
    `doi:10.1109/TNNLS.2016.2599820 <https://doi.org/10.1109/TNNLS.2016.2599820>`_.

    Examples
    --------
    >>> import numpy as np
    >>> import sc_annotate as sca
    >>> def two_types(X):
    ...     odds = np.exp(X @ [2.0, 0.0, 0.0])
    ...     return np.column_stack([odds, np.ones(len(X))]) / (1 + odds)[:, None]
    >>> X = np.array([[1, 1, 1], [2, 1, 1]], dtype=np.float32)
    >>> curve = sca.metrics.deletion_curve(two_types, X, [0, 1], [0, 0], steps=[1, 2], n_random=50)
    >>> curve.drop.round(2).tolist()
    [[0.38, 0.38], [0.48, 0.48]]
    >>> bool((curve.random_drop < curve.drop).all())
    True
    """
    matrix = as_cells(X)
    n, p = matrix.shape
    at = check_steps(steps)
    order = check_ranking(ranked, n, p, int(at[-1]))
    types = np.asarray(codes)
    if types.shape != (n,) or types.dtype.kind not in "iu":
        raise InputError(f"codes must be {n} integers, one a cell, not {types.dtype} of shape {types.shape}.")
    whole(n_random, "n_random", least=1)
    whole(rng, "rng", least=0)
    sparse = issparse(X)

    def of_type(cells: csr_matrix) -> NDArray[np.float64]:
        found = np.asarray(predict_proba(cells if sparse else cells.toarray()), dtype=np.float64)
        if found.ndim != 2 or len(found) != n or (n and not (types.min() >= 0 and types.max() < found.shape[1])):
            raise InputError(
                f"predict_proba gave the shape {found.shape} for {n} cells with codes up to {types.max(initial=0)}; it must "
                "give one row a cell and one column a type."
            )
        return found[np.arange(n), types]

    before = of_type(matrix)
    row = np.repeat(np.arange(n), np.diff(matrix.indptr))

    def drops(place: NDArray[np.intp]) -> NDArray[np.float64]:
        """Drops without the values whose place in the order is before each step."""
        out = np.empty((n, len(at)))
        for j, step in enumerate(at):
            kept = matrix.copy()
            kept.data[place < step] = 0
            kept.eliminate_zeros()
            out[:, j] = before - of_type(kept)
        return out

    def standing(key: NDArray[np.floating[Any]]) -> NDArray[np.intp]:
        """Place of each value in its cell, the smallest key first."""
        place = np.empty(matrix.nnz, dtype=np.intp)
        # Once sorted, the values of a cell still stand together.
        place[np.lexsort((key, row))] = np.arange(matrix.nnz) - matrix.indptr[row]
        return place

    generator = np.random.default_rng(rng)
    random_drop = np.zeros((n, len(at)))
    for _ in range(n_random):
        random_drop += drops(standing(generator.random(matrix.nnz))) / n_random
    highest_drop = drops(standing(-matrix.data))
    n_expressed = np.diff(matrix.indptr).astype(np.int64)
    return DeletionCurve(at, before, drops(places(matrix, order)), random_drop, highest_drop, n_expressed)
