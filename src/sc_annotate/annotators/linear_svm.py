"""Linear support vector machine with probabilities calibrated out of fold."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

from sc_annotate._core.arguments import need_choice, need_count, need_positive
from sc_annotate._core.stored_arrays import Stored
from sc_annotate.annotators._linear import COEFFICIENTS, LinearAnnotator, two_columns
from sc_annotate.annotators._moments import Scaling, as_dense, class_weights, mean_and_factor, scale_columns
from sc_annotate.annotators._platt import platt
from sc_annotate.annotators._stored import rebuild
from sc_annotate.annotators.checks import check_fit, need_not_negative
from sc_annotate.errors import MethodError, ScAnnotateWarning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Arrays, Matrix


def scattered_folds(codes: NDArray[np.intp], n_folds: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """A fold for each cell; every class is spread as evenly as it can be, whatever its size."""
    fold = np.empty(len(codes), dtype=np.intp)
    for code in np.unique(codes):
        cells = rng.permutation(np.flatnonzero(codes == code))
        # A random first fold, so that the single cells of several rare classes do not meet in fold 0.
        fold[cells] = (np.arange(len(cells)) + rng.integers(n_folds)) % n_folds
    return fold


def again(caught: list[warnings.WarningMessage], category: type[Warning], text: str) -> None:
    """Pass on what was caught, but the given category as one plain warning of ours."""
    for item in caught:
        if not issubclass(item.category, category):
            warnings.warn_explicit(item.message, item.category, item.filename, item.lineno)
    if any(issubclass(item.category, category) for item in caught):
        warnings.warn(
            f"{text} before it converged; the model is usable. Give more steps, or a smaller C.",
            ScAnnotateWarning,
            stacklevel=4,
        )


@dataclass
class LinearSVM(LinearAnnotator):
    """Linear support vector machine, one type against the rest, on log values divided by their standard deviation.

    Margins are turned into probabilities by a sigmoid a type (Platt), fitted on margins of cells that were held out
    of the training, then divided by their sum. A type of too few cells for a sigmoid of its own takes the one of all
    types pooled.

    Parameters
    ----------
    C
        Inverse strength of the L2 penalty, as in scikit-learn; smaller is smoother.
    class_weight
        ``"balanced"``: weight of a cell proportional to 1 / (size of its type); ``"sqrt"``: to the inverse square
        root of it; None: equal weights. Weights have mean 1.
    n_folds
        Folds of the calibration; the machine is trained ``n_folds + 1`` times.
    max_iter
        Steps of the solver (liblinear). A :class:`~sc_annotate.errors.ScAnnotateWarning` says when they were too few.
    sd_floor
        Genes are divided by their standard deviation, or by this where it is larger, so that genes of few cells count for
        less. 0: by the standard deviation of each, as is the default with ``use_rep``.
    scaling
        ``"each"``: genes are divided each by its own standard deviation; ``"common"``: all columns by one number, so that the
        mean variance is 1. With ``use_rep`` the default is ``"common"``, as the last dimensions of an embedding, mostly noise,
        would else count as much as the first.

    References
    ----------
    Abdelaal et al. 2019, A comparison of automatic cell identification methods for single-cell RNA sequencing data,
    `doi:10.1186/s13059-019-1795-z <https://doi.org/10.1186/s13059-019-1795-z>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.linear_svm import LinearSVM
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = LinearSVM().fit(X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "CD3D"]))
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    C: float = 0.001
    class_weight: Literal["balanced", "sqrt"] | None = "sqrt"
    n_folds: int = 3
    max_iter: int = 10_000
    sd_floor: float = 0.2
    scaling: Literal["each", "common"] = "each"

    link = "sigmoid"
    aligns: ClassVar[bool] = True

    def _margins(self, X: Any, codes: NDArray[np.intp], seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        from sklearn.svm import LinearSVC

        model = LinearSVC(
            C=self.C,
            class_weight=class_weights(codes, self.class_weight),
            # Both forms have one optimum; with a strong penalty the dual gets there faster however many cells there are.
            dual=X.shape[0] < X.shape[1] or self.C <= 0.01,
            max_iter=self.max_iter,
            tol=1e-3,
            random_state=seed,
        )
        model.fit(X, codes)
        return two_columns(model.coef_, model.intercept_, link="sigmoid")

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Learn margins on all cells, and sigmoids on margins of held-out cells; `batch` is not used."""
        from sklearn.exceptions import ConvergenceWarning

        need_positive(self, "C")
        need_count(self, "max_iter")
        need_choice(self, "class_weight", ("balanced", "sqrt", None))
        need_not_negative(self, "sd_floor")
        need_choice(self, "scaling", get_args(Scaling))
        if self.n_folds < 2:
            raise MethodError(f"LinearSVM: n_folds must be 2 or more, not {self.n_folds!r}.")
        matrix, codes, classes = check_fit(X, y, genes, batch)
        mean, scale = mean_and_factor(matrix, self.scaling, self.sd_floor)
        # Genes are not centred, which would make them dense; 0 is where most of their values are.
        center = mean if self.scaling == "common" else np.zeros_like(mean)
        matrix = as_dense(matrix) - center.astype(np.float32) if self.scaling == "common" else matrix
        scaled: Any = scale_columns(matrix, scale)
        generator = np.random.default_rng(rng)
        seed = int(generator.integers(2**31))
        fold = scattered_folds(codes, self.n_folds, generator)
        held_out = np.full((len(codes), len(classes)), np.nan)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            coef, intercept = self._margins(scaled, codes, seed)
            for f in range(self.n_folds):
                train, test = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
                known, inner = np.unique(codes[train], return_inverse=True)
                if len(known) > 1 and len(test):
                    w, b = self._margins(scaled[train], inner, seed)
                    # A class without a training cell has no margin in this fold.
                    held_out[np.ix_(test, known)] = scaled[test] @ w.T + b
        again(caught, ConvergenceWarning, f"linear_svm stopped after max_iter={self.max_iter} steps")
        slope, offset = platt(held_out, codes)
        self.platt_slope_: NDArray[np.float32] = slope.astype(np.float32)
        self.platt_offset_: NDArray[np.float32] = offset.astype(np.float32)
        return self._set(classes, coef, intercept - coef @ (scale * center), scale=scale)

    def decision(self, X: Matrix) -> NDArray[np.float32]:
        """Log-odds of each type against the rest, cells x classes: the margins, through Platt's line."""
        return super().decision(X) * self.platt_slope_ + self.platt_offset_

    def coefficients(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Coefficients (classes x genes) and intercept of the log-odds, Platt's line folded in."""
        coef, intercept = super().coefficients()
        return coef * self.platt_slope_[:, None], intercept * self.platt_slope_ + self.platt_offset_

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Coefficients, intercept, and the slope and offset of each sigmoid."""
        arrays, meta = super().to_arrays()
        return {**arrays, "platt_slope": self.platt_slope_, "platt_offset": self.platt_offset_}, meta

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any], classes: NDArray[np.str_]) -> Self:
        """Rebuild a fitted model; needs neither the training data nor scikit-learn."""
        lines = {name: Stored("f4", ("types",)) for name in ("platt_slope", "platt_offset")}
        return rebuild(cls, arrays, meta, classes, declared=COEFFICIENTS | lines)
