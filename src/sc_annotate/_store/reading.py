"""What a reader of stored results needs of an AnnData, so that it looks at nothing below this package."""

from __future__ import annotations

from sc_annotate._data.matrix import check_adata, resolve_rep
from sc_annotate._data.obs import check_column, in_memory, obs_of, read_labels, var_of
from sc_annotate._vocabulary.conditions import SEPARATOR, as_targets, names_of

__all__ = [
    "SEPARATOR",
    "as_targets",
    "check_adata",
    "check_column",
    "in_memory",
    "names_of",
    "obs_of",
    "read_labels",
    "resolve_rep",
    "var_of",
]
