"""Vectors of targets that add up, learnt from single and combined perturbations at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import MethodError
from sc_annotate.predictors._base import Predictor
from sc_annotate.predictors._downdate import thin_svd
from sc_annotate.predictors._screen import some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.predictors._screen import Screen

PENALTIES = (1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0, 3.0)

FEWEST = 3
"""Training combinations needed to learn how vectors add up."""


@dataclass
class LatentAdditive(Predictor):
    """Changes are ``(b + v_A + v_B) U'``: what all perturbations share, the vectors of the targets, and components of genes.

    The idea of PerturBench's latent additive model, without its networks. b and the vectors of all targets are the ridge
    regression of all training changes, singles and combinations weighted by their cells, on which targets were perturbed;
    b is not penalised. Then they are cut to their first components. Unlike a sum of two measured effects, this has less
    noise than its parts, a change that all perturbed cells share counts once in a combination, and a target need not have
    been perturbed alone. A target that no training condition has is not predicted.

    With fewer than three training combinations nothing separates b from the vectors, or what to choose: there is no b then, nearly
    no penalty, and the prediction is the sum of the single effects.

    Parameters
    ----------
    penalty
        Of the ridge regression, in conditions with a mean number of cells; None: what predicts training combinations best,
        each left out in turn (smallest squared error over all genes).
    n_components
        Components that are kept; None: chosen with the penalty. They are found with the condition that is left out.

    Attributes
    ----------
    penalty_, n_components_
        What was used.
    vectors_ : float64, (targets + 1, n_components_)
        Of the targets, ascending by name; the last row is b.
    components_ : float64, (n_components_, p)
        Orthonormal rows, of either sign.

    References
    ----------
    Wu et al. 2024, PerturBench, `doi:10.48550/arXiv.2408.10609 <https://doi.org/10.48550/arXiv.2408.10609>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.predictors import Screen
    >>> from sc_annotate.predictors.latent_additive import LatentAdditive
    >>> rng = np.random.default_rng(0)
    >>> targets = [("A",), ("B",), ("C",), ("A", "B"), ("A", "C"), ("C", "D")]
    >>> screen = Screen([f"G{i}" for i in range(50)], np.ones(50), rng.gamma(2, size=(6, 50)), targets)
    >>> model = LatentAdditive().fit(screen)
    >>> model.predict([("B", "C"), ("B", "D")]).shape
    (2, 50)
    >>> str(model.why_not([("A", "E")])[0])
    'E is in no training condition'
    """

    penalty: float | None = None
    n_components: int | None = None

    def learn(self, screen: Screen, rng: int) -> None:
        """Fit vectors of targets whose sums explain the changes."""
        self._check()
        self.names_ = {name: i for i, name in enumerate(sorted({t for each in screen.targets for t in each}))}
        several = np.flatnonzero([len(t) > 1 for t in screen.targets])
        learns = len(several) >= FEWEST
        design = self._design(screen.targets) * np.append(np.ones(len(self.names_)), float(learns))
        n_cells = np.ones(len(design)) if screen.n_cells is None else np.asarray(screen.n_cells, dtype=np.float64)
        weight = n_cells / n_cells.mean()
        if not learns:
            # They would pull the vectors of their targets away from the single effects.
            alone = {each[0] for each in screen.targets if len(each) == 1}
            weight[[i for i in several if alone.issuperset(screen.targets[i])]] = 0
        # In the space of the training changes; nothing is lost, and genes are many.
        delta = screen.delta
        left, values, basis = (
            thin_svd(delta) if delta.any() else (np.zeros((len(delta), 1)), np.zeros(1), np.eye(len(screen.genes), 1))
        )
        changes = left * values
        tried = (PENALTIES if learns else PENALTIES[:1]) if self.penalty is None else (float(self.penalty),)
        best = np.inf
        for penalty in tried:
            coefficients, hat = _ridge(design, weight, changes, penalty)
            axes = np.linalg.svd(coefficients, full_matrices=False)[2]
            n = min(self.n_components or len(axes), len(axes))
            error = 0.0
            if learns:
                errors = _left_out(changes, coefficients, design, hat, axes)[several].sum(axis=0)
                n = n if self.n_components is not None else int(np.argmin(errors)) + 1
                error = float(errors[n - 1])
            if error < best:
                best, self.penalty_, self.n_components_ = error, penalty, n
                self.vectors_: NDArray[np.float64] = coefficients @ axes[:n].T
                self.components_: NDArray[np.float64] = axes[:n] @ basis.T
        self._note(len(several), learns)

    def _check(self) -> None:
        k, penalty = self.n_components, self.penalty
        if k is not None and (isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1):
            raise MethodError(f"LatentAdditive: n_components must be a whole number from 1 or None, not {k!r}.")
        if penalty is not None and (
            isinstance(penalty, bool) or not isinstance(penalty, int | float) or not 0 < penalty < np.inf
        ):
            raise MethodError(f"LatentAdditive: penalty must be a positive number or None, not {penalty!r}.")

    def _note(self, n_several: int, learns: bool) -> None:
        if not learns:
            self.notes_.append(
                f"{n_several} training combinations are too few to learn from how vectors add up: this is the sum of single effects."
            )
        elif self.penalty is None or self.n_components is None:
            self.notes_.append(
                f"leaving out each of {n_several} training combinations in turn chose penalty={self.penalty_:g} and "
                f"n_components={self.n_components_}."
            )

    def _design(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]:
        """Which targets each condition has, and a last column for what all share."""
        out = np.zeros((len(targets), len(self.names_) + 1))
        for row, each in zip(out, targets, strict=True):
            row[[self.names_[name] for name in each]] = 1
        out[:, -1] = 1
        return out

    def reason(self, targets: tuple[str, ...]) -> str:
        """Which targets are in no training condition."""
        missing = [name for name in targets if name not in self.names_]
        return f"{some(missing)} {'is' if len(missing) == 1 else 'are'} in no training condition" if missing else ""

    def predict_profiles(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]:
        """The control plus the summed vectors of the targets."""
        out: NDArray[np.float64] = self.control_ + self._design(targets) @ self.vectors_ @ self.components_
        return out


def _ridge(
    design: NDArray[np.float64], weight: NDArray[np.float64], changes: NDArray[np.float64], penalty: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients, and the diagonal of the matrix that makes fitted values of the changes.

    The last column goes free, but for what keeps the system solvable.
    """
    ridge = np.full(design.shape[1], penalty)
    ridge[-1] *= 1e-6
    solve = np.linalg.solve((design.T * weight) @ design + np.diag(ridge), design.T * weight)
    return solve @ changes, np.einsum("ij,ji->i", design, solve)


def _left_out(
    changes: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    design: NDArray[np.float64],
    hat: NDArray[np.float64],
    axes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Squared errors of each condition by a fit without it, conditions x number of components kept (1, 2, ...)."""
    residual = (changes - design @ coefficients) / np.maximum(1 - hat, 1e-9)[:, None]
    true, wrong = changes @ axes.T, residual @ axes.T
    outside = np.maximum((changes**2).sum(axis=1) - (true**2).sum(axis=1), 0)
    beyond = (true**2).sum(axis=1, keepdims=True) - np.cumsum(true**2, axis=1)
    return np.asarray(np.cumsum(wrong**2, axis=1) + beyond + outside[:, None])
