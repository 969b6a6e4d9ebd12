"""Find the matrix a user means: `X`, a layer, `.raw` or a representation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import Request, boolean, default
from sc_annotate._core.arrays import check_layout, with_columns
from sc_annotate._core.codec import check_texts
from sc_annotate._data.obs import check_tables
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.features import Features


Stated = Literal["counts", "log1p", "log2", "log10", "linear"]
"""What a caller may say that a matrix holds."""
FEATURE_COLUMNS = ("feature_types", "feature_type", "modality")
"""Columns of ``var`` that say what a feature is, as Cell Ranger, muon, scanpy and scvi-tools name them."""


@dataclass(frozen=True, kw_only=True)
class MatrixRequest(Request):
    """How to read a matrix: ``X``, a layer, ``.raw`` or a representation, with the names of its genes and its scale.

    Whether what is named exists is checked where the object is opened, since only then it is known.
    """

    layer: str | None = default(None)
    use_raw: bool | None = default(None)
    use_rep: str | None = default(None)
    gene_symbols: str | None = default(None)
    total_counts_key: str | None = default(None)
    values: Stated | None = default(None)

    def check(self) -> None:
        """Refuse values of the wrong type."""
        for name in ("layer", "use_rep", "gene_symbols", "total_counts_key", "values"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise InputError(f"{name} must be a name or None, not {value!r}.")
            check_texts([value], name, InputError)
        if self.use_raw is not None:
            boolean(self.use_raw, "use_raw")


@dataclass(frozen=True)
class Source:
    """A matrix inside an AnnData: what it holds, where it was found, and how its columns are called.

    Where features other than genes were left out, `features` says which, and all else is of the genes.
    """

    X: Any
    where: str
    names: NDArray[np.str_]
    var: pd.DataFrame | None = None
    features: Features | None = None
    cells: pd.Index | None = None

    @property
    def n_cells(self) -> int:
        return int(self.X.shape[0])

    @property
    def n_columns(self) -> int:
        return int(self.X.shape[1])

    @property
    def is_embedding(self) -> bool:
        return self.var is None


@dataclass(frozen=True)
class Place:
    """How a matrix, its genes and its cells are called in messages. The machines of a cluster are not sent the names."""

    where: str
    genes: NDArray[np.str_] | None = None
    cells: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"where": self.where, "genes": None, "cells": None}


def check_adata(adata: Any, *, what: str) -> None:
    """Refuse what is no AnnData, is empty, or is a view of a file."""
    from anndata import AnnData

    if type(adata).__name__ == "MuData":
        raise InputError(f"{what} is a MuData; pass one modality, such as mdata['rna'].")
    if not isinstance(adata, AnnData):
        raise InputError(f"{what} must be an AnnData, not {type(adata).__name__}.")
    if adata.n_obs == 0 or adata.n_vars == 0:
        raise InputError(
            f"{what} is empty: {adata.n_obs} cells x {adata.n_vars} genes. Check the filters before this call."
        )
    if adata.isbacked and adata.is_view:
        raise InputError(
            f"{what} is a view of a backed AnnData, which cannot hold new columns. Use `.to_memory()` on the view first."
        )
    check_tables(adata, what=what)


def find(
    adata: AnnData,
    *,
    layer: str | None = None,
    use_raw: bool | None = None,
    use_rep: str | None = None,
    what: str = "adata",
) -> Source:
    """The matrix that the arguments name; at most one of them."""
    named = [
        name
        for name, used in (("layer", layer is not None), ("use_raw", bool(use_raw)), ("use_rep", use_rep is not None))
        if used
    ]
    for name, value in (("layer", layer), ("use_rep", use_rep)):
        if value is not None and not isinstance(value, str):
            raise InputError(f"{name} must be a name, not {value!r}.")
    if len(named) > 1:
        raise InputError(f"{' and '.join(named)} were both passed for {what}; choose one.")
    if use_rep is not None:
        return _representation(adata, use_rep, what)
    if layer is not None:
        if layer not in adata.layers:
            have = ", ".join(repr(name) for name in adata.layers if name is not None) or "none"
            raise InputError(f"{what}.layers has no {layer!r}; there are: {have}.")
        return _of_genes(adata, _held(adata, lambda x: x.layers[layer], what), f"layers[{layer!r}]", adata.var, what)
    if use_raw:
        if adata.raw is None:
            raise InputError(f"{what}.raw is empty, so use_raw=True cannot be met. Leave it out, or name a layer.")
        return _of_genes(adata, _held(adata, lambda x: x.raw.X, what), "raw.X", adata.raw.var, f"{what}.raw")
    # Of a file without a matrix, `X` is an error of its reader.
    X = _held(adata, lambda x: None if _lacks_matrix(x) else x.X, what)
    if X is None:
        have = ", ".join(repr(name) for name in adata.layers if name is not None) or "none"
        raise InputError(f"{what}.X is empty; name a layer (there are: {have}).")
    return _of_genes(adata, X, "X", adata.var, what)


def _lacks_matrix(adata: AnnData) -> bool:
    """Whether the file of a backed object has no matrix; of a closed one that is not known yet."""
    return bool(adata.isbacked and adata.file.is_open and "X" not in adata.file)


def _held(adata: AnnData, take: Callable[[AnnData], Any], what: str) -> Any:
    """A matrix of an object; of a view the parent's is checked first, since compiled code of scipy subsets it."""
    try:
        if adata.is_view:
            check_layout(take(adata._adata_ref), f"what {what} is a view of")
        X = take(adata)
        if hasattr(X, "dask") or hasattr(X, "store") or hasattr(X, "group"):
            from sc_annotate._core.zarr_chunks import check_stored

            check_stored(X)
        return X
    except Exception as error:
        from sc_annotate._core.broken import unreadable

        raise unreadable(adata, error) from error


def _of_genes(adata: AnnData, X: Any, where: str, var: pd.DataFrame, what: str) -> Source:
    """A matrix of genes; other features are left out."""
    columns = [name for name in FEATURE_COLUMNS if name in var.columns]
    if not columns:
        return Source(X, where, _strings(var.index), var, cells=adata.obs_names)
    from sc_annotate._data.features import features

    found = features(var, columns, what=what)
    if found is None:
        return Source(X, where, _strings(var.index), var, cells=adata.obs_names)
    var = var.iloc[found.columns]
    return Source(with_columns(X, found.columns), where, _strings(var.index), var, found, adata.obs_names)


def resolve_rep(adata: AnnData, name: str, *, what: str = "adata") -> str:
    """The key in ``obsm`` that `name` means: as it is, with ``X_`` before it, or without."""
    for key in (name, f"X_{name}", name.removeprefix("X_")):
        if key in adata.obsm:
            return key
    have = ", ".join(map(repr, adata.obsm)) or "none"
    raise InputError(f"{what}.obsm has no representation {name!r} (nor with or without 'X_'); there are: {have}.")


def _representation(adata: AnnData, name: str, what: str) -> Source:
    key = resolve_rep(adata, name, what=what)
    X = _held(adata, lambda x: x.obsm[key], what)
    columns = [str(c) for c in X.columns] if hasattr(X, "columns") else None
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()
    if getattr(X, "ndim", 0) != 2:
        raise InputError(f"{what}.obsm[{key!r}] must have two dimensions, cells x columns. Name another with use_rep=.")
    # The name without its prefix, so that "X_pca" of one object and "pca" of another are the same space.
    stem = key.removeprefix("X_")
    if X.shape[1] == 0:
        raise InputError(f"{what}.obsm[{key!r}] has no columns. Name another representation with use_rep=.")
    return Source(
        X, f"obsm[{key!r}]", np.array([f"{stem}_{i}" for i in columns or range(X.shape[1])]), cells=adata.obs_names
    )


def _strings(index: pd.Index) -> NDArray[np.str_]:
    """Names as text; a missing one is empty, so that it equals no other."""
    names = np.asarray(index.astype(str), dtype=str)
    return np.where(np.asarray(index.isna()), "", names)
