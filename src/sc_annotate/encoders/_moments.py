"""Means and scales of genes, over blocks of cells; the mean of each gene in each batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, issparse

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def mean_and_factor(blocks: Iterable[Any], floor: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of each gene, and 1 over its standard deviation or over `floor` where that is larger; 0 for a constant gene."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler(with_mean=False)
    for X in blocks:
        scaler.partial_fit(X.astype(np.float64))
    sd = np.sqrt(scaler.var_)
    varies = sd > 1e-6 * (np.abs(scaler.mean_) + sd)
    return np.asarray(scaler.mean_), np.divide(1.0, np.maximum(sd, floor), out=np.zeros_like(sd), where=varies)


def batch_means(X: Any, batch: NDArray[np.str_] | None) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Batch of each cell, by number, and the mean of each gene in each batch."""
    if batch is None:
        raise InputError("center_batches takes off the mean of each batch: name the batches (batch_key).")
    names, codes = np.unique(np.asarray(batch).astype(str), return_inverse=True)
    n = np.bincount(codes)
    weights = csr_array((1 / n[codes], (codes, np.arange(len(codes)))), shape=(len(names), len(codes)))
    means = weights @ X
    return codes, np.asarray(means.toarray() if issparse(means) else means, dtype=np.float32)


def centred(X: Any, batch: NDArray[np.str_] | None) -> NDArray[np.float32]:
    """The cells with the mean of each gene in their batch taken off, dense."""
    codes, means = batch_means(X, batch)
    dense: NDArray[np.float32] = np.asarray(X.toarray() if issparse(X) else X, dtype=np.float32) - means[codes]
    return dense
