"""Multilayer perceptron with one hidden layer."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
from scipy.special import softmax

from sc_annotate._core.arguments import need_choice, need_count, need_positive
from sc_annotate._core.stored_arrays import Stored
from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._linear import two_columns
from sc_annotate.annotators._moments import Scaling, as_dense, class_weights, mean_and_factor, scale_columns
from sc_annotate.annotators._stored import rebuild
from sc_annotate.annotators.checks import check_fit, check_predict, need_fitted, row_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Arrays, Matrix

_BLOCK = 4096  # cells that are dense at a time
_ARRAYS = {
    "coef_in": Stored("f4", ("genes", "hidden")),
    "intercept_in": Stored("f4", ("hidden",)),
    "coef_out": Stored("f4", ("hidden", "types")),
    "intercept_out": Stored("f4", ("types",)),
}


@dataclass
class MLP(Annotator):
    """One hidden layer of rectified units on log values divided by their standard deviation (scikit-learn, Adam).

    Strong weight decay is what makes it keep up with the linear methods on small references. Training goes through
    the cells in blocks, so sparse data never become dense as a whole; centring and scaling are folded into the first
    layer.

    Parameters
    ----------
    hidden
        Units of the hidden layer.
    alpha
        Weight decay, as in scikit-learn.
    class_weight
        How often a cell is drawn: ``"balanced"``, proportional to 1 / (size of its type); ``"sqrt"``, to the inverse
        square root of it; None, each cell once an epoch.
    epochs
        An epoch draws as many cells as there are.
    learning_rate
        First step size of Adam.
    batch_size
        Cells a step.
    scaling
        ``"each"``: genes are divided each by its own standard deviation; ``"common"``: all columns by one number, so that the
        mean variance is 1. With ``use_rep`` the default is ``"common"``, as the last dimensions of an embedding, mostly noise,
        would else count as much as the first.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.mlp import MLP
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = MLP().fit(X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "CD3D"]))
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    parallel: ClassVar[bool] = True

    hidden: int = 100
    alpha: float = 1.0
    class_weight: Literal["balanced", "sqrt"] | None = "sqrt"
    epochs: int = 50
    learning_rate: float = 1e-3
    batch_size: int = 64
    scaling: Literal["each", "common"] = "each"

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Train for `epochs` epochs; `batch` is not used."""
        from sklearn.neural_network import MLPClassifier

        need_positive(self, "learning_rate")
        need_count(self, "hidden", "epochs", "batch_size")
        need_choice(self, "class_weight", ("balanced", "sqrt", None))
        need_choice(self, "scaling", get_args(Scaling))
        matrix, codes, self.classes_ = check_fit(X, y, genes, batch)
        mean, scale = mean_and_factor(matrix, self.scaling)
        center = (mean * scale).astype(np.float32)
        scaled: Any = scale_columns(matrix, scale)
        n = len(codes)
        model = MLPClassifier(
            (self.hidden,),
            alpha=self.alpha,
            learning_rate_init=self.learning_rate,
            batch_size=min(self.batch_size, n),
            # A generator, not a seed: with a seed each epoch would draw the same order.
            random_state=np.random.RandomState(rng),
        )
        generator = np.random.default_rng(rng)
        weights = class_weights(codes, self.class_weight)
        share = None if weights is None else np.array([weights[c] for c in range(len(self.classes_))])[codes] / n
        for _ in range(self.epochs):
            drawn = generator.permutation(n) if share is None else generator.choice(n, size=n, p=share / share.sum())
            for rows in row_blocks(n, _BLOCK):
                block = as_dense(scaled[drawn[rows]]) - center
                model.set_params(batch_size=min(self.batch_size, len(block)))
                _partial_fit(model, block, codes[drawn[rows]], len(self.classes_))
        first, last = (np.asarray(c, dtype=np.float64) for c in model.coefs_)
        last, bias = two_columns(last.T, np.asarray(model.intercepts_[1], np.float64), link="softmax")
        self.coef_in_: NDArray[np.float32] = (first * scale[:, None]).astype(np.float32)
        self.intercept_in_: NDArray[np.float32] = (model.intercepts_[0] - center @ first).astype(np.float32)
        self.coef_out_: NDArray[np.float32] = last.T.astype(np.float32)
        self.intercept_out_: NDArray[np.float32] = bias.astype(np.float32)
        return self

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Probabilities, cells x types, float32, columns in ``classes_`` order."""
        need_fitted(self, "coef_in_")
        matrix = check_predict(X, len(self.coef_in_))
        hidden = np.maximum(np.asarray(matrix @ self.coef_in_, dtype=np.float32) + self.intercept_in_, 0)
        score = hidden @ self.coef_out_ + self.intercept_out_
        return np.asarray(softmax(score.astype(np.float64), axis=1), dtype=np.float32)

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Weights and biases of both layers."""
        need_fitted(self, "coef_in_")
        return {name: getattr(self, f"{name}_") for name in _ARRAYS}, {"params": self.params()}

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any], classes: NDArray[np.str_]) -> Self:
        """Rebuild a fitted model; needs neither the training data nor scikit-learn."""
        return rebuild(cls, arrays, meta, classes, declared=_ARRAYS)


def _partial_fit(model: Any, X: NDArray[np.float32], codes: NDArray[np.intp], k: int) -> None:
    """One pass over `X`; fit itself would warn at the last epoch that it has not converged.

    scikit-learn turns an interruption into a warning and goes on, which would leave a half-trained model as a result.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Training interrupted by user", category=UserWarning)
        try:
            model.partial_fit(X, codes, classes=np.arange(k))
        except UserWarning as warning:
            raise KeyboardInterrupt from warning
