"""The paper's linear model in pieces, so that fits without one condition share what they have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.predictors._pca import GenePCA, thin_svd
from sc_annotate.predictors._vectors import TargetVectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.predictors._screen import Embedding, Screen


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
        Vectors from elsewhere, or None.
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
