"""Spearman correlation to type profiles with fine-tuning over marker genes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse
from scipy.special import softmax
from scipy.stats import rankdata

from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._inputs import check_fit, check_predict, need_fitted, need_positive, row_blocks
from sc_annotate.annotators._moments import class_means

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Arrays, Matrix

_BLOCK = 2048  # cells a time: ranks are dense


def _unit_ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Ranks along the rows, centred and of length 1 (a row without differences stays 0): products are Spearman's rho."""
    ranks = rankdata(values, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.linalg.norm(ranks, axis=1, keepdims=True)
    return np.divide(ranks, length, out=np.zeros_like(ranks), where=length > 0)


def spearman(cells: NDArray[Any], profiles: NDArray[Any]) -> NDArray[np.float64]:
    """Spearman correlation of each row of `cells` with each row of `profiles`; 0 where one of them is constant."""
    return _unit_ranks(cells) @ _unit_ranks(profiles).T


def pair_markers(profiles: NDArray[Any], n: int, scale=None) -> NDArray[np.int32]:
    """The `n` genes highest in type a over type b, for every ordered pair: types x types x n; -1 where there are fewer."""
    k, p = profiles.shape
    n = min(n, p)
    markers = np.full((k, k, n), -1, dtype=np.int32)
    for a in range(k):
        difference = (profiles[a] - profiles)*(1 if scale is None else scale)
        top = np.argsort(-difference, axis=1, kind="stable")[:, :n]
        markers[a] = np.where(np.take_along_axis(difference, top, axis=1) > 0, top, -1)
    return markers


@dataclass
class Correlation(Annotator):
    n_markers: int | None = None
    tune_gap: float = 0.05
    temperature: float = 0.05
    msc: bool = False

    def fit(self, X, y, *, genes, batch=None, rng=0):
        matrix, codes, classes = check_fit(X, y, genes, batch)
        self.classes_ = classes
        self.profiles_ = class_means(matrix, codes, len(classes)).astype(np.float32)
        n = self.n_markers or round(500 * (2 / 3) ** np.log2(len(classes)))
        from sc_annotate.annotators._moments import typical_sd, inverse_or_zero
        sc=inverse_or_zero(typical_sd(matrix,codes,self.profiles_.astype(float))) if self.msc else None
        self.markers_ = pair_markers(self.profiles_, max(n, 1),sc)
        return self

    def _genes_for(self, types: NDArray[np.intp]) -> NDArray[np.intp]:
        genes = np.unique(self.markers_[np.ix_(types, types)])
        return genes[genes >= 0]

    def _distribute(self, cells, types, mass):
        """Share out each cell's probability `mass` among `types`, then again among the best of them."""
        out = np.zeros((len(cells), len(self.classes_)))
        genes = self._genes_for(types)
        rho = spearman(cells[:, genes], self.profiles_[np.ix_(types, genes)])
        share = softmax(rho / self.temperature, axis=1)
        out[:, types] = share * mass[:, None]
        close = rho >= rho.max(axis=1, keepdims=True) - self.tune_gap
        size = close.sum(axis=1)
        again = np.flatnonzero((size > 1) & (size < len(types)))
        if len(again):
            groups, which = np.unique(close[again], axis=0, return_inverse=True)
            order=np.argsort(which,kind='stable'); bounds=np.searchsorted(which[order],np.arange(len(groups)+1))
            for g, group in enumerate(groups):
                rows = again[order[bounds[g]:bounds[g+1]]]
                kept = types[group]
                inner = self._distribute(cells[rows], kept, out[np.ix_(rows, kept)].sum(axis=1))
                out[np.ix_(rows, kept)] = inner[:, kept]
        return out

    def predict_proba(self, X: Matrix):
        need_fitted(self, "profiles_")
        matrix = check_predict(X, self.profiles_.shape[1])
        out = np.empty((matrix.shape[0], len(self.classes_)), dtype=np.float32)
        every = np.arange(len(self.classes_))
        for rows in row_blocks(matrix.shape[0], _BLOCK):
            cells = matrix[rows]
            cells = cells.toarray() if issparse(cells) else cells
            out[rows] = self._distribute(cells, every, np.ones(len(cells)))
        return out
