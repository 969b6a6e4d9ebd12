"""Groups of cells, from a column of ``obs``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.settings import counted
from sc_annotate._data.obs import check_column
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Groups:
    """Names of the groups, sorted, and the group of each cell."""

    names: NDArray[np.str_]
    code: NDArray[np.int32]


def read_groups(adata: AnnData, groupby: str) -> Groups:
    """The groups in a column; a cell without a group is an error."""
    column = check_column(adata, groupby, argument="groupby")
    if column.isna().any():
        raise InputError(
            f"adata.obs[{groupby!r}] (groupby) is missing for {counted(int(column.isna().sum()), 'cell')}. Give them a group, or leave "
            "them out."
        )
    names, code = np.unique(np.asarray(column.astype(str), dtype=str), return_inverse=True)
    return Groups(names, code.astype(np.int32))
