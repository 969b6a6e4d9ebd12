"""The paper's linear model in pieces: vectors of genes and perturbations, and fits that share what they have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.predictors._downdate import downdated, thin_svd
from sc_annotate.predictors._screen import some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.predictors._screen import Embedding, Screen


@dataclass(frozen=True, eq=False)
class GenePCA:
    """Genes are observations, conditions (the control last) are variables, centred and not scaled.

    The scores of genes are ``basis * values``. Leaving a condition out stays within the same basis: where all components
    are kept, its scores are ``basis @ without(i, k)``, exactly.
    """

    basis: NDArray[np.float64]
    """Genes x r, orthonormal columns."""
    values: NDArray[np.float64]
    """Singular values, shape (r,)."""
    loadings: NDArray[np.float64]
    """Conditions and control x r, orthonormal columns."""

    @classmethod
    def of(cls, screen: Screen, k: int | None = None) -> GenePCA:
        """Of the profiles (not the changes) of a screen; the first `k` components, or all of them."""
        profiles = np.concatenate([screen.mean, screen.control[None]])
        profiles -= profiles.mean(axis=1, keepdims=True)
        if k == 0 or not profiles.any():
            return cls(np.zeros((len(screen.genes), 0)), np.zeros(0), np.zeros((len(profiles), 0)))
        return cls(*thin_svd(profiles.T, k))

    def all(self, k: int) -> NDArray[np.float64]:
        """Scores of the first `k` components as combinations of the basis, r x k."""
        return np.eye(len(self.values))[:, :k] * self.values[:k]

    def without(self, i: int, k: int) -> NDArray[np.float64]:
        """The same of an analysis without condition `i`."""
        if not len(self.values):
            return self.all(k)
        eigenvalues, vectors = downdated(self.values**2, self.values * self.loadings[i], k)
        return vectors * np.sqrt(np.maximum(eigenvalues, 0))


@dataclass(frozen=True, eq=False)
class Weights:
    """One fit, for any penalty: both Gram matrices are diagonal here, so a penalty only enters as a divisor."""

    scores: NDArray[np.float64]
    """Gene scores as combinations of the basis, r x K."""
    genes_squared: NDArray[np.float64]
    targets_squared: NDArray[np.float64]
    rotation: NDArray[np.float64]
    """Eigenvectors of the Gram matrix of the perturbations' vectors, L x L."""
    product: NDArray[np.float64]
    """G'(D - b)P, rotated, K x L."""

    def matrix(self, penalty: float) -> NDArray[np.float64]:
        """W of the paper, K x L."""
        shrunk = self.product / (self.genes_squared[:, None] + penalty) / (self.targets_squared + penalty)
        return shrunk @ self.rotation.T

    def coefficients(self, vectors: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
        """Predicted changes less the offset as combinations of the basis, r x m, for vectors m x L."""
        return self.scores @ (self.matrix(penalty) @ vectors.T)


class DoubleRidge:
    """What all fits to one screen share: changes D of the conditions, vectors of genes and of perturbations.

    Without a gene embedding, G are the principal components of the training profiles, and change where a condition
    is left out. Without a perturbation embedding, P are the rows of these components that belong to the targets.

    Parameters
    ----------
    screen
        n training conditions, p genes.
    gene_embedding, perturbation_embedding
        Vectors from another source, or None.
    k
        How many components are needed; None: all, as leaving conditions out takes.
    """

    def __init__(
        self,
        screen: Screen,
        gene_embedding: Embedding | None,
        perturbation_embedding: Embedding | None,
        k: int | None = None,
    ) -> None:
        self.given_genes = gene_embedding
        both = gene_embedding is not None and perturbation_embedding is not None
        self.pca = GenePCA.of(screen, 0 if both else k)
        self.basis, self.n_without_vector = self.pca.basis, 0
        self.given_values: NDArray[np.float64] = np.zeros(0)
        if gene_embedding is not None:
            where = gene_embedding.rows(screen.genes.tolist())
            self.n_without_vector = int((where < 0).sum())
            G = np.where(where[:, None] < 0, 0.0, gene_embedding.values[where])
            # Rotated onto its singular vectors, which changes no prediction: the penalty has no direction.
            self.basis, self.given_values, _ = thin_svd(G) if G.any() else (G[:, :0], np.zeros(0), G[:, :0])
        self.delta = screen.delta
        self.projected = self.delta @ self.basis
        self.targets = TargetVectors(screen, perturbation_embedding, self.pca)
        self.known = self.targets.known
        self._total: NDArray[np.float64] = self.delta[self.known].sum(axis=0)
        self._projected_total: NDArray[np.float64] = self.projected[self.known].sum(axis=0)

    def components(self, left_out: int | None, k: int) -> NDArray[np.float64]:
        """The first `k` components as combinations of the basis, without condition `left_out`."""
        return self.pca.all(k) if left_out is None else self.pca.without(left_out, k)

    def n_known(self, left_out: int | None) -> int:
        """Training conditions that the weights are learnt from."""
        return int(self.known.sum()) - (left_out is not None and bool(self.known[left_out]))

    def offset(self, left_out: int | None) -> NDArray[np.float64]:
        """b: the mean change over the conditions that are learnt from and the control, whose change is zero."""
        total = self._total
        if left_out is not None and self.known[left_out]:
            total = total - self.delta[left_out]
        return total / (self.n_known(left_out) + 1)

    def projected_offset(self, left_out: int | None) -> NDArray[np.float64]:
        """The same in the basis."""
        total = self._projected_total
        if left_out is not None and self.known[left_out]:
            total = total - self.projected[left_out]
        return total / (self.n_known(left_out) + 1)

    def weights(self, left_out: int | None, components: NDArray[np.float64]) -> Weights:
        """The fit without condition `left_out`, for any penalty."""
        scores = components if self.given_genes is None else np.diag(self.given_values)
        used = self.known.copy()
        if left_out is not None:
            used[left_out] = False
        D, P = self.projected[used], self.targets.finish(self.targets.training[used], components)
        b = self.projected_offset(left_out)
        product = scores.T @ ((D - b).T @ P)
        gram = P.T @ P
        if self.targets.given is not None:
            # The control is a condition too: no change, and zeros for its vector unless it was given one.
            control = self.targets.control()
            product -= np.outer(scores.T @ b, control)
            gram += np.outer(control, control)
        squared, rotation = np.linalg.eigh(gram)
        return Weights(scores, (scores**2).sum(axis=0), np.maximum(squared, 0), rotation, product @ rotation)


class TargetVectors:
    """Vectors of the conditions of a screen, and of others.

    Parameters
    ----------
    screen
        n training conditions.
    given
        Vectors from another source; None: the rows of `pca`.
    pca
        Of the training profiles. Leaving out a condition changes it, so that its components come in last.
    """

    def __init__(self, screen: Screen, given: Embedding | None, pca: GenePCA) -> None:
        self.given, self.pca = given, pca
        self._gene_row = {name: i for i, name in enumerate(screen.genes.tolist())}
        self.known = np.array([not self.missing(t) for t in screen.targets], dtype=np.bool_)
        """Which training conditions have a vector."""
        training = self.rows([t for t, ok in zip(screen.targets, self.known, strict=True) if ok])
        self.training = np.zeros((len(self.known), training.shape[1]))
        """As :meth:`rows` of the training conditions; zeros where there is none."""
        self.training[self.known] = training

    def missing(self, targets: tuple[str, ...]) -> list[str]:
        """Targets without a vector."""
        if self.given is None:
            return [name for name in targets if name not in self._gene_row]
        return [name for name, row in zip(targets, self.given.rows(targets), strict=True) if row < 0]

    def reason(self, targets: tuple[str, ...]) -> str:
        """Why a condition has no vector; "" where it has."""
        missing = self.missing(targets)
        if not missing:
            return ""
        what = f"target {missing[0]} is" if len(missing) == 1 else f"targets {some(missing)} are"
        has = "it has" if len(missing) == 1 else "they have"
        if self.given is None:
            return f"{what} not among the genes, so {has} no embedding"
        return f"{what} not in the perturbation embedding"

    def rows(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]:
        """Vectors, m x L, or in the basis of the components before these are chosen.

        A combination adds up what its targets do beyond the control's row (zeros, unless one was given).
        """
        if self.given is None:
            table, control = self.pca.basis, np.zeros(self.pca.basis.shape[1])
            where = [[self._gene_row[name] for name in t] for t in targets]
        else:
            table, control = self.given.values, self.control()
            where = [self.given.rows(t).tolist() for t in targets]
        out = np.empty((len(targets), table.shape[1]))
        for row, positions in zip(out, where, strict=True):
            row[:] = control + (table[positions] - control).sum(axis=0)
        return out

    def control(self) -> NDArray[np.float64]:
        """The control's row of the given vectors."""
        if self.given is None:
            return np.zeros(0)
        row = self.given.rows([""])[0]
        return self.given.values[row] if row >= 0 else np.zeros(self.given.values.shape[1])

    def finish(self, rows: NDArray[np.float64], components: NDArray[np.float64]) -> NDArray[np.float64]:
        """What :meth:`rows` gave, in components that were chosen; given vectors stay as they are."""
        return rows @ components if self.given is None else rows
