"""Highly variable genes: of an array by scanpy, and of blocks of cells as scanpy would choose them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray


SMALLEST_BATCH = 10  # cells: in fewer, the spread of a gene is noise
_BINS = 20  # of mean expression, scanpy's default


def log_of_counts(X: Any) -> Any:
    """Counts as log1p of 10,000 a cell, float32; `X` is left as it is."""
    import scanpy as sc
    from anndata import AnnData

    data = AnnData(sparse.csr_matrix(X, copy=True) if sparse.issparse(X) else X.copy())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of cells without counts
        sc.pp.normalize_total(data, target_sum=1e4)
    sc.pp.log1p(data)
    return data.X


def variable_genes(X: Any, n_top: int | None, batch: NDArray[np.str_] | None = None) -> NDArray[np.intp]:
    """Columns of the `n_top` most variable genes (scanpy's ``seurat`` flavour), ascending.

    All columns where `n_top` is None or no smaller than their number. With `batch`, genes that vary within batches are
    preferred; batches of fewer than 10 cells would make dispersions of noise, so then `batch` is left aside.
    """
    n_genes = X.shape[1]
    if n_top is None or n_top >= n_genes:
        return np.arange(n_genes)
    import pandas as pd
    import scanpy as sc
    from anndata import AnnData

    obs = pd.DataFrame(index=pd.RangeIndex(X.shape[0]).astype(str))
    batch_key = None
    if batch is not None:
        _, sizes = np.unique(batch, return_counts=True)
        if len(sizes) > 1 and sizes.min() >= SMALLEST_BATCH:
            obs["batch"] = pd.Categorical(batch)
            batch_key = "batch"
    with warnings.catch_warnings():
        # Constant genes make scanpy divide by zero; it then ranks them last, which is what is wanted.
        warnings.simplefilter("ignore")
        data = AnnData(sparse.csr_matrix(X) if sparse.issparse(X) else X, obs=obs)
        table = sc.pp.highly_variable_genes(data, n_top_genes=n_top, batch_key=batch_key, inplace=False)
    return _exactly(n_top, np.asarray(table["highly_variable"]), np.asarray(table["dispersions_norm"], dtype=float))


def _exactly(n_top: int, marked: NDArray[Any], score: NDArray[np.float64]) -> NDArray[np.intp]:
    chosen = np.flatnonzero(marked)
    if len(chosen) == n_top:
        return chosen
    # Ties at the cut-off let scanpy return a few more or less; keep the most dispersed ones.
    score = np.nan_to_num(score, nan=-np.inf)
    return np.sort(np.argsort(-score, kind="stable")[:n_top])


@dataclass(eq=False)
class VariableGeneStatistics:
    """What `variable_genes_from` needs of the cells, added up over blocks, apart for each batch.

    Start with `empty`, then `update` with each block. Threads each update their own, to be merged.
    ``all_cells - fold`` are the statistics of the cells outside the fold.

    Parameters
    ----------
    n
        Cells of each batch, shape (batches,), int64.
    sums, squares
        Of expm1 of the values and of their squares, batches x genes, float64.
    positive
        Cells in which a gene is above 0, batches x genes, int64.
    """

    n: NDArray[np.int64]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]
    positive: NDArray[np.int64]

    @classmethod
    def empty(cls, n_batches: int, n_genes: int) -> Self:
        """Of no cells."""
        shape = (n_batches, n_genes)
        return cls(np.zeros(n_batches, np.int64), np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64))

    def update(self, X: Any, batch_codes: ArrayLike | None = None) -> Self:
        """Add a block of cells.

        Parameters
        ----------
        X
            Cells x genes, sparse or dense, log1p values, none below 0; not modified. A few copies of it are made.
        batch_codes
            Batch of each cell, shape (cells,), numbered from 0 in the order of their sorted names; None for one batch.
        """
        n_batches, n_genes = self.sums.shape
        codes = np.zeros(X.shape[0], np.intp) if batch_codes is None else np.asarray(batch_codes).astype(np.intp)
        if X.shape[1] != n_genes or codes.shape != X.shape[:1]:
            raise InputError(f"a block of {X.shape} and {codes.shape} batch codes do not fit {n_genes} genes.")
        if codes.size and not 0 <= codes.min() <= codes.max() < n_batches:
            raise InputError(f"batch codes must lie between 0 and {n_batches - 1}.")
        self.n += np.bincount(codes, minlength=n_batches)
        if sparse.issparse(X):
            rows = X.tocsr()
            if not rows.has_canonical_format:
                rows = rows.copy()
                rows.sum_duplicates()
            place = np.repeat(codes * n_genes, np.diff(rows.indptr)) + rows.indices
            # Squared in the precision of the values, as scanpy does, so that rounding is the same.
            values, size = np.expm1(rows.data), n_batches * n_genes
            self.sums += np.bincount(place, values, size).reshape(self.sums.shape)
            self.squares += np.bincount(place, np.square(values), size).reshape(self.sums.shape)
            self.positive += np.bincount(place[rows.data > 0], minlength=size).reshape(self.sums.shape)
            return self
        for code in np.unique(codes):
            part = np.asarray(X)[codes == code]
            values = np.expm1(part)
            self.sums[code] += values.sum(axis=0, dtype=np.float64)
            self.squares[code] += np.square(values).sum(axis=0, dtype=np.float64)
            self.positive[code] += (part > 0).sum(axis=0)
        return self

    def merge(self, other: VariableGeneStatistics) -> Self:
        """Add the statistics of other cells to these."""
        self._check_alike(other)
        self.n += other.n
        self.sums += other.sums
        self.squares += other.squares
        self.positive += other.positive
        return self

    def __add__(self, other: VariableGeneStatistics) -> Self:
        return type(self)(self.n.copy(), self.sums.copy(), self.squares.copy(), self.positive.copy()).merge(other)

    def __sub__(self, other: VariableGeneStatistics) -> Self:
        self._check_alike(other)
        n, positive = self.n - other.n, self.positive - other.positive
        if (n < 0).any() or (positive < 0).any():
            raise InputError("statistics can only be subtracted from those of cells that include theirs.")
        # A difference of sums leaves rounding, which must not make a gene look expressed.
        some = positive > 0
        return type(self)(
            n,
            np.where(some, self.sums - other.sums, 0.0),
            np.where(some, self.squares - other.squares, 0.0),
            positive,
        )

    def _check_alike(self, other: VariableGeneStatistics) -> None:
        if self.sums.shape != other.sums.shape:
            raise InputError(f"statistics of {self.sums.shape} and {other.sums.shape} batches x genes do not combine.")


def variable_genes_from(statistics: VariableGeneStatistics, n_top: int | None) -> NDArray[np.intp]:
    """The columns that `variable_genes` would choose of the cells, by the same rule of batches.

    scanpy offers no way in from means and variances, so this is its rule written out: `highly_variable_genes` with
    ``flavor="seurat"`` of scanpy 1.11 and 1.12, file ``preprocessing/_highly_variable_genes.py``.
    """
    n_genes = statistics.sums.shape[1]
    if n_top is None or n_top >= n_genes:
        return np.arange(n_genes)
    if not statistics.n.any():
        raise InputError("there are no cells to choose genes by.")
    import pandas as pd

    batches = np.flatnonzero(statistics.n)
    if len(batches) == 1 or statistics.n[batches].min() < SMALLEST_BATCH:
        score = _dispersions(statistics.n.sum(), statistics.sums.sum(axis=0), statistics.squares.sum(axis=0))
        return _exactly(n_top, _marked(score, n_top), score)
    # A gene that no cell of a batch has gets 0 there, and takes no part in the bins.
    scores, votes = np.zeros((len(batches), n_genes)), np.zeros(n_genes, int)
    for row, batch in enumerate(batches):
        has = statistics.positive[batch] > 0
        scores[row, has] = _dispersions(
            statistics.n[batch], statistics.sums[batch, has], statistics.squares[batch, has]
        )
        votes[has] += _marked(scores[row, has], n_top)
    # The mean of pandas, which leaves NaN out and adds up in its own way; equal genes are taken by their names.
    mean = pd.Series(scores.ravel()).groupby(np.tile(np.arange(n_genes), len(batches))).mean().to_numpy()
    names = np.arange(n_genes).astype(str)
    return np.sort(np.lexsort((names, -mean, -votes))[:n_top])


def _dispersions(n: Any, sums: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normalised dispersion of each gene; NaN for one that does not vary."""
    import pandas as pd

    if not sums.size:
        return np.empty(0)
    mean = sums / n
    variance = squares / n - mean**2
    if n != 1:
        variance *= n / (n - 1)
    mean[mean == 0] = 1e-12
    with np.errstate(invalid="ignore", divide="ignore"):
        dispersion = variance / mean
        dispersion[dispersion == 0] = np.nan
        dispersion = np.log(dispersion)
        table = pd.DataFrame({"bin": pd.cut(np.log1p(mean), _BINS, labels=False), "dispersion": dispersion})
        bins = table.groupby("bin")["dispersion"].agg(avg="mean", dev="std")
        # One gene in a bin, or one that varies: its normalised dispersion is 1.
        alone = bins["dev"].isna()
        bins.loc[alone, "dev"] = bins.loc[alone, "avg"]
        bins.loc[alone, "avg"] = 0.0
        own = bins.loc[table["bin"]]
        return (dispersion - own["avg"].to_numpy()) / own["dev"].to_numpy()


def _marked(score: NDArray[np.float64], n_top: int) -> NDArray[np.bool_]:
    """Genes no worse than the `n_top`-th."""
    known = np.sort(score[~np.isnan(score)])
    if not known.size:
        return np.zeros(len(score), bool)
    return np.nan_to_num(score, nan=-np.inf) >= known[-min(n_top, known.size)]
