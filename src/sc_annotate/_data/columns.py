"""Columns of ``obs`` that a user named."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def check_column(adata: AnnData, column: str, *, argument: str, what: str = "adata") -> pd.Series:
    """A column of ``obs`` that a user named."""
    import pandas as pd

    if not isinstance(column, str) or column not in adata.obs:
        near = difflib.get_close_matches(str(column), list(map(str, adata.obs)), n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise InputError(
            f"{what}.obs has no column {column!r} ({argument}). {hint}There are: {', '.join(map(repr, adata.obs)) or 'none'}."
        )
    values = adata.obs[column]
    if isinstance(values, pd.DataFrame):
        raise InputError(f"{what}.obs has {values.shape[1]} columns named {column!r} ({argument}). Rename all but one.")
    return values if isinstance(values, pd.Series) else pd.Series(np.asarray(values), index=adata.obs_names)
