"""Simulated cells for speed.py: Poisson counts of 2,000 genes, about one value in ten above 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

N_GENES = 2000
DEPTH = 280  # molecules of a cell, in the middle
BLOCK = 20_000  # cells made at once
CHUNK = 32_768  # values in a chunk of a file; not compressed
_FINENESS = 2**18  # probabilities of genes are multiples of 1 / this


class Tissue:
    """Types of cells and how to draw cells of them; equal seeds give equal cells.

    A type differs from the others in a fifth of the genes, by factors of which the log has standard deviation `effect`.
    """

    def __init__(self, n_types: int, effect: float) -> None:
        rng = np.random.default_rng(n_types)
        base = rng.gamma(0.25, 1, size=N_GENES)
        differs = rng.random((n_types, N_GENES)) < 0.2
        mean = base * np.exp(rng.normal(0, effect, size=differs.shape) * differs)
        upto = np.cumsum(mean / mean.sum(axis=1, keepdims=True), axis=1)
        # Which gene a molecule is of, for a uniform random number: much faster than a Poisson number a gene.
        middle = (np.arange(_FINENESS) + 0.5) / _FINENESS
        found = [np.searchsorted(row, middle).clip(max=N_GENES - 1) for row in upto]
        self._genes = np.concatenate(found).astype(np.int32)
        share = np.linspace(2, 0.5, n_types)  # the commonest type has four times the cells of the rarest
        self._share = share / share.sum()
        self.names = np.array([f"type {i:03d}" for i in range(n_types)])

    def block(self, n: int, rng: np.random.Generator) -> tuple[sparse.csr_matrix, NDArray[np.intp]]:
        """Counts and types of `n` cells."""
        codes = rng.choice(len(self.names), n, p=self._share)
        totals = rng.poisson(rng.lognormal(np.log(DEPTH), 0.35, n))
        indptr = np.concatenate([[0], np.cumsum(totals)]).astype(np.int32)
        place = rng.integers(0, _FINENESS, indptr[-1]) + np.repeat(codes * _FINENESS, totals)
        X = sparse.csr_matrix((np.ones(indptr[-1], np.float32), self._genes[place], indptr), shape=(n, N_GENES))
        X.sum_duplicates()
        return X, codes

    def blocks(self, n: int, seed: int) -> Any:
        rng = np.random.default_rng(seed)
        for start in range(0, n, BLOCK):
            yield self.block(min(BLOCK, n - start), rng)

    def obs(self, codes: NDArray[np.intp]) -> pd.DataFrame:
        kinds = pd.Categorical.from_codes(codes, pd.Index(self.names, dtype=object))
        return pd.DataFrame({"cell_type": kinds}, index=np.arange(len(codes)).astype(str).astype(object))

    def counts(self, n: int, seed: int) -> ad.AnnData:
        parts, codes = zip(*self.blocks(n, seed), strict=True)
        return ad.AnnData(sparse.csr_matrix(sparse.vstack(parts)), obs=self.obs(np.concatenate(codes)), var=var())

    def log(self, n: int, seed: int) -> ad.AnnData:
        """The cells of `counts`, 10,000 a cell and logged."""
        data = self.counts(n, seed)
        X = data.X
        totals = np.asarray(X.sum(axis=1)).ravel().clip(min=1)
        X.data = np.log1p(X.data * np.repeat(1e4 / totals, np.diff(X.indptr)).astype(np.float32))
        return data

    def write(self, path: Path, n: int, seed: int) -> None:
        """The cells of `counts` into an h5ad file, a block at a time."""
        with h5py.File(path, "w") as file:
            file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
            X = file.create_group("X")
            X.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": (n, N_GENES)})
            for name, dtype in (("data", np.float32), ("indices", np.int32)):
                X.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(CHUNK,))
            codes, sizes, end = [], [np.zeros(1, np.int64)], 0
            for block, own in self.blocks(n, seed):
                for name in ("data", "indices"):
                    X[name].resize((end + block.nnz,))
                    X[name][end:] = getattr(block, name)
                end += block.nnz
                codes.append(own)
                sizes.append(np.diff(block.indptr))
            X.create_dataset("indptr", data=np.cumsum(np.concatenate(sizes)).astype(np.int64))
            ad.io.write_elem(file, "obs", self.obs(np.concatenate(codes)))
            ad.io.write_elem(file, "var", var())


def var() -> pd.DataFrame:
    return pd.DataFrame(index=[f"gene {i}" for i in range(N_GENES)])


def size_of(X: Any) -> int:
    return int(X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)
