"""An embedding to draw the cells on, for a file that has none."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._store.reading import embedding_of
from sc_annotate.errors import ScAnnotateError

if TYPE_CHECKING:
    from anndata import AnnData

FEW, MOST = 20, 100_000
"""Cells from which on a UMAP is made, and above which it takes longer than all the rest."""


def add_embedding(adata: AnnData, matrix: dict[str, Any]) -> str:
    """Add a UMAP, or principal components, where there is nothing to draw on; the name of what was added, or "".

    `matrix` are the arguments that say where the values are. The object is that of a command, whose file is written before.
    """
    from sc_annotate.annotation.over_clusters import components, neighbours

    if embedding_of(adata) is not None:
        return ""
    try:
        places = components(adata, MatrixRequest(**matrix), 0)
    except ScAnnotateError:
        return ""  # the picture that is missing says what it needs
    if places.shape[1] < 2:
        return ""
    name, found = "PCA", places[:, :2]
    if FEW <= len(places) <= MOST:
        import scanpy as sc

        cells = neighbours(places, 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sc.tl.umap(cells, random_state=0)
        name, found = "UMAP", cells.obsm["X_umap"]
    adata.obsm[f"X_{name.lower()}"] = found
    return name
