"""The optional hook of an annotator that says which genes pushed each call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, issparse

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DELETED = 10
"""Genes of each cell that are deleted."""


def evidence_faults(model: Any, X: NDArray[np.float32], proba: Callable[[Any], NDArray[np.float32]]) -> list[str]:
    """What is wrong with ``model.gene_evidence``; nothing where a model has none."""
    hook = getattr(model, "gene_evidence", None)
    if hook is None:
        return []
    before = proba(X)
    codes = before.argmax(axis=1)
    found = []
    for given in (X.copy(), csr_matrix(X)):
        E = hook(given, codes)
        if getattr(E, "shape", None) != X.shape:
            return [f"gene_evidence returned the shape {getattr(E, 'shape', None)}, not {X.shape}"]
        dense = np.asarray(E.toarray() if issparse(E) else E)
        if dense.dtype != np.float32 or not np.isfinite(dense).all():
            return [f"gene_evidence must be finite and float32, not {dense.dtype}"]
        found.append(dense)
    faults = []
    if not np.allclose(found[0], found[1], rtol=1e-2, atol=1e-3 * np.abs(found[0]).max()):
        faults.append("gene_evidence of dense and of CSR cells differs")
    if found[0][X == 0].any():
        faults.append("gene_evidence is not 0 where a gene has no value")
    rows = np.arange(len(X))

    def without(order: NDArray[np.intp]) -> float:
        changed = X.copy()
        np.put_along_axis(changed, order[:, :DELETED], 0, axis=1)
        return float(proba(changed)[rows, codes].mean())

    order = np.argsort(-found[0], axis=1, kind="stable")
    if without(order) > without(order[:, ::-1]):
        faults.append("the genes with the most evidence lower that label's probability less than those with the least")
    return faults
