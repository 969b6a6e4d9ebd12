"""The calibrators by name, and how to see honestly what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.trust._probabilities import check_fit
from sc_annotate.trust.isotonic import Isotonic
from sc_annotate.trust.temperature import Temperature
from sc_annotate.trust.venn_abers import VennAbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

__all__ = ["CALIBRATORS", "Calibrator", "cross_fit", "make_calibrator"]


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
"""Every calibrator by its name; the first is the default."""


def make_calibrator(name: str = "temperature") -> Calibrator:
    """An unfitted calibrator by its name.

    Parameters
    ----------
    name
        ``"temperature"``, ``"isotonic"`` or ``"venn_abers"``.

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
    if name not in CALIBRATORS:
        raise InputError(f"there is no calibration {name!r}. Choose one of {', '.join(map(repr, CALIBRATORS))}.")
    return CALIBRATORS[name]()


def cross_fit(
    make: Callable[[], Calibrator], proba: ArrayLike, codes: ArrayLike, fold: ArrayLike
) -> NDArray[np.float32]:
    """Calibrated probabilities of cells that their calibrator was not fitted on.

    Those of a fold are calibrated by what was learned on all other folds. Scores of the result are honest; those of a
    calibrator on the very cells that it was fitted on are too good.

    Parameters
    ----------
    make
        Called once a fold; returns an unfitted calibrator.
    proba
        Probabilities of cells that the model was not trained on, shape (n, k).
    codes
        Column of the true class of each cell, shape (n,).
    fold
        Fold (or batch) of each cell, shape (n,), at least two different ones.

    Returns
    -------
    float32, shape (n, k), rows summing to 1.

    Raises
    ------
    sc_annotate.errors.InputError
        What are no probabilities, codes or folds of the same cells, or fewer than two folds.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import Temperature, cross_fit
    >>> proba = np.array([[0.99, 0.01]] * 20)
    >>> codes = np.array([0, 0, 0, 0, 1] * 4)
    >>> after = cross_fit(Temperature, proba, codes, np.repeat([0, 1], 10))
    >>> bool((after.max(axis=1) < 0.9).all())
    True
    """
    p, c = check_fit(proba, codes)
    folds = np.asarray(fold)
    if folds.shape != c.shape:
        raise InputError(f"fold has the shape {folds.shape}, but must have one entry for each of the {c.size} cells.")
    names, member = np.unique(folds, return_inverse=True)
    if names.size < 2:
        raise InputError("fold names only one fold, so nothing is left to calibrate it on. Pass two or more.")
    out = np.empty(p.shape, dtype=np.float32)
    for i in range(names.size):
        here = member == i
        out[here] = make().fit(p[~here], c[~here]).transform(p[here])
    return out
