"""Scaled values, residuals and fold changes: what has negative values, or genes of one variance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._data.signs import FEW_CELLS

if TYPE_CHECKING:
    from scipy import sparse

    from sc_annotate._data.signs import Detected


def detect_negative(sample: sparse.csr_matrix) -> Detected:
    """Kind and reason of values some of which are below 0."""
    n = sample.shape[0]
    if n < FEW_CELLS:
        return "negative", None, "negative values; too few cells to distinguish scaled values from others", None
    if unit_variance(sample):
        if _share_a_minimum(sample):
            return "scaled", None, "negative values, and the genes have standard deviation 1", None
        # Scaling moves the zeros of a gene to one value; residuals are lower where more was expected.
        reason = (
            "negative values; the genes have standard deviation 1, but cells do not share the smallest value of a gene"
        )
        return "negative", None, f"{reason}: residuals, or values that were scaled after regression", None
    n_cells = len(np.unique(sample.nonzero()[0][sample.data < 0]))
    of = "" if n_cells > 0.95 * n else f" in {n_cells} of {n} sampled cells"
    return "negative", None, f"negative values{of}, without the unit variance of scaled data", None


def unit_variance(sample: sparse.csr_matrix) -> bool:
    """Whether nearly all genes have standard deviation 1, as ``scanpy.pp.scale`` leaves them."""
    if sample.shape[0] < FEW_CELLS:
        return False
    mean = np.asarray(sample.mean(axis=0)).ravel()
    square = np.asarray(sample.multiply(sample).mean(axis=0)).ravel()
    sd = np.sqrt(np.maximum(square - mean**2, 0))
    sd = sd[sd > 0]
    # Sampling, clipping at 10 and subsets of cells move it, hence the wide band.
    return len(sd) > 0 and bool(np.median(np.abs(sd - 1)) < 0.25) and bool(np.mean((sd > 0.4) & (sd < 1.7)) > 0.8)


def _share_a_minimum(sample: sparse.csr_matrix) -> bool:
    """Whether cells share the smallest value of most genes, as the zeros do that scaling moves."""
    some = sample[:, np.unique(np.linspace(0, sample.shape[1] - 1, 200).astype(np.intp))].toarray()
    low = some.min(axis=0)
    return bool(np.median((some <= low + 1e-6 * np.abs(low)).mean(axis=0)) > 2.5 / some.shape[0])
