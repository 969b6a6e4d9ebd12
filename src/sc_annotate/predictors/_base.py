"""The contract of predictors: profiles of a screen in, profiles of other conditions out, never an AnnData."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError, MethodError
from sc_annotate.predictors._leave_one_out import refits
from sc_annotate.predictors._screen import Screen, as_targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate._core.records import Input


class PredictorLike(Protocol):
    """What any predictor has, whether it derives from :class:`Predictor` or not; see there for shapes and types.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.predictors import PredictorLike
    >>> def predicted(model: PredictorLike, targets):
    ...     return np.isfinite(model.predict(targets)).all(axis=1)
    """

    def fit(self, screen: Screen, *, rng: int = 0) -> Any: ...

    def predict(self, targets: Sequence[tuple[str, ...]]) -> NDArray[np.float64]: ...

    def why_not(self, targets: Sequence[tuple[str, ...]]) -> NDArray[np.str_]: ...


@dataclass
class Predictor(ABC):
    """Base class of predictors of perturbation effects.

    Derive from it, as a dataclass whose fields are the hyperparameters, and write three members: :meth:`learn`,
    :meth:`reason` and :meth:`predict_profiles`. What they get is checked: a screen whose arrays fit each other, and
    targets as tuples of strings. A class that has only :meth:`fit`, :meth:`predict` and :meth:`why_not` need not derive
    from anything. :func:`sc_annotate.testing.check_predictor` checks either.

    Attributes
    ----------
    genes_ : numpy.ndarray
        Genes of the screen, str, shape (p,).
    control_ : numpy.ndarray
        Profile of its control, float64, shape (p,).
    notes_ : list of str
        What a user should know of this fit, as sentences; :meth:`learn` may add to it.
    inputs : str
        ``"profiles"`` (the default), or ``"cells"`` where it trains on the cells of the screen too (``screen.cells``).
    deterministic : bool
        Whether equal seeds give equal predictions, bit for bit, on one machine. Default True.
    registry_record : dict
        Optional: what the table of methods shows, with any of the fields ``summary``, ``inputs``, ``kind``, ``extra`` and
        ``reference``.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from sc_annotate.predictors import Predictor, Screen
    >>> @dataclass
    ... class Median(Predictor):
    ...     def learn(self, screen, rng):
    ...         self.profile_ = np.median(screen.mean, axis=0)
    ...
    ...     def reason(self, targets):
    ...         return ""
    ...
    ...     def predict_profiles(self, targets):
    ...         return np.tile(self.profile_, (len(targets), 1))
    >>> screen = Screen(["A", "B"], [1.0, 1.0], [[0.0, 2.0], [1.0, 4.0]], [("A",), ("B",)])
    >>> Median().fit(screen).predict([("A", "B")]).tolist()
    [[0.5, 3.0]]
    """

    if TYPE_CHECKING:
        # Not dataclass fields: `fit` sets them.
        genes_: NDArray[np.str_]
        control_: NDArray[np.float64]
        notes_: list[str]

    # The docstring of the class describes them, where ``help`` shows it.
    inputs: ClassVar[Input] = "profiles"
    deterministic: ClassVar[bool] = True

    def params(self) -> dict[str, Any]:
        """Hyperparameters, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @public
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
        self.learn(screen, rng)
        return self

    def why_not(self, targets: Sequence[tuple[str, ...]]) -> NDArray[np.str_]:
        """Why each condition cannot be predicted, str, shape (m,); "" where it can."""
        self.need_fitted()
        reasons = [self.reason(t) if t else "it has no target: this is the control" for t in as_targets(targets)]
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
        requested = as_targets(targets)
        can = self.why_not(requested) == ""
        out = np.full((len(requested), len(self.genes_)), np.nan)
        if can.any():
            out[can] = self.predict_profiles([t for t, ok in zip(requested, can, strict=True) if ok])
        return out

    def leave_one_out(
        self, screen: Screen, targets: Sequence[tuple[str, ...]] = (), *, rng: int = 0
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """As :func:`sc_annotate.predictors.leave_one_out`; methods with an exact short cut replace this."""
        return refits(lambda: type(self)(**self.params()), screen, targets, rng)

    def need_fitted(self) -> None:
        """Raise MethodError where :meth:`fit` has not been called."""
        if not hasattr(self, "control_"):
            raise MethodError(f"this {type(self).__name__} is not fitted. Call fit(screen) first.")

    @abstractmethod
    def learn(self, screen: Screen, rng: int) -> None:
        """Learn from a screen; :meth:`fit` has kept its genes and control.

        Parameters
        ----------
        screen
            Training conditions: ``mean`` and ``delta`` (float64, conditions x genes), ``targets`` (one tuple of genes a
            condition), ``control`` (float64, shape (p,)), and ``cells`` or None. Targets need not be among the genes, and
            none may be. Do not modify it.
        rng
            Seed. Draw from ``numpy.random.default_rng(rng)``, never from the global state.

        Raises
        ------
        sc_annotate.errors.MethodError
            Hyperparameters that cannot be used; :func:`~sc_annotate.predictors.need_positive` and its sisters raise it.
        """

    @abstractmethod
    def reason(self, targets: tuple[str, ...]) -> str:
        """Why one condition cannot be predicted, as a clause that names the target; ``""`` where it can."""

    @abstractmethod
    def predict_profiles(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]:
        """Profiles of conditions for which :meth:`reason` is empty.

        Parameters
        ----------
        targets
            At least one tuple of target genes. The order within a tuple must not matter.

        Returns
        -------
        Mean log-normalised expression, not the change: float64, shape (m, p). A new array.
        """
