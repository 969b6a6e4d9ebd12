"""The linear model of Ahlmann-Eltze, Huber and Anders: a matrix between vectors of genes and of perturbations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sc_annotate._core.arguments import need_count, need_positive
from sc_annotate.errors import MethodError
from sc_annotate.predictors._base import Predictor
from sc_annotate.predictors._double_ridge import DoubleRidge
from sc_annotate.predictors._leave_one_out import need_two
from sc_annotate.predictors._linear_folds import left_out_errors, linear_folds
from sc_annotate.predictors._screen import Embedding, as_targets, name_of, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from sc_annotate.predictors._screen import Screen


@dataclass
class Linear(Predictor):
    """Changes are ``G W p + b``: vectors of genes, a matrix, the vector of the perturbation, and the mean change.

    The paper's model. G holds the first principal components of the training profiles with the control (genes are
    observations; conditions are centred, not scaled); p is the row of G that belongs to the target, so a target must
    be a read-out gene; b is the mean change over the training conditions and the control (whose change is zero); W
    minimises the squared error with a ridge penalty on both sides, in closed form. Where p carries no information, b is left,
    so the model falls back to the mean. The vector of a combination is the sum of those of its targets.

    Parameters
    ----------
    n_components
        Principal components, K; not used for a side whose embedding is given.
    penalty
        Ridge penalty, lambda.
    tune
        Choose both by leaving out each training condition in turn (smallest mean L2 over all genes). The paper's
        setting suits some hundred conditions; with few of them it can lose to no change at all.
    gene_embedding
        Vectors of genes from another source, in place of G. Genes without one are predicted by the offset alone.
    perturbation_embedding
        Vectors of perturbations from another source, in place of P: the best model of the paper takes them from a screen
        of another cell line (:func:`sc_annotate.predictors.screen_embedding`).

    Attributes
    ----------
    n_components_, penalty_
        What was used.
    n_conditions_
        Training conditions that the weights were learnt from, the control not counted.
    gene_vectors_, weights_, offset_
        G (p x K), W (K x L), b (p,), float64. The signs of components are arbitrary.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, `doi:10.1038/s41592-025-02772-6 <https://doi.org/10.1038/s41592-025-02772-6>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.predictors import Screen
    >>> from sc_annotate.predictors.linear import Linear
    >>> rng = np.random.default_rng(0)
    >>> genes = np.array([f"G{i}" for i in range(50)])
    >>> screen = Screen(genes, rng.gamma(2, size=50), rng.gamma(2, size=(6, 50)), [(f"G{i}",) for i in range(6)])
    >>> model = Linear(n_components=2).fit(screen)
    >>> model.predict([("G9",), ("G1", "G9")]).shape
    (2, 50)
    >>> str(model.why_not([("STAT2",)])[0])
    'target STAT2 is not among the genes, so it has no embedding'
    """

    n_components: int = 10
    penalty: float = 0.1
    tune: bool = False
    gene_embedding: Embedding | None = None
    perturbation_embedding: Embedding | None = None

    def learn(self, screen: Screen, rng: int) -> None:
        """Fit the matrix between components of genes and those of targets."""
        self._check()
        self._parts = self._of(screen, None if self.tune else self.n_components)
        self.n_conditions_ = self._parts.n_known(None)
        self.n_components_, self.penalty_ = self.n_components, float(self.penalty)
        if self.tune:
            self._choose()
        components = self._parts.components(None, self.n_components_)
        weights = self._parts.weights(None, components)
        self._components = components
        self.gene_vectors_: NDArray[np.float64] = self._parts.basis @ weights.scores
        self.weights_: NDArray[np.float64] = weights.matrix(self.penalty_)
        self.offset_: NDArray[np.float64] = self._parts.offset(None)
        self._note(screen)

    def _check(self) -> None:
        need_count(self, "n_components")
        need_positive(self, "penalty")
        for name in ("gene_embedding", "perturbation_embedding"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Embedding):
                raise MethodError(f"Linear: {name} must be an Embedding or None, not {type(value).__name__}.")

    def _of(self, screen: Screen, k: int | None) -> DoubleRidge:
        return DoubleRidge(screen, self.gene_embedding, self.perturbation_embedding, k)

    def _choose(self) -> None:
        if self.n_conditions_ < 3:
            self.notes_.append("with fewer than 3 conditions to learn from there is nothing to tune by.")
            return
        errors = left_out_errors(self._parts, self.n_components, self.penalty)
        (self.n_components_, self.penalty_), error = errors.best()
        self.notes_.append(
            f"leaving out each condition in turn chose n_components={self.n_components_} and "
            f"penalty={self.penalty_:g} (mean L2 over all genes {error:.3g})."
        )

    def _note(self, screen: Screen) -> None:
        n, k = self.n_conditions_, self.n_components_
        left = [name_of(t) for t, ok in zip(screen.targets, self._parts.known, strict=True) if not ok]
        source = "the genes" if self.perturbation_embedding is None else "the perturbation embedding"
        if left:
            self.notes_.append(
                f"the weights are learnt from {n} of {len(screen.targets)} training conditions: the targets of the "
                f"others are not among {source} ({some(left)})."
            )
        if (self.gene_embedding is None or self.perturbation_embedding is None) and self._components.shape[1] < k:
            self.notes_.append(f"there are only {self._components.shape[1]} components, fewer than the {k} requested.")
        if not self.tune and n < 2 * k:
            self.notes_.append(
                f"{n} training conditions are fewer than twice the {k} components: set tune=True or take fewer."
            )
        if missing := self._parts.n_without_vector:
            self.notes_.append(
                f"{missing} of {len(screen.genes)} genes have no row in the gene embedding and are predicted by the "
                "mean change."
            )

    def reason(self, targets: tuple[str, ...]) -> str:
        """Which targets have no vector."""
        if self.n_conditions_ == 0:
            return "no training condition has a target with an embedding, so no weights could be learnt"
        return self._parts.targets.reason(targets)

    def predict_profiles(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]:
        """The control plus the changes that the matrix gives."""
        vectors = self._parts.targets.finish(self._parts.targets.rows(targets), self._components)
        change = (vectors @ self.weights_.T) @ self.gene_vectors_.T
        out: NDArray[np.float64] = self.control_ + (change + self.offset_)
        return out

    def leave_one_out(
        self, screen: Screen, targets: Sequence[tuple[str, ...]] = (), *, rng: int = 0
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Exact, from one decomposition of the whole; see :func:`sc_annotate.predictors.leave_one_out`.

        With ``tune=True`` every fold is fitted again and chooses for itself: errors of the other conditions come from
        models that learnt from the condition left out, so a choice by them would have seen it.
        """
        self._check()
        if self.tune:
            return super().leave_one_out(screen, targets, rng=rng)
        need_two(screen)
        new = as_targets(targets)
        return linear_folds(self._of(screen, None), screen.control, new, (self.n_components, float(self.penalty)))
