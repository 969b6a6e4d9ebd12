"""The calibrators by name: temperature scaling, none at all, and those of other modules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.trust._probabilities import as_probabilities, check_fit, need_fitted, stored, stored_number
from sc_annotate.trust.isotonic import Isotonic
from sc_annotate.trust.venn_abers import VennAbers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray


__all__ = ["Temperature"]

# A forest or a kNN says exactly 0, whose logarithm has no use. An over-confident linear model says 1e-20 and means
# something by it: raising that to 1e-7 too would cost LDA on pbmc68k 0.17 of log loss.
TINY, ZERO = 1e-30, 1e-7
LOWEST, HIGHEST = 0.05, 100.0
# Logits that are worked on at a time: larger pieces are taken from the system at every step of a fit.
_LOGITS = 2_000_000


def _of_truth(logits: NDArray[np.float64], codes: NDArray[np.intp], by: float) -> NDArray[np.float64]:
    """The logarithm of each cell's probability of its own class, the logits multiplied `by` a number."""
    out = np.empty(codes.size)
    step = max(1, _LOGITS // logits.shape[1])
    for start in range(0, codes.size, step):
        here = slice(start, start + step)
        x = logits[here] * by
        x -= x.max(axis=1, keepdims=True)
        own = x[np.arange(len(x)), codes[here]]
        out[here] = own - np.log(np.exp(x, out=x).sum(axis=1))
    return out


@public
@dataclass
class Temperature:
    """Temperature scaling: probabilities to the power of 1 / T, divided by their sum.

    T above 1 makes an over-confident model humbler, T below 1 an over-cautious one surer. The order of the classes
    stays, so the label stays. T minimises the log loss on cells that the model was not trained on, between 0.05 and 100.
    Exact zeros, and what is smaller than `floor_`, count as `floor_`.

    Parameters
    ----------
    prior
        Standard deviation of a normal prior on log T around 0 (T = 1), which weighs as much as about one cell: with
        hundreds of cells it changes nothing, with a handful that happen to be all right it keeps T from running to
        its bound. None: no prior.

    Attributes
    ----------
    temperature_ : float
        T.
    floor_ : float
        The smallest probability above 0 among those it was fitted on, but at least 1e-30 and at most 1e-7.

    References
    ----------
    Guo et al. 2017, ICML, arXiv 1706.04599.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import Temperature
    >>> proba = np.array([[0.99, 0.01]] * 10)
    >>> codes = np.array([0] * 8 + [1] * 2)  # sure, but wrong in two of ten
    >>> Temperature(prior=None).fit(proba, codes).transform(proba)[0].round(2).tolist()
    [0.800000011920929, 0.20000000298023224]
    """

    prior: float | None = 1.0

    if TYPE_CHECKING:
        temperature_: float = field(init=False)
        floor_: float = field(init=False)
        n_classes_: int = field(init=False)

    def fit(self, proba: ArrayLike, codes: ArrayLike, weight: ArrayLike | None = None) -> Self:
        """Find T.

        Parameters
        ----------
        proba
            Probabilities of cells that the model was not trained on, shape (n, k).
        codes
            Column of the true class of each cell, shape (n,). Classes without a cell change nothing.
        weight
            How much each cell counts, shape (n,), such as less for the cells of a large batch. None: all alike.

        Raises
        ------
        sc_annotate.errors.InputError
            What are no probabilities or no codes of them, no cells, or a prior that is not positive.
        """
        if self.prior is not None and not self.prior > 0:
            raise InputError(f"prior must be positive or None, not {self.prior!r}.")
        p, c = check_fit(proba, codes)
        self.floor_ = float(np.clip(p[p > 0].min(), TINY, ZERO))
        logits = self._logits(p)
        precision = 0.0 if self.prior is None else 1 / self.prior**2
        share = None if weight is None else np.asarray(weight, dtype=np.float64) / np.sum(weight)

        def loss(log_t: float) -> float:
            of_truth = _of_truth(logits, c, np.exp(-log_t))
            mean = of_truth.mean() if share is None else of_truth @ share
            return float(-mean + precision * log_t**2 / (2 * c.size))

        found = minimize_scalar(
            loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-8}
        )
        self.temperature_ = float(np.exp(found.x))
        self.n_classes_ = p.shape[1]
        return self

    def _logits(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log(np.maximum(p, self.floor_))

    def transform(self, proba: ArrayLike) -> NDArray[np.float32]:
        """Calibrated probabilities, float32, shape (n, k), rows summing to 1."""
        need_fitted(self, "temperature_")
        p = as_probabilities(proba, self.n_classes_)
        return softmax(self._logits(p) / self.temperature_, axis=1).astype(np.float32)

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What to store: numeric arrays, and a dict that JSON can hold."""
        need_fitted(self, "temperature_")
        fitted = np.array([self.temperature_, self.floor_])
        return {"temperature_floor": fitted}, {"prior": self.prior, "n_classes": self.n_classes_}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`to_arrays` gave; an InputError where it cannot be."""
        model = cls(prior=None if meta.get("prior") is None else float(stored_number(meta, "prior", 0, np.inf)))
        value = stored(arrays, "temperature_floor", "f")
        # Rounding may take a value at its bound beyond it.
        low, high = np.array([LOWEST, TINY]) * 0.999, np.array([HIGHEST, ZERO]) * 1.001
        if value.shape != (2,) or (value < low).any() or (value > high).any():
            raise InputError("the stored temperature is not between 0.05 and 100, or its prior is wrong. Fit again.")
        model.temperature_, model.floor_ = map(float, value)
        model.n_classes_ = int(stored_number(meta, "n_classes", 2, np.inf))
        return model


__all__ = ["CALIBRATORS", "Calibrator", "Uncalibrated", "make_calibrator"]


@public
@dataclass
class Uncalibrated:
    """Probabilities as they are, where no calibrator makes them better.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import Uncalibrated
    >>> proba = np.array([[0.9, 0.1], [0.2, 0.8]])
    >>> Uncalibrated().fit(proba, [0, 1]).transform(proba).round(1).tolist()
    [[0.8999999761581421, 0.10000000149011612], [0.20000000298023224, 0.800000011920929]]
    """

    if TYPE_CHECKING:
        n_classes_: int = field(init=False)

    def fit(self, proba: ArrayLike, codes: ArrayLike) -> Self:
        """Look at the number of classes only."""
        self.n_classes_ = check_fit(proba, codes)[0].shape[1]
        return self

    def transform(self, proba: ArrayLike) -> NDArray[np.float32]:
        """The probabilities, float32."""
        need_fitted(self, "n_classes_")
        return as_probabilities(proba, self.n_classes_).astype(np.float32)

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What to store."""
        need_fitted(self, "n_classes_")
        return {}, {"n_classes": self.n_classes_}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`to_arrays` gave."""
        model = cls()
        model.n_classes_ = int(stored_number(meta, "n_classes", 2, np.inf))
        return model


class Calibrator(Protocol):
    """What a calibrator can do; probabilities are cells x classes, codes the column of the true class.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import make_calibrator
    >>> proba = np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1], [0.3, 0.7]])
    >>> make_calibrator().fit(proba, [0, 1, 1, 1]).transform(proba).shape
    (4, 2)
    """

    def fit(self, proba: ArrayLike, codes: ArrayLike) -> Self:
        """Learn from cells that the model was not trained on."""
        ...

    def transform(self, proba: ArrayLike) -> NDArray[np.float32]:
        """Calibrated probabilities, rows summing to 1."""
        ...

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What to store."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """Rebuild what was stored."""
        ...


CALIBRATORS: dict[str, type[Calibrator]] = {
    "temperature": Temperature,
    "isotonic": Isotonic,
    "venn_abers": VennAbers,
}
"""Every calibrator by its name; ``"none"`` is none of them, and stands where none does any good."""


@public
def make_calibrator(name: str = "temperature") -> Calibrator:
    """An unfitted calibrator by its name.

    Parameters
    ----------
    name
        ``"temperature"``, ``"isotonic"``, ``"venn_abers"`` or ``"none"``.

    Raises
    ------
    sc_annotate.errors.InputError
        There is none of this name.

    Examples
    --------
    >>> from sc_annotate.trust import make_calibrator
    >>> make_calibrator("isotonic")
    Isotonic()
    """
    return calibrator_class(name)()


def calibrator_class(name: str) -> type[Calibrator]:
    """The class of a calibrator by its name, ``"none"`` included."""
    if name == "none":
        return Uncalibrated
    if name not in CALIBRATORS:
        raise InputError(f"there is no calibration {name!r}. Choose one of {', '.join(map(repr, CALIBRATORS))}.")
    return CALIBRATORS[name]
