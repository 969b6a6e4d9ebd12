"""Read back how genes were renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._data.matrix import check_adata
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def read_gene_mapping(adata: AnnData, key: str) -> pd.DataFrame:
    """The table of old and new names, a copy."""
    import pandas as pd

    check_adata(adata, what="adata")
    stored = adata.uns.get(key)
    if not isinstance(stored, dict) or not isinstance(stored.get("table"), pd.DataFrame):
        raise StorageError(
            f"adata.uns has no {key!r}: its genes were not renamed. `sca.pp.map_genes(adata, ...)` returns a new object "
            "that has it."
        )
    table: pd.DataFrame = stored["table"].reset_index(drop=True)
    return table.astype(object)
