"""The shape every predictor has: profiles of a screen in, profiles of other conditions out, never an AnnData."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import InputError, MethodError
from sc_annotate.predictors._leave_one_out import refits
from sc_annotate.predictors._screen import Screen, as_targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from numpy.typing import NDArray


@dataclass
class Predictor(ABC):
    """Base class of the built-in predictors; third parties may use it or only its shape.

    A subclass is a dataclass whose fields are its hyperparameters. It says how to learn (``_fit``), of which
    conditions it knows nothing (``_reason``), and what it predicts for the others (``_predict``).
    """

    if TYPE_CHECKING:
        # Not dataclass fields: `fit` sets them.
        genes_: NDArray[np.str_]
        control_: NDArray[np.float64]
        notes_: list[str]

    def params(self) -> dict[str, Any]:
        """Hyperparameters, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def fit(self, screen: Screen, *, rng: int = 0) -> Self:
        """Learn from a screen.

        Parameters
        ----------
        screen
            Training conditions and their control. Not modified.
        rng
            Seed; equal seeds give equal predictions, bit for bit, on one machine.

        Returns
        -------
        Itself, with ``genes_`` (str, shape (p,)), ``control_`` (float64, shape (p,)) and ``notes_``: what a user
        should know of this fit, as sentences.
        """
        if not isinstance(screen, Screen):
            raise InputError(f"{type(self).__name__} learns from a Screen, not from {type(screen).__name__}.")
        for f in fields(self):
            if isinstance(f.default, bool) and not isinstance(getattr(self, f.name), bool | np.bool_):
                raise MethodError(
                    f"{type(self).__name__}: {f.name} must be True or False, not {getattr(self, f.name)!r}."
                )
        self.genes_, self.control_, self.notes_ = screen.genes, screen.control, []
        self._fit(screen, rng)
        return self

    def why_not(self, targets: Sequence[tuple[str, ...]]) -> NDArray[np.str_]:
        """Why each condition cannot be predicted, str, shape (m,); "" where it can."""
        self._need_fitted()
        reasons = [self._reason(t) if t else "it has no target: this is the control" for t in as_targets(targets)]
        return np.array(reasons, dtype=np.str_)

    def predict(self, targets: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
        """Profiles of conditions, seen or not.

        Parameters
        ----------
        targets
            Perturbed genes of each condition, such as ``[("A",), ("A", "B")]``; the order within a tuple does not
            matter.

        Returns
        -------
        Mean log-normalised expression (not the change), float64, shape (m, p), as it would be beside ``control_``.
        A condition that cannot be predicted is a row of NaN; :meth:`why_not` says why.
        """
        asked = as_targets(targets)
        can = self.why_not(asked) == ""
        out = np.full((len(asked), len(self.genes_)), np.nan)
        if can.any():
            out[can] = self._predict([t for t, ok in zip(asked, can, strict=True) if ok])
        return out

    def leave_one_out(
        self, screen: Screen, targets: Sequence[tuple[str, ...]] = (), *, rng: int = 0
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """As :func:`sc_annotate.predictors.leave_one_out`; methods with an exact short cut replace this."""
        return refits(lambda: type(self)(**self.params()), screen, targets, rng)

    def _need_fitted(self) -> None:
        if not hasattr(self, "control_"):
            raise MethodError(f"this {type(self).__name__} is not fitted. Call fit(screen) first.")

    @abstractmethod
    def _fit(self, screen: Screen, rng: int) -> None: ...

    @abstractmethod
    def _reason(self, targets: tuple[str, ...]) -> str: ...

    @abstractmethod
    def _predict(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]: ...
