"""Objects that were read lazily: their tables in memory, their matrices where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anndata import AnnData


def is_lazy(adata: AnnData) -> bool:
    """Whether ``obs`` is no DataFrame, as ``anndata.experimental.read_lazy`` leaves it."""
    import pandas as pd

    return not isinstance(adata.obs, pd.DataFrame)


def with_tables(adata: AnnData) -> AnnData:
    """`adata`, or, where it was read lazily, one with the same matrices and with ``obs`` and ``var`` in memory."""
    if not is_lazy(adata):
        return adata
    from anndata import AnnData

    obs, var = adata.obs.to_memory(), adata.var.to_memory()
    layers = {name: X for name, X in adata.layers.items() if name is not None}
    return AnnData(X=adata.X, obs=obs, var=var, uns=dict(adata.uns), obsm=dict(adata.obsm), layers=layers)
