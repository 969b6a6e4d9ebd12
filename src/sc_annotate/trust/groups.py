"""Groups of a query that lie, as a whole, where groups of known types do not."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import public, whole
from sc_annotate._core.decode import decode
from sc_annotate._core.schema import Count
from sc_annotate._core.stored_arrays import Stored
from sc_annotate.errors import InputError
from sc_annotate.evaluation.allocation import folds, sample
from sc_annotate.trust._components import as_cells
from sc_annotate.trust._stored import stored_params, take
from sc_annotate.trust.grouping import Found, Types, join, learn_types, means_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Groups"]

LEAST = 50
"""Cells of a query without which nothing is said about groups."""
# Cells that a group needs, so that its mean says something, and held-out cells that are split into groups.
_SMALL, _HELD = 8, 40
# Batches that are held out in turn, or together where there are more; folds of a reference of one batch.
_FOLDS, _PARTS = 8, 3
# How far the threshold lies from the known groups to the unseen ones, on a scale of logs.
_BETWEEN = 0.4
# With one batch, from where on a group cannot be told from an unseen type, as a share of how far these lie.
_DOUBT = 0.8


@dataclass(eq=False)
class Groups:
    """Tests whether groups of similar query cells are of a type that the reference lacks.

    A new type is a group of cells. Where each of its cells lies within what noise does to cells of known types, their mean
    need not: it has little noise, and the genes that set it apart need not be those that separate the known types.

    The query is split by k-means on its own leading components. What all groups have in common beside their nearest types,
    such as the shift of a new batch, is taken off: the median over the types, gene by gene, so that the composition of the
    query has no part in it. The statistic of a group is the mean of the `n_genes` largest differences from the mean of
    its nearest type, each in standard errors that allow for what differs between batches of the reference.

    Held-out batches, split in the same way, show what it is for groups of known types; and, once more without their own
    type, what it is for groups of a type that is not there. The threshold lies between the two, and never below the
    quantile that the false positive rate names. A reference of one batch cannot show what a new batch does: a group is
    flagged only if it is farther from all known types than they mostly are from each other, and in doubt if it is nearly
    as far.

    Parameters
    ----------
    n_genes
        Largest differences that count.
    n_components
        Components of the query that its cells are grouped by.
    cells_per_group, max_groups
        As many groups as cells allow, up to a number.
    max_cells
        Cells to learn from, and of a query to find groups with: a random sample where there are more.

    Attributes
    ----------
    types_ : Types
        Means of the types, and variances of the genes.
    known_ : NDArray[np.float64]
        Statistics of held-out groups of known types, ascending.
    unseen_ : NDArray[np.float64]
        Those of the same groups without their own type, ascending; empty with two types.
    n_batches_ : int
        Batches that were held out; 1: none.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import Groups
    >>> draw = np.random.default_rng(0)
    >>> def cells(of, shift=0.0):
    ...     X = draw.normal(1.0, 0.5, (80, 200)) + shift * (np.arange(200) % 2)
    ...     X[:, of * 20 : of * 20 + 20] += 1.0
    ...     return X
    >>> known = np.vstack([cells(of, shift) for shift in (0.0, 0.3) for of in (0, 1, 2)])
    >>> types, batch = np.tile(np.repeat([0, 1, 2], 80), 2), np.repeat(["a", "b"], 240)
    >>> model = Groups().fit(known, types, batch=batch)
    >>> query = np.vstack([cells(of, shift=0.6) for of in (0, 1, 2, 5)])
    >>> found = model.find(query)
    >>> flagged = found.statistic > model.threshold(0.05)
    >>> flagged[found.assign(query)].reshape(4, 80).mean(axis=1).tolist()
    [0.0, 0.0, 0.0, 1.0]
    """

    n_genes: int = 20
    n_components: int = 20
    cells_per_group: int = 20
    max_groups: int = 30
    max_cells: int = 4000

    if TYPE_CHECKING:
        types_: Types = field(init=False)
        known_: NDArray[np.float64] = field(init=False)
        unseen_: NDArray[np.float64] = field(init=False)
        n_batches_: int = field(init=False)

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
            Batch of each cell, shape (n,): with two or more, whole batches are held out.
        rng
            Seed; equal seeds give equal models.

        Raises
        ------
        sc_annotate.errors.InputError
            Values that are not finite, codes that are no whole numbers from 0, fewer than two types, too few cells to
            hold groups out, or parameters out of range.
        """
        self._check_params()
        matrix, types = as_cells(X), np.asarray(codes)
        if types.dtype.kind not in "iu" or types.shape != (matrix.shape[0],) or (types.size and types.min() < 0):
            raise InputError("codes must be whole numbers from 0, one a cell of X: which type it is.")
        random = np.random.default_rng(rng)
        if types.size > self.max_cells:
            kept, _ = sample(types.astype(np.intp), self.max_cells, random)
            matrix, types = matrix[kept], types[kept]
            batch = None if batch is None else np.asarray(batch)[kept]
        types = np.unique(types, return_inverse=True)[1]
        if types.size < 2 * _HELD or int(types.max()) < 1:
            raise InputError(f"{types.size} cells are too few to hold groups out. Hand in more, of two or more types.")
        group = np.zeros(types.size, dtype=np.intp)
        if batch is not None:
            group = np.unique(np.asarray(batch).astype(str), return_inverse=True)[1]
        fold = folds(types, group, _FOLDS, random)
        if not group.any() or np.count_nonzero(np.bincount(fold) >= _HELD) < 2:
            fold, group = folds(types, None, min(_PARTS, types.size // _HELD), random), np.zeros_like(group)
        self.n_batches_ = int(group.max()) + 1
        self.types_ = learn_types(matrix, types, group)
        known, unseen = zip(*(self._held_out(matrix, types, fold == i, rng) for i in np.unique(fold)), strict=True)
        self.known_, self.unseen_ = np.sort(np.concatenate(known)), np.sort(np.concatenate(unseen))
        if not self.known_.size:
            raise InputError("no held-out cells make a group. Hand in more of the reference.")
        return self

    def _n_groups(self, n: int) -> int:
        return int(np.clip(n // self.cells_per_group, 2, self.max_groups))

    def _held_out(
        self, X: Any, types: NDArray[np.intp], held: NDArray[np.bool_], rng: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Statistics of groups of some cells beside the others: as they are, and without their own type."""
        nothing = np.empty(0)
        left, codes = np.unique(types[~held], return_inverse=True)
        n_held = int(np.count_nonzero(held))
        if n_held < _HELD or len(left) < 2:
            return nothing, nothing
        means, sizes = means_of(X[~held], codes)
        beside = Types(means, sizes, self.types_.within, self.types_.between)
        group = beside.split(X[held], self._n_groups(n_held), self.n_components, rng)[0]
        own, n = means_of(X[held], group)
        large = n >= _SMALL
        if np.count_nonzero(large) < 2:
            return nothing, nothing
        table = np.zeros((len(n), int(types.max()) + 1))
        np.add.at(table, (group, types[held]), 1)
        most, own, n = table.argmax(axis=1)[large], own[large], n[large]
        there = np.isin(most, left)
        known = beside.test(own, n, self.n_genes).statistic[there]
        unseen = [nothing]
        for code in np.unique(most[there]) if len(left) > 2 else ():
            unseen.append(beside.of(left != code).test(own, n, self.n_genes).statistic[most == code])
        return known, np.concatenate(unseen)

    def rows(self, n: int, *, rng: int = 0) -> NDArray[np.intp]:
        """Which cells of a query of `n` groups are found with, ascending; none of a small query."""
        self._need_fitted()
        if n < LEAST:
            return np.empty(0, dtype=np.intp)
        return np.sort(np.random.default_rng(rng).permutation(n)[: self.max_cells])

    @public
    def find(
        self, X: Any, *, genes: NDArray[np.bool_] | None = None, false_positive_rate: float = 0.05, rng: int = 0
    ) -> Found | None:
        """Groups of some cells of a query, tested; those that are flagged and lie close together become one.

        Parameters
        ----------
        X
            Cells x genes, in the genes that were fitted on.
        genes
            Which genes the query has, shape (genes,); by default all. The others take no part.
        false_positive_rate
            Share of groups of known types that may be flagged.
        rng
            Seed.

        Returns
        -------
        None where fewer than three groups are large enough to be compared.
        """
        self._need_fitted()
        matrix, types, n_all = as_cells(X, self.types_.means.shape[1]), self.types_, self.types_.means.shape[1]
        if genes is not None and not genes.all():
            matrix, types = matrix[:, np.flatnonzero(genes)], types.of(genes=genes)
        n_cells = matrix.shape[0]
        if n_cells < LEAST or not matrix.shape[1]:
            return None
        group, centers, loadings = types.split(matrix, self._n_groups(n_cells), self.n_components, rng)
        own, n = means_of(matrix, group)
        large = np.flatnonzero(n >= _SMALL)
        if len(large) < 3:
            return None
        own, n, centers = own[large], n[large], centers[large]
        tested = types.test(own, n, self.n_genes)
        weights = np.zeros((n_all, len(n)), dtype=np.float32)
        weights[slice(None) if genes is None else genes] = loadings @ centers.T
        flagged = tested.statistic > self.threshold(false_positive_rate)
        number = join(tested, flagged, types)
        return Found.of(tested, n, number, types, weights, -np.square(centers).sum(axis=1) / 2, genes)

    def threshold(self, false_positive_rate: float) -> float:
        """The statistic above which a group is flagged, for a share of groups of known types that may be."""
        self._need_fitted()
        usual = float(np.quantile(self.known_, 1 - false_positive_rate))
        if not self.unseen_.size:
            return usual
        apart = float(np.median(self.unseen_))
        return max(usual, apart if self.n_batches_ < 2 else usual ** (1 - _BETWEEN) * apart**_BETWEEN)

    def doubt(self, false_positive_rate: float) -> float:
        """The statistic above which it is open whether a group is of a known type: lower than the threshold with one batch."""
        threshold = self.threshold(false_positive_rate)
        if self.n_batches_ > 1 or not self.unseen_.size:
            return threshold
        usual = float(np.quantile(self.known_, 1 - false_positive_rate))
        return max(usual, _DOUBT * float(np.median(self.unseen_)))

    def p_values(self, statistic: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of held-out groups of known types with as large a statistic, the group itself counted."""
        self._need_fitted()
        n = self.known_.size
        return (1 + n - np.searchsorted(self.known_, statistic, side="left")) / (n + 1)

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What to store: numeric arrays, and a dict that JSON can hold."""
        self._need_fitted()
        types = self.types_
        arrays: dict[str, NDArray[Any]] = {"means": types.means.astype(np.float32), "sizes": types.sizes}
        arrays |= {"within": types.within.astype(np.float32), "between": types.between.astype(np.float32)}
        arrays |= {"known": self.known_} | ({"unseen": self.unseen_} if self.unseen_.size else {})
        return arrays, {"params": asdict(self), "n_batches": self.n_batches_}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`to_arrays` gave; an InputError where it cannot be."""
        model = stored_params(cls, meta)
        model._check_params()
        found = take(arrays, "", {name: each for name, each in _ARRAYS.items() if name != "unseen" or name in arrays})
        try:
            model.n_batches_ = decode(Count, meta.get("n_batches"), "n_batches")
        except ValueError as error:
            raise InputError(f"the stored {error}. Fit again.") from error
        means, within, between = (found[name].astype(np.float64) for name in ("means", "within", "between"))
        model.types_ = Types(means, found["sizes"], within, between)
        model.known_, model.unseen_ = found["known"], found.get("unseen", np.empty(0))
        if any((np.diff(values) < 0).any() for values in (model.known_, model.unseen_)):
            raise InputError("the stored statistics of groups are not sorted. Fit again.")
        return model

    def _check_params(self) -> None:
        for name in asdict(self):
            whole(getattr(self, name), name, least=1)

    def _need_fitted(self) -> None:
        if not hasattr(self, "known_"):
            raise InputError("these Groups are not fitted. Call fit(X, codes) first.")


_ARRAYS = {
    "means": Stored("f4", ("types", "genes")),
    "sizes": Stored("i8", ("types",), low=1),
    "within": Stored("f4", ("genes",), low=0),
    "between": Stored("f4", ("genes",), low=0),
    "known": Stored("f8", ("groups",), low=0),
    "unseen": Stored("f8", ("groups without their type",), low=0),
}
