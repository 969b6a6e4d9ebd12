"""Objects that were read lazily: their tables in memory, their matrices where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def is_lazy(adata: AnnData) -> bool:
    """Whether ``obs`` is no DataFrame, as ``anndata.experimental.read_lazy`` leaves it."""
    import pandas as pd

    return not isinstance(adata.obs, pd.DataFrame)


def obs_of(adata: AnnData) -> pd.DataFrame:
    """``obs`` as a table in memory."""
    obs: Any = adata.obs
    if not is_lazy(adata):
        table: pd.DataFrame = obs
        return table
    table = obs.to_memory()
    if table.index.name == "_index":  # what files call an index without a name
        table.index.name = None
    return table


def in_memory(value: Any) -> Any:
    """An entry of ``uns`` whose arrays and tables were read lazily, with all of them in memory; others as they are."""
    if isinstance(value, dict):
        found = {name: in_memory(v) for name, v in value.items()}
        return found if any(found[name] is not v for name, v in value.items()) else value
    for read in ("to_memory", "compute"):  # a table of anndata, an array of dask
        if hasattr(value, read):
            return getattr(value, read)()
    return value


def with_tables(adata: AnnData) -> AnnData:
    """`adata`, or, where it was read lazily, one with the same matrices and with ``obs`` and ``var`` in memory."""
    if not is_lazy(adata):
        return adata
    from anndata import AnnData

    obs, var = obs_of(adata), adata.var.to_memory()
    layers = {name: X for name, X in adata.layers.items() if name is not None}
    return AnnData(X=adata.X, obs=obs, var=var, uns=in_memory(dict(adata.uns)), obsm=dict(adata.obsm), layers=layers)
