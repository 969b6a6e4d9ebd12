"""Highly variable genes of an array, by scanpy."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray


def variable_genes(X: Any, n_top: int | None, batch: NDArray[np.str_] | None = None) -> NDArray[np.intp]:
    """Columns of the `n_top` most variable genes (scanpy's ``seurat`` flavour), ascending.

    All columns where `n_top` is None or no smaller than their number. With `batch`, genes that vary within
    batches are preferred; batches of fewer than 10 cells would make dispersions of noise, so then `batch` is
    left aside.
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
        if len(sizes) > 1 and sizes.min() >= 10:
            obs["batch"] = pd.Categorical(batch)
            batch_key = "batch"
    with warnings.catch_warnings():
        # Constant genes make scanpy divide by zero; it then ranks them last, which is what is wanted.
        warnings.simplefilter("ignore")
        data = AnnData(sparse.csr_matrix(X) if sparse.issparse(X) else X, obs=obs)
        table = sc.pp.highly_variable_genes(data, n_top_genes=n_top, batch_key=batch_key, inplace=False)
    chosen = np.flatnonzero(np.asarray(table["highly_variable"], dtype=bool))
    if len(chosen) == n_top:
        return chosen
    # Ties at the cut-off let scanpy return a few more or less; keep the most dispersed ones.
    score = np.nan_to_num(np.asarray(table["dispersions_norm"], dtype=float), nan=-np.inf)
    return np.sort(np.argsort(-score, kind="stable")[:n_top])
