"""Several levels of labels at once, coarse to fine: probabilities, labels and confidence that never contradict each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from sc_annotate._core.arguments import public
from sc_annotate._core.codec import check_texts
from sc_annotate.errors import InputError, LabelError
from sc_annotate.trust.calibration import Temperature
from sc_annotate.trust.choice import choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


_ZERO = 1e-12


@public
@dataclass(frozen=True, eq=False)
class Levels:
    """Under which label of each coarser level every type lies.

    Attributes
    ----------
    names
        Names of the levels, coarse to fine.
    labels
        Label of each type at each level, strings, shape (types, levels). The last column holds the types themselves, each
        once, in the order of the columns of the probabilities.

    Raises
    ------
    InputError
        Names and columns that differ in number, a type that comes twice, or a label that lies under two labels of the level
        above.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import Levels
    >>> levels = Levels(("broad", "fine"), np.array([["B", "B"], ["T", "CD4"], ["T", "CD8"]]))
    >>> proba = np.array([[0.40, 0.35, 0.25]])
    >>> levels.decide(proba)  # B is the likeliest type, but a T cell is likelier than a B cell
    array([1])
    >>> levels.confidence(proba, np.array([1])).round(2).tolist()
    [[0.6, 0.35]]
    """

    names: tuple[str, ...]
    labels: NDArray[np.str_]

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        if not len(self.names) or any(label is None or label != label for label in labels.ravel().tolist()):
            raise InputError("levels need at least one name, and a label for each type.")
        check_texts([*self.names, *labels.ravel().tolist()], "levels", LabelError)
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "labels", labels.astype(str))
        if self.labels.ndim != 2 or self.labels.shape[1] != len(self.names) or len(set(self.names)) < len(self.names):
            raise InputError(
                f"{self.labels.shape} labels do not fit the {len(self.names)} levels {', '.join(map(repr, self.names))}."
            )
        if len(np.unique(self.labels[:, -1])) < len(self.labels):
            raise InputError("the finest level names a type twice. Give each type one row.")
        for i in range(1, len(self.names)):
            pairs = np.unique(self.labels[:, i - 1 : i + 1], axis=0)
            label, times = np.unique(pairs[:, 1], return_counts=True)
            if (times > 1).any():
                name = label[times > 1][0]
                above = " and ".join(map(repr, pairs[pairs[:, 1] == name, 0].tolist()))
                raise InputError(f"{str(name)!r} ({self.names[i]}) lies under {above} ({self.names[i - 1]}).")

    @cached_property
    def _codes(self) -> list[tuple[NDArray[np.str_], NDArray[np.intp]]]:
        """The labels of each level, sorted, and the place of each type's own among them."""
        return [np.unique(column, return_inverse=True) for column in self.labels.T]

    def of(self, level: int) -> NDArray[np.str_]:
        """The labels of a level, sorted, as :meth:`sums` orders its columns."""
        return self._codes[level][0]

    def path(self, codes: NDArray[np.intp], level: int) -> NDArray[np.intp]:
        """The place in :meth:`of` of the label that types with these `codes` have at a level."""
        return self._codes[level][1][codes]

    def _checked(self, proba: ArrayLike) -> NDArray[np.float64]:
        """Probabilities, cells x types."""
        p = np.asarray(proba)
        if p.ndim != 2 or p.shape[1] != len(self.labels) or p.dtype.kind not in "biuf":
            raise InputError(
                f"proba must be numbers of shape (cells, {len(self.labels)}), not {p.dtype} of shape {p.shape}."
            )
        return p.astype(np.float64, copy=False)

    def sums(self, proba: ArrayLike, level: int) -> NDArray[np.float64]:
        """Probability of each label of a level: the sum over the types under it, float64, shape (n, labels)."""
        p = self._checked(proba)
        names, codes = self._codes[level]
        # One column after the other: a product of matrices rounds differently with the number of cells.
        out = np.zeros((len(p), len(names)))
        for column, code in enumerate(codes):
            out[:, code] += p[:, column]
        return out

    def decide(self, proba: ArrayLike) -> NDArray[np.intp]:
        """The type whose path is right at the most levels in expectation, shape (n,).

        The sum over levels of the probability of the type's label is largest: the Bayes decision for the number of levels
        that are wrong. As the labels of the coarser levels are those of the type, no two levels contradict each other.
        Of equals the first is taken. With one level it is the plain ``argmax``.
        """
        p = self._checked(proba)
        if len(self.names) == 1:
            return p.argmax(axis=1)
        gain = p.copy()
        for level in range(len(self.names) - 1):
            gain += self.sums(p, level)[:, self._codes[level][1]]
        return gain.argmax(axis=1)

    def confidence(
        self, proba: ArrayLike, codes: NDArray[np.intp], powers: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Probability of the label of types `codes` at each level, shape (n, levels), never smaller at a coarser one.

        `powers` calibrate the coarser levels (:meth:`calibrate`); None: sums of the types' probabilities as they are.
        """
        p = self._checked(proba)
        each = np.arange(len(p))
        if np.shape(codes) != each.shape or (each.size and not 0 <= np.min(codes) <= np.max(codes) < p.shape[1]):
            raise InputError(f"codes must be {len(p)} numbers of types from 0 to {p.shape[1] - 1}, one a cell.")
        out = np.empty((len(p), len(self.names)))
        out[:, -1] = p[each, codes]
        for level in reversed(range(len(self.names) - 1)):
            sums = self.sums(p, level)
            if powers is not None and powers[level] != 1:
                sums = softmax(np.log(np.maximum(sums, _ZERO)) * powers[level], axis=1)
            own = sums[each, self.path(codes, level)]
            out[:, level] = own if powers is None else np.maximum(own, out[:, level + 1])
        # Rounded probabilities may sum to a little more than 1.
        return np.minimum(out, 1.0)

    def calibrate(
        self, proba: ArrayLike, codes: NDArray[np.intp], fold: NDArray[np.intp], weight: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The power of the summed probabilities of each coarser level, 1 / T of its own temperature scaling, float64.

        Sums of calibrated probabilities are as a rule too small: where a type is hard to tell from its neighbours, the
        label above all of these is not. Learned from held-out cells; 1 where scaling does not lower their log loss.
        """
        p, out = self._checked(proba), np.ones(len(self.names) - 1)
        for level in range(len(self.names) - 1):
            sums = self.sums(p, level)
            if sums.shape[1] < 2:
                continue
            sums = np.maximum(sums, _ZERO)
            found = choose("auto", sums / sums.sum(axis=1, keepdims=True), self.path(codes, level), fold, weight)
            if isinstance(found.calibrator, Temperature):
                out[level] = 1 / found.calibrator.temperature_
        return out

    def at(self, types: Sequence[str] | NDArray[np.str_]) -> Levels:
        """The same levels for these types, in their order; an InputError where one is unknown."""
        row = {str(name): i for i, name in enumerate(self.labels[:, -1])}
        unknown = [str(t) for t in types if str(t) not in row]
        if unknown:
            raise InputError(f"the levels do not say where {', '.join(map(repr, unknown))} lies.")
        return Levels(self.names, self.labels[[row[str(t)] for t in types]])

    def tree(self) -> dict[str, list[str]]:
        """Ancestors of each type, for a loss that knows the tree: ``"level: label"``, coarse to fine."""
        return {
            str(row[-1]): [f"{name}: {label}" for name, label in zip(self.names[:-1], row[:-1], strict=True)]
            for row in self.labels
        }
