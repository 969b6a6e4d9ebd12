"""Columns of a matrix under their new names: chosen, and added where several have one name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core.arrays import check_layout
from sc_annotate._data.stream import on_disk
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._vocabulary.gene_ids.mapping import GeneMapping


@dataclass(frozen=True)
class Columns:
    """Makes the columns of a mapping out of those of a block of rows.

    ``unlog`` is the base of the logarithm that the values have: merged values are added before it. A column that stands
    for one old gene keeps its values bit for bit.
    """

    code: NDArray[np.intp]
    first: NDArray[np.intp]
    unlog: float | None = None

    def __call__(self, X: Any) -> Any:
        n = np.bincount(self.code[self.code >= 0], minlength=len(self.first))
        alone, merged = np.flatnonzero(n == 1), np.flatnonzero(n > 1)
        if not merged.size:
            return X[:, self.first]
        summed = np.flatnonzero(np.isin(self.code, merged))
        sums = self._added(X[:, summed], np.searchsorted(merged, self.code[summed]), len(merged))
        dtype = _roomy(X.dtype)
        order = np.argsort(np.concatenate([alone, merged]))
        if not sparse.issparse(X):
            out = np.empty((X.shape[0], len(self.first)), dtype=dtype, order="F" if X.flags.f_contiguous else "C")
            out[:, alone], out[:, merged] = X[:, self.first[alone]], sums
            return out
        parts = [X[:, self.first[alone]].astype(dtype), sums.astype(dtype)]
        out = type(X)(sparse.hstack(parts, format=X.format)[:, order])
        out.sort_indices()
        return out

    def _added(self, X: Any, group: NDArray[np.intp], n: int) -> Any:
        """Sums of columns, on the linear scale."""
        exact = np.float64 if X.dtype.kind == "f" or self.unlog is not None else np.int64
        X = X.astype(exact)
        shape = (len(group), n)
        family = sparse.csr_array if isinstance(X, sparse.sparray) or not sparse.issparse(X) else sparse.csr_matrix
        groups = family((np.ones(len(group), exact), (np.arange(len(group)), group)), shape=shape)
        if not sparse.issparse(X):
            return self._log(np.asarray(self._linear(X) @ groups))
        X.sum_duplicates()
        X.data = self._linear(X.data)
        out = X @ groups
        out.data = self._log(out.data)
        return out

    def _linear(self, values: NDArray[Any]) -> NDArray[Any]:
        return values if self.unlog is None else np.expm1(values * np.log(self.unlog))

    def _log(self, values: NDArray[Any]) -> NDArray[Any]:
        return values if self.unlog is None else np.log1p(values) / np.log(self.unlog)


def _roomy(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """A type that sums of a few values fit into."""
    if dtype.kind in "biu":
        return np.promote_types(dtype, np.uint32 if dtype.kind == "u" else np.int32)
    return np.promote_types(dtype, np.float32)


def remap(X: Any, mapping: GeneMapping, *, unlog: float | None, where: str) -> Any:
    """A matrix, in memory or of Dask, with the columns of a mapping; blocks of a Dask array are made when they are read."""
    columns = Columns(mapping.code, mapping.first, unlog)
    if hasattr(X, "dask"):
        from sc_annotate._core.lazy import checked

        X = checked(X, check_layout).rechunk({1: -1})
        dtype = _roomy(X.dtype) if mapping.merges else X.dtype
        return X.map_blocks(columns, dtype=dtype, chunks=(X.chunks[0], (len(mapping.genes),)), meta=X._meta)
    if on_disk(X):
        raise InputError(
            f"{where} is in a file, and map_genes makes a new object in memory. Pass `adata.to_memory()`; for data larger "
            "than memory pass what `anndata.experimental.read_lazy` reads, which stays where it is."
        )
    if sparse.issparse(X) and X.format not in ("csr", "csc"):
        X = X.tocsr()
    return columns(X)
