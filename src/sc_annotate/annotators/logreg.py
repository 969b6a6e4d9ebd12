"""Multinomial logistic regression on scaled log values."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array, issparse
from scipy.special import log_softmax

from sc_annotate._core.arguments import need_choice, need_count, need_positive
from sc_annotate._core.arrays import rows
from sc_annotate._core.softmax_regression import Columns, Loss, Softmax, Solver, softmax_regression
from sc_annotate.annotators._linear import COEFFICIENTS, LinearAnnotator
from sc_annotate.annotators._moments import Scaling, class_weights, mean_and_factor, sparse_if_mostly_zero
from sc_annotate.annotators._stored import rebuild
from sc_annotate.annotators._tree import common_ancestors
from sc_annotate.annotators.checks import MANY_TYPES, check_fit, need_not_negative
from sc_annotate.errors import ScAnnotateWarning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Arrays, Matrix


@dataclass
class LogReg(LinearAnnotator):
    """Multinomial logistic regression on log values divided by their standard deviation.

    The baseline of all methods: on small references few methods do better, and hardly one is as good on every data
    set and as fast. Scaling is folded into the coefficients, so a gene's coefficient is in log-odds per
    unit of ``log1p`` expression.

    Parameters
    ----------
    C
        Inverse strength of the L2 penalty, as in scikit-learn; smaller is smoother. None: 0.2 for up to 5,000 cells; for
        more, the one of 0.2, 0.04, ..., 0.000064 with the best calibrated log loss on a held-out fifth of 5,000 random
        cells (whole batches, where there are several). With more than 500 types always 0.2.
    class_weight
        ``"balanced"``: weight of a cell proportional to 1 / (size of its type); ``"sqrt"``: to the inverse square
        root of it; None: equal weights. Weights have mean 1. Balanced weights favour rare types.
    max_iter
        Steps of the solver (L-BFGS). A :class:`~sc_annotate.errors.ScAnnotateWarning` says when they were too few. None:
        1,000; with more than 500 types, as many as about 1.2e12 products of a value and a coefficient allow, and 5 at
        least; ``notes_`` says how many were taken. From coefficients of 0, few steps give a smoother model.
    tol
        The solver stops when the largest entry of the gradient is below this.
    tree
        Ancestors of each type, by name, in any order and number, the root left out: ``{"CD4 T": ["T", "lymphocyte"], ...}``.
        A mistake within an ancestor then costs less than one across: to the loss of a cell comes, for every ancestor of
        its type, minus the logarithm of the summed probability of the types under it. Ancestors with the same types
        count once; those with one type or all types say nothing. None: all mistakes cost the same. Where several columns of
        labels are learned from, :func:`sc_annotate.tl.annotate` takes the word ``"levels"`` for their tree. On the data sets
        tried so far it makes no mistake milder than the plain loss does: see :doc:`/levels`.
    tree_weight
        Weight of each ancestor's term against that of the type itself; the sum is scaled so that `C` keeps its meaning.
    sd_floor
        Genes are divided by their standard deviation, or by this where it is larger, so that genes of few cells count for
        less. 0: by the standard deviation of each, as is the default with ``use_rep``.
    scaling
        ``"each"``: genes are divided each by its own standard deviation; ``"common"``: all columns by one number, so that the
        mean variance is 1. With ``use_rep`` the default is ``"common"``, as the last dimensions of an embedding, mostly noise,
        would else count as much as the first.

    References
    ----------
    The loss over a tree of types: Nature Computational Science 2026, 10.1038/s43588-025-00945-z.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.logreg import LogReg
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = LogReg().fit(X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "CD3D"]))
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    aligns: ClassVar[bool] = True

    C: float | None = None
    class_weight: Literal["balanced", "sqrt"] | None = "balanced"
    max_iter: int | None = None
    tol: float = 1e-4
    tree: Mapping[str, Sequence[str]] | None = None
    tree_weight: float = 0.25
    sd_floor: float = 0.2
    scaling: Literal["each", "common"] = "each"

    if TYPE_CHECKING:
        C_: float = field(init=False)  # the one that was used
        notes_: list[str] = field(init=False)  # where the fit was made shorter, how; of a model just fitted only

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Learn coefficients; `rng` and `batch` serve the choice of `C` alone."""
        need_positive(self, *(["C"] if self.C is not None else []), "tol")
        need_count(self, *(["max_iter"] if self.max_iter is not None else []))
        need_choice(self, "class_weight", ("balanced", "sqrt", None))
        need_positive(self, "tree_weight")
        need_not_negative(self, "sd_floor")
        need_choice(self, "scaling", get_args(Scaling))
        matrix, codes, classes = check_fit(X, y, genes, batch)
        above = None if self.tree is None else self.tree_weight * common_ancestors(self.tree, classes)
        many = len(classes) > MANY_TYPES
        if many:
            matrix = for_many_types(matrix)
        else:
            matrix = sparse_if_mostly_zero(matrix)
        mean, scale = mean_and_factor(matrix, self.scaling, self.sd_floor)
        weights = np.ones(len(classes))
        if (chosen := class_weights(codes, self.class_weight)) is not None:
            weights = np.array(list(chosen.values()))
        columns = Columns(scale, mean)
        if many:
            self.C_ = self.C or USUAL
        else:
            self.C_ = self.C or choose_C(matrix, codes, columns=columns, weights=weights, batch=batch, rng=rng)
        k = len(classes)
        steps = self.max_iter or (affordable_steps(matrix, k) if many else STEPS)
        model = softmax_regression(
            matrix,
            codes,
            k,
            Loss(penalty(self.C_, k), weights, above if above is not None and len(above) else None),
            columns=columns,
            solver=Solver(steps, self.tol),
        )
        stopped = model.n_iter >= steps
        self.notes_ = []
        if many and (self.C is None or self.max_iter is None):
            self.notes_.append(_words(self, k, model.n_iter, stopped))
        if stopped and not (many and self.max_iter is None):
            warnings.warn(
                f"logreg stopped after max_iter={steps} steps before it converged; the model is usable. "
                "Give more steps, or a smaller C.",
                ScAnnotateWarning,
                stacklevel=3,
            )
        return self._set(classes, model.coef.T, model.intercept - (mean * scale) @ model.coef, scale=scale)

    def params(self) -> dict[str, Any]:
        """Hyperparameters, by name; those of a tree only where there is one."""
        params = super().params()
        if self.tree is None:
            return {name: value for name, value in params.items() if name not in ("tree", "tree_weight")}
        return params | {"tree": {str(name): [str(a) for a in above] for name, above in self.tree.items()}}

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Coefficients and intercept; the hyperparameters and the `C` that was chosen are the JSON part."""
        arrays, meta = super().to_arrays()
        return arrays, meta | {"C": float(self.C_)}

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any], classes: NDArray[np.str_]) -> Self:
        """Rebuild a fitted model."""
        return rebuild(cls, arrays, meta, classes, declared=COEFFICIENTS, state={"C": float})


USUAL = 0.2
"""C for small references, where a choice would be mostly luck; see ``docs/benchmarks_annotators.md``."""
FEW = 5_000
"""Up to this many cells are a small reference; of a larger one, so many are looked at."""
STEPS = 1000
"""Of the solver; it usually needs far fewer."""
GRID = (USUAL / 3125, USUAL / 625, USUAL / 125, USUAL / 25, USUAL / 5, USUAL)


_PRODUCTS = 1.2e12  # values times coefficients in all steps together: some minutes of one core
_LEAST_STEPS = 5
_DENSE = 100_000_000  # values of a dense matrix, 400 MB
_FILLED = 0.1  # with a larger share of values other than 0, dense products are faster


def for_many_types(matrix: Any) -> Any:
    """The matrix as it is multiplied fastest by the coefficients of hundreds of types."""
    size = matrix.shape[0] * matrix.shape[1]
    filled = (matrix.nnz if issparse(matrix) else np.count_nonzero(matrix)) / max(1, size)
    if issparse(matrix):
        return matrix.toarray() if filled > _FILLED and size <= _DENSE else matrix
    return matrix if filled > _FILLED else csr_array(matrix)


def affordable_steps(matrix: Any, n_classes: int) -> int:
    """Steps of the solver that take some minutes in all."""
    stored = matrix.nnz if issparse(matrix) else matrix.size
    return int(min(STEPS, max(_LEAST_STEPS, _PRODUCTS // max(1, stored * n_classes))))


def _words(model: LogReg, n_classes: int, n_iter: int, stopped: bool) -> str:
    """How a fit of many types differs from others."""
    said = []
    if model.C is None:
        said.append(f"C={model.C_:g} was not chosen on held-out cells")
    if model.max_iter is None:
        end = "before it converged" if stopped else "when it converged"
        said.append(f"the solver stopped after {n_iter} steps, {end}")
    return f"logreg, {n_classes:,} types (more than {MANY_TYPES:,}): {'; '.join(said)}"


def penalty(C: float, n_classes: int) -> float:
    """Weight of the squared coefficients, one column a class, that gives the model of scikit-learn.

    That has one column for two classes; split in halves, its square is half as large.
    """
    return (2 if n_classes == 2 else 1) / C


def choose_C(
    X: Any,
    codes: NDArray[np.intp],
    *,
    columns: Columns,
    weights: NDArray[np.float64],
    batch: NDArray[np.str_] | None,
    rng: int,
) -> float:
    """The value in :data:`GRID` whose probabilities are best on held-out cells, once a temperature is fitted to them.

    Without the temperature a weak penalty would win where the strong one gives better labels and is merely too modest,
    which calibration corrects. A fifth of 5,000 random cells is held out, in whole batches where there are several.
    """
    from sc_annotate.evaluation import holdout

    if len(codes) <= FEW:
        return USUAL
    some = np.sort(np.random.default_rng(rng).permutation(len(codes))[:FEW])
    matrix, codes = rows(X, some), codes[some]
    split = holdout(codes, groups=None if batch is None else batch[some], rng=rng)
    train = split.train
    known, at = np.unique(codes[train], return_inverse=True)
    test = split.test[np.isin(codes[split.test], known)]
    if len(known) < 2 or not len(test):
        return USUAL
    seen, held, truth = rows(matrix, train), rows(matrix, test), np.searchsorted(known, codes[test])
    scale, center = columns.both(held.shape[1])
    model: Softmax | None = None
    losses = []
    for C in GRID:
        model = softmax_regression(
            seen,
            at,
            len(known),
            Loss(penalty(C, len(known)), weights[known]),
            columns=columns,
            solver=Solver(tol=1e-3, start=model),
        )
        score = held @ (scale[:, None] * model.coef) + model.intercept - (center * scale) @ model.coef
        losses.append(_calibrated_loss(score, truth))
    return GRID[int(np.argmin(losses))]


def _calibrated_loss(score: NDArray[np.float64], truth: NDArray[np.intp]) -> float:
    """Log loss with the scores divided by the temperature that suits them best."""

    def loss(log_t: float) -> float:
        return -float(log_softmax(score * np.exp(-log_t), axis=1)[np.arange(len(truth)), truth].mean())

    return float(minimize_scalar(loss, bounds=(-5, 5), method="bounded").fun)
