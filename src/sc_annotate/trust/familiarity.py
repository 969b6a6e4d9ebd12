"""How far a cell lies out of the distribution of the reference."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse

from sc_annotate._core.arguments import public, whole
from sc_annotate._core.arrays import as_csr_array, rows
from sc_annotate.errors import InputError
from sc_annotate.evaluation.allocation import folds, sample
from sc_annotate.trust._components import as_cells
from sc_annotate.trust._scales import Scales, joined, ranks_among, threshold_among
from sc_annotate.trust._space import Space
from sc_annotate.trust._stored import stored_params
from sc_annotate.trust.neighbourhood import SHARED, Neighbourhood

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

__all__ = ["PARTS", "Familiarity"]

PARTS = ("mahalanobis", "relative", "landmark", "residual", "energy", *SHARED)

# Cells that are measured at a time: what is held for them is several times as large as a block of them.
_CELLS = 1_024


@dataclass(eq=False)
class Familiarity:
    """Scores how far cells lie out of distribution, and p-values of those scores among held-out reference cells.

    Some measures are taken of each cell by itself, in the space of the leading principal components of the reference, genes scaled to unit
    variance:

    ``mahalanobis``
        distance to the nearest type's mean, with one shrunken covariance within types (Lee et al. 2018);
    ``relative``
        its square minus the squared distance to the overall mean with the overall covariance (Ren et al. 2021): what
        is unusual in every reference cell too, such as little depth, counts less;
    ``landmark``
        mean distance to the nearest of some kept reference cells, with the covariance within types;
    ``residual``
        log of the squared length that the components do not explain, minus what they leave unexplained in reference
        cells with as many detected genes; not there where the components explain all, as in an embedding;
    ``energy``
        minus the log of the summed exponentials of the outputs of a logistic regression (Liu et al. 2020): high for
        cells that lie between types.

    Two more need the other cells of the query. A cell's displacement is what sets it apart from the mean of its own
    nearest type:

    ``shared_within``
        how much of its displacement in the components, whitened within types, its nearest neighbours *in the query* have
        in common: the length of their mean displacement along its own;
    ``shared_residual``
        the same for what the components leave unexplained, gene by gene.

    Cells of a type that is not in the reference are displaced alike; noise is not. The neighbours (a tenth, 2 to 25) are
    looked for among all cells of the query, or as many random ones as held-out reference cells were compared with (a fold
    of them); a query of fewer than 20 cells is scored without. What most cells of a query share, such as the displacement of a new
    batch, is taken off: the 5, 15 and 30 % quantiles of both parts are moved and squeezed down to those of held-out cells.

    Each is brought to one scale, minus the log of the share of held-out reference cells that have as much of it or
    more, with an exponential tail beyond them. The score is the mean of the parts in `combine`, which is Fisher's way
    of combining p-values. Different new types show in different parts; the choice, the table behind it and where it
    fails are in ``docs/benchmarks_unfamiliar.md``. A cell with a small p-value is unlike the reference: of a type that
    is not there, or from another batch, a doublet, damaged. A large one does not say that its type is in the reference.
    The score of a cell depends on the query it comes in: score a data set as a whole, not in parts.

    Parameters
    ----------
    n_components
        Principal components; fewer where the cells or genes are fewer.
    n_neighbors, max_landmarks
        Nearest landmarks that ``landmark`` averages over, and how many are kept: rare types keep theirs longest.
    combine
        Which parts make the score.
    folds
        Reference cells are scored by a space fitted on the other folds.
    max_cells
        Cells to learn from: a random sample where there are more, with at least 50 of each type as far as there are.

    Attributes
    ----------
    space_ : Space
        Components, means, landmarks.
    scales_ : Scales
        Tails of the parts, and scores of reference cells by spaces that had not seen them; of the random sample only.

    References
    ----------
    Lee et al. 2018, NeurIPS, arXiv 1807.03888. Ren et al. 2021, arXiv 2106.09022. Liu et al. 2020, NeurIPS, arXiv
    2010.03759. Fisher 1932, Statistical Methods for Research Workers, 4th edition.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust.familiarity import Familiarity
    >>> draw = np.random.default_rng(0)
    >>> known = draw.normal(size=(200, 30)).astype(np.float32)
    >>> codes = np.arange(200) % 2
    >>> known[codes == 1, :10] += 3
    >>> model = Familiarity(n_components=5).fit(known, codes)
    >>> new = draw.normal(size=(50, 30)).astype(np.float32)
    >>> new[:, :10] -= 4
    >>> bool((model.p_values(model.score(new)) < 0.05).mean() > 0.9)
    True
    """

    n_components: int = 50
    n_neighbors: int = 15
    max_landmarks: int = 1000
    combine: tuple[str, ...] = ("mahalanobis", "relative", "residual", "energy", *SHARED)
    folds: int = 5
    max_cells: int = 5000

    if TYPE_CHECKING:
        space_: Space = field(init=False)
        scales_: Scales = field(init=False)
        n_genes_: int = field(init=False)

    @public
    def fit(self, X: Any, codes: ArrayLike, *, batch: ArrayLike | None = None, rng: int = 0) -> Self:
        """Learn the reference.

        Parameters
        ----------
        X
            Cells x genes, ``log1p`` of counts per 10,000, CSR or dense, genes already selected; or an embedding.
        codes
            Whole number of the type of each cell, shape (n,).
        batch
            Batch of each cell, shape (n,). With two or more, the folds are whole batches, so that the reference scores,
            and with them the p-values, allow for what differs between batches. None: folds of single cells.
        rng
            Seed; equal seeds give equal models.

        Raises
        ------
        sc_annotate.errors.InputError
            Values that are not finite, no gene that varies, lengths that differ, fewer than four cells, codes that are
            no whole numbers from 0, or parameters out of range.
        """
        self._check_params()
        matrix = as_cells(X)
        types = np.asarray(codes)
        if types.dtype.kind not in "iu" or types.ndim != 1 or (types.size and types.min() < 0):
            raise InputError("codes must be whole numbers from 0, one a cell: which type it is.")
        if types.size != matrix.shape[0]:
            raise InputError(f"X has {matrix.shape[0]} cells but codes has {types.size}. They must describe the same.")
        if types.size < 4:
            raise InputError(
                f"X has {types.size} cells, but distances need four or more. Hand in more of the reference."
            )
        types = np.unique(types, return_inverse=True)[1]
        random = np.random.default_rng(rng)
        kept, sampled = sample(types, self.max_cells, random)
        matrix, types = matrix[kept], types[kept]
        fold = folds(types, None if batch is None else np.asarray(batch)[kept], self.folds, random)
        held = []
        for i in np.unique(fold):
            rest = fold != i
            # Only the plain random sample is scored: more cells of rare types would change who has which neighbours.
            here = np.flatnonzero(~rest & sampled)
            here = here[np.isin(types[here], types[rest])]
            if here.size:
                held.append((matrix[here], self._fit_space(matrix[rest], types[rest], rng)))
        if sum(cells.shape[0] for cells, _ in held) < 2:
            raise InputError("no type has two cells (in two batches), so nothing can be held out. Hand in more cells.")
        self.space_, self.n_genes_ = self._fit_space(matrix, types, rng), matrix.shape[1]
        # A fold may explain all of its cells where the whole does not, and the other way round.
        unexplained = all(space.components.curve.size for space in (self.space_, *(space for _, space in held)))
        names = [name for name in self.combine if unexplained or name not in ("residual", "shared_residual")]
        self.scales_ = Scales.fit(names if set(names) - set(SHARED) else ["mahalanobis", *names], held, random)
        return self

    def _fit_space(self, X: Any, codes: NDArray[np.intp], rng: int) -> Space:
        sizes = {k: getattr(self, k) for k in ("n_components", "n_neighbors", "max_landmarks")}
        return Space.fit(X, codes, **sizes, rng=rng)

    def neighbourhood_rows(self, n: int, *, rng: int = 0) -> NDArray[np.intp]:
        """Which cells of a query of `n` the others are compared with, ascending.

        None of a small query, all of one of a few hundred or thousand cells, else random ones.
        """
        self._need_fitted()
        size = self.scales_.size(n)
        if size and n < 2 * size:
            return np.arange(n)
        return np.sort(np.random.default_rng(rng).permutation(n)[:size])

    def gather(self, X: Any, n: int) -> Neighbourhood:
        """What the cells of a query of `n` are compared with, from those that :meth:`neighbourhood_rows` names."""
        self._need_fitted()
        return Neighbourhood.of(self.space_, as_cells(X, self.n_genes_), self.scales_.size(n))

    def measure(
        self, X: Any, neighbourhood: Neighbourhood | None = None, own: NDArray[np.intp] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Every part of some cells of a query, each on its own scale; the higher, the farther.

        ``own[i]`` is the place of cell i among the cells of the neighbourhood, -1 where it is none of them (None: none is).
        """
        self._need_fitted()
        matrix = as_cells(X, self.n_genes_)
        n = matrix.shape[0]
        inside = np.full(n, -1, dtype=np.intp) if own is None else own
        pieces = [slice(start, min(n, start + _CELLS)) for start in range(0, n, _CELLS)] or [slice(0, 0)]
        return joined([self._measure(rows(matrix, piece), neighbourhood, inside[piece]) for piece in pieces])

    def _measure(
        self, cells: Any, neighbourhood: Neighbourhood | None, own: NDArray[np.intp]
    ) -> dict[str, NDArray[np.float64]]:
        seen = self.space_.see(as_csr_array(cells) if issparse(cells) else cells)
        found = self.space_.measure(seen, self.scales_.own)
        if neighbourhood is None or not self.scales_.shared:
            return found
        shared = neighbourhood.measure(seen, own)
        return found | {name: shared[name] for name in self.scales_.shared}

    def measures(self, X: Any, *, rng: int = 0) -> dict[str, NDArray[np.float64]]:
        """Each part of each cell of a whole query on its own scale, such as distances; the higher, the farther."""
        n = X.shape[0]
        rows = self.neighbourhood_rows(n, rng=rng)
        own = np.full(n, -1, dtype=np.intp)
        own[rows] = np.arange(rows.size)
        return self.measure(X, self.gather(X[rows], n) if rows.size else None, own)

    def parts(self, X: Any, *, rng: int = 0) -> dict[str, NDArray[np.float32]]:
        """Each part of each cell, on the common scale: 0 most typical, 3 as 1 in 20 reference cells, no upper end."""
        laid = self.scales_.laid(self.measures(X, rng=rng), X.shape[0])
        return {name: values.astype(np.float32) for name, values in laid}

    def score(self, X: Any, *, rng: int = 0) -> NDArray[np.float32]:
        """How far out of distribution each cell of a whole query lies, shape (n,); `rng` draws which cells a large one is compared with."""
        return self.combined(self.measures(X, rng=rng))

    def combined(self, measured: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The score of all cells of a query from their parts."""
        self._need_fitted()
        return self.scales_.score(measured, len(next(iter(measured.values()))))

    def p_values(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Share of held-out reference cells with as high a score, the cell itself counted: never 0.

        If a cell is exchangeable with the reference cells, the chance of a value of a or less is about a. It is not
        exactly a, as the reference cells were scored by spaces fitted on fewer cells. `scores` are those of a whole
        query.
        """
        values = np.asarray(scores, dtype=np.float32)
        return ranks_among(self.reference(values.size), values)

    def reference(self, n: int) -> NDArray[np.float32]:
        """Scores of held-out reference cells, ascending, in a neighbourhood as large as that of a query of `n`."""
        self._need_fitted()
        return self.scales_.references[self.scales_.size(n)]

    def threshold(self, false_positive_rate: float, n: int) -> float:
        """The score above which the p-value is below `false_positive_rate`; infinite where there are too few cells for that."""
        return threshold_among(self.reference(n), false_positive_rate)

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What to store: numeric arrays, and a dict that JSON can hold."""
        self._need_fitted()
        arrays, meta = self.scales_.to_arrays()
        params = asdict(self) | {"combine": list(self.combine)}
        return arrays | self.space_.to_arrays(), meta | {"params": params}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`to_arrays` gave; an InputError where it cannot be."""
        model = stored_params(cls, meta)
        model._check_params()
        model.space_ = Space.from_arrays(arrays, model.n_neighbors)
        model.n_genes_ = len(model.space_.components.loadings)
        model.scales_ = Scales.from_arrays(arrays, meta)
        if not set(model.scales_.names) <= set(PARTS):
            raise InputError("the stored parts are of another version. Fit again.")
        return model

    def _check_params(self) -> None:
        least_of = {"n_components": 1, "n_neighbors": 1, "max_landmarks": 1, "folds": 2, "max_cells": 4}
        for name, least in least_of.items():
            whole(getattr(self, name), name, least=least)
        if not self.combine or (unknown := [name for name in self.combine if name not in PARTS]):
            raise InputError(f"combine names {unknown if self.combine else 'nothing'}; choose of {', '.join(PARTS)}.")

    def _need_fitted(self) -> None:
        if not hasattr(self, "scales_"):
            raise InputError("this Familiarity is not fitted. Call fit(X, codes) first.")
