"""Which genes push a cell towards a type, for models whose scores are linear in the genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, issparse
from scipy.special import expit, log_expit, softmax

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELLS = 1024
"""Cells whose slopes, cells x genes, are held at a time."""


def check_codes(codes: Any, n_cells: int, n_types: int) -> NDArray[np.intp]:
    """One number of a type a cell, or an InputError."""
    values = np.asarray(codes)
    if values.shape != (n_cells,) or values.dtype.kind not in "iu":
        raise InputError(f"codes must be {n_cells} integers, one a cell, not {values.dtype} of shape {values.shape}.")
    if n_cells and not (values.min() >= 0 and values.max() < n_types):
        raise InputError(
            f"codes must number the {n_types} types from 0; they run from {values.min()} to {values.max()}."
        )
    return values.astype(np.intp)


def slopes(score: NDArray[np.float64], codes: NDArray[np.intp], link: str) -> NDArray[np.float64]:
    """Derivative of the log-odds of type ``codes[i]`` against all others by each score, cells x types.

    The others are weighed by their own probabilities alone. So nothing is lost where the type is all but certain, and the
    derivative of its log probability would be all but 0.
    """
    rows = np.arange(len(codes))
    others = log_expit(score) if link == "sigmoid" else score.copy()
    others[rows, codes] = -np.inf
    out = -softmax(others, axis=1)
    out[rows, codes] = 1.0
    # A sigmoid levels off: the log of one that is near 1 hardly moves any more.
    return out * expit(-score) if link == "sigmoid" else out


def linear_evidence(X: Any, score: Any, coef: NDArray[Any], codes: NDArray[np.intp], link: str) -> Any:
    """Slope of the log-odds by each gene times the gene's value: float32, cells x genes, CSR where `X` is sparse."""
    slope = slopes(np.asarray(score, dtype=np.float64), codes, link)
    parts: list[Any] = []
    for start in range(0, len(codes), _CELLS):
        where = slice(start, start + _CELLS)
        by_gene = (slope[where] @ coef).astype(np.float32)
        part = X[where]
        if issparse(part):
            row = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
            parts.append(part.data * by_gene[row, part.indices])
        else:
            parts.append(part * by_gene)
    if not issparse(X):
        return np.concatenate(parts) if parts else np.zeros(X.shape, dtype=np.float32)
    data = np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)
    return csr_matrix((data.astype(np.float32), X.indices.copy(), X.indptr.copy()), shape=X.shape)
