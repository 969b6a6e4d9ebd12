"""Ridge regression of effects on the gene sets of the targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import MethodError
from sc_annotate.predictors._base import Predictor
from sc_annotate.predictors._kernel_ridge import KernelRidge, Membership
from sc_annotate.predictors._leave_one_out import need_two
from sc_annotate.predictors._screen import as_targets, name_of, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from sc_annotate.predictors._screen import Screen

PENALTIES = tuple(float(x) for x in 10.0 ** np.arange(-2, 4.5, 0.5))


@dataclass
class GeneSetRidge(Predictor):
    """Perturbations whose targets share gene sets (pathways, complexes, GO terms) are expected to act alike.

    Ridge regression of the changes, with an unpenalised intercept, on which sets the targets belong to. A set counts
    by one over its size, so that small sets weigh more, and the vector of a condition is scaled to length 1; that of a
    combination is the sum of those of its targets before. A target that shares no set with a training target gets the
    intercept. Targets need not be read-out genes.

    Parameters
    ----------
    gene_sets
        Genes of each set, by its name, as :func:`sc_annotate.predictors.read_gmt` reads them. Needed.
    penalty
        Ridge penalty; None chooses it by the errors of left-out conditions (in closed form).

    Attributes
    ----------
    penalty_
        What was used.
    n_conditions_
        Training conditions with a target in some set.

    References
    ----------
    Hoerl & Kennard 1970, Technometrics 12:55.

    Examples
    --------
    >>> from sc_annotate.predictors import Screen
    >>> from sc_annotate.predictors.ridge import GeneSetRidge
    >>> screen = Screen(["g"], [1.0], [[2.0], [2.2], [0.0], [0.1]], [("A",), ("B",), ("C",), ("D",)])
    >>> model = GeneSetRidge({"up": ["A", "B", "E"], "down": ["C", "D", "F"]}, penalty=0.1).fit(screen)
    >>> model.predict([("E",), ("F",)]).round(1).tolist()
    [[2.1], [0.1]]
    >>> str(model.why_not([("Z",)])[0])
    'target Z is in none of the gene sets'
    """

    gene_sets: dict[str, list[str]] | None = None
    penalty: float | None = None

    def learn(self, screen: Screen, rng: int) -> None:
        """Solve the ridge regression of changes on gene sets."""
        self._sets, known = self._of(screen)
        self.n_conditions_ = int(known.sum())
        if left := [name_of(t) for t, ok in zip(screen.targets, known, strict=True) if not ok]:
            self.notes_.append(
                f"{len(left)} of {len(screen.targets)} training conditions have a target in none of the gene sets and "
                f"are not used ({some(left)})."
            )
        if not self.n_conditions_:
            return
        self._training = [t for t, ok in zip(screen.targets, known, strict=True) if ok]
        ridge = KernelRidge(self._sets.kernel(self._training, self._training), screen.delta[known], self._penalties())
        self.penalty_, error = ridge.best()
        self._solution = ridge.solution(self.penalty_)
        if self.penalty is None and len(self._training) > 1:
            self.notes_.append(
                f"the errors of left-out conditions chose penalty={self.penalty_:.3g} "
                f"(mean L2 over all genes {error:.3g})."
            )

    def _penalties(self) -> tuple[float, ...]:
        if self.penalty is None:
            return PENALTIES
        if isinstance(self.penalty, bool) or not isinstance(self.penalty, int | float) or not self.penalty > 0:
            raise MethodError(f"GeneSetRidge: penalty must be a positive number or None, not {self.penalty!r}.")
        return (float(self.penalty),)

    def _of(self, screen: Screen) -> tuple[Membership, NDArray[np.bool_]]:
        if not isinstance(self.gene_sets, dict) or not self.gene_sets:
            raise MethodError(
                "GeneSetRidge: gene_sets must be a dict of gene lists. Read a GMT file with predictors.read_gmt(path); "
                "in sca.tl.predict_perturbation its path is enough: method_kwargs={'gene_sets': path}."
            )
        self._penalties()
        sets = Membership(self.gene_sets)
        return sets, np.array([not sets.missing(t) for t in screen.targets], dtype=np.bool_)

    def reason(self, targets: tuple[str, ...]) -> str:
        """Which targets are in no gene set."""
        if not self.n_conditions_:
            return "no training condition has a target in the gene sets, so nothing could be learnt"
        missing = self._sets.missing(targets)
        if not missing:
            return ""
        what = f"target {missing[0]} is" if len(missing) == 1 else f"targets {some(missing)} are"
        return f"{what} in none of the gene sets"

    def predict_profiles(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]:
        """The control plus the changes that the gene sets give."""
        kernel = self._sets.kernel(targets, self._training)
        return self.control_ + self._solution.changes(kernel)

    def leave_one_out(
        self, screen: Screen, targets: Sequence[tuple[str, ...]] = (), *, rng: int = 0
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """In closed form; see :func:`sc_annotate.predictors.leave_one_out`.

        Where the penalty is chosen, every fold is fitted again and chooses for itself: errors of the other conditions
        come from models that learnt from the condition left out, so a choice by them would have seen it.
        """
        need_two(screen)
        if self.penalty is None:
            self._of(screen)
            return super().leave_one_out(screen, targets, rng=rng)
        sets, known = self._of(screen)
        return self._folds(screen, as_targets(targets), sets, known)

    def _folds(
        self, screen: Screen, new: list[tuple[str, ...]], sets: Membership, known: NDArray[np.bool_]
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        can = np.array([bool(t) and not sets.missing(t) for t in new], dtype=np.bool_)
        training = [t for t, ok in zip(screen.targets, known, strict=True) if ok]
        p, position = len(screen.genes), np.cumsum(known) - 1
        ridge, kernel = None, np.zeros((0, 0))
        if training:
            ridge = KernelRidge(sets.kernel(training, training), screen.delta[known], self._penalties())
            kernel = sets.kernel([t for t, ok in zip(new, can, strict=True) if ok], training)
        for i, has_sets in enumerate(known.tolist()):
            own, others = np.full(p, np.nan), np.full((len(new), p), np.nan)
            if ridge is not None and len(training) > int(has_sets):
                left_out = int(position[i]) if has_sets else None
                solution = ridge.solution(ridge.best()[0])
                others[can] = screen.control + solution.changes(kernel, left_out)
                if left_out is not None:
                    own = screen.control + solution.left_out(left_out)
            yield own, others
