"""Tables of features of genes or targets, as predictors take them."""

from __future__ import annotations

from typing import Any

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.predictors import Embedding


def embedding_of(table: Any, *, argument: str) -> Embedding | None:
    """A DataFrame (names x dimensions), or a pair of an AnnData and a key of its ``varm`` or ``obsm``."""
    import pandas as pd

    if table is None or isinstance(table, Embedding):
        return table
    if isinstance(table, tuple | list) and len(table) == 2 and hasattr(table[0], "varm"):
        adata, key = table
        for mapping, names in ((adata.varm, adata.var_names), (adata.obsm, adata.obs_names)):
            if key in mapping:
                table = pd.DataFrame(np.asarray(mapping[key]), index=names)
                break
        else:
            raise InputError(f"{argument}: neither varm nor obsm of the AnnData has {key!r}.")
    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"{argument} must be a DataFrame (genes or targets x dimensions) or a pair (adata, key of varm), not "
            f"{type(table).__name__}."
        )
    names = np.asarray(table.index.astype(str), dtype=np.str_)
    try:
        values = table.to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{argument} has columns that are no numbers ({error}).") from error
    if len(set(names.tolist())) < len(names):
        raise InputError(f"{argument} has names that occur twice. Keep one row for each.")
    if not np.isfinite(values).all() or not values.size:
        raise InputError(f"{argument} is empty, or has NaN or infinite values. Leave those rows out.")
    return Embedding(names=names, values=values)
