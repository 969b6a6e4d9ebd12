"""What a reader of stored results needs of an AnnData, so that it looks at nothing below this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._data.matrix import check_adata, resolve_rep
from sc_annotate._data.obs import check_column, in_memory, obs_of, read_labels, var_of
from sc_annotate._vocabulary.conditions import SEPARATOR, as_targets, names_of

if TYPE_CHECKING:
    from anndata import AnnData

BASES = ("umap", "tsne", "pca", "spatial")
"""Where to draw the cells: the first that there is. Places in a tissue come last, as they are no embedding."""


def embedding_of(adata: AnnData) -> str | None:
    """Name in ``obsm`` of what cells are drawn on unless told otherwise."""
    for name in BASES:
        if name in adata.obsm or f"X_{name}" in adata.obsm:
            return resolve_rep(adata, name)
    return None


__all__ = [
    "BASES",
    "SEPARATOR",
    "as_targets",
    "check_adata",
    "check_column",
    "embedding_of",
    "in_memory",
    "names_of",
    "obs_of",
    "read_labels",
    "resolve_rep",
    "var_of",
]
