"""Over-clustering of the cells that are annotated: many small groups of similar cells, which then vote on one label."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arrays import leading_directions, rows
from sc_annotate._core.extras import install_line
from sc_annotate._data import read
from sc_annotate._data.stream import each_block
from sc_annotate.annotators.variable_genes import variable_genes
from sc_annotate.errors import MissingExtraError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._data.transform import Transform

N_GENES, N_COMPONENTS, N_NEIGHBORS = 2_000, 50, 10
MAX_SAMPLE = 20_000
"""Cells that genes and components are chosen on."""
RESOLUTIONS = ((5_000, 5), (20_000, 10), (40_000, 15), (100_000, 20), (200_000, 25))
"""Below so many cells the resolution is this, as CellTypist over-clusters; and 30 from the last on."""


def check_leiden(why: str = "vote='leiden'") -> None:
    """Refuse to over-cluster where the package that does it is missing, before any work is done."""
    if find_spec("igraph") is None:
        raise MissingExtraError(
            f"{why} needs igraph, which is not installed. Run: {install_line('leiden')}. Or cluster the cells in "
            "another way and pass the name of their column in adata.obs."
        )


def over_clusters(
    adata: AnnData, matrix: MatrixRequest, rng: int, resolution: float | None = None
) -> tuple[NDArray[np.str_], float]:
    """The cluster of each cell, numbered from the largest, and the resolution, by default one that makes many small clusters.

    Leiden communities of the graph of nearest neighbours, in principal components of the most variable genes on the common
    scale, or in the representation that is used. `adata` itself is not touched.
    """
    n = adata.n_obs
    if resolution is None:
        resolution = float(next((value for most, value in RESOLUTIONS if n < most), 30))
    if n <= N_NEIGHBORS:
        return np.full(n, "0"), resolution
    return _leiden(components(adata, matrix, rng), resolution, rng), resolution


@dataclass(frozen=True)
class _Project:
    """Principal components of a block of cells."""

    transform: Transform
    columns: NDArray[np.intp]
    center: NDArray[np.float64]
    directions: NDArray[np.float64]

    def __call__(self, where: slice, block: Any) -> NDArray[np.float32]:
        cells = self.transform(block, where)[:, self.columns]
        return np.asarray(cells @ self.directions.T - self.center @ self.directions.T, dtype=np.float32)


def components(adata: AnnData, matrix: MatrixRequest, rng: int) -> NDArray[np.float32]:
    """Principal components of the most variable genes on the common scale, or the representation that is used."""
    found, scale = read.open_quietly(adata, matrix)
    source, n = found.source, found.source.n_cells
    if source.is_embedding:
        return np.asarray(rows(source.X, slice(0, n)), dtype=np.float32)
    some = np.arange(n)
    if n > MAX_SAMPLE:
        some = np.sort(np.random.default_rng(rng).choice(n, MAX_SAMPLE, replace=False))
    sample = read.read_rows(source, scale, np.arange(source.n_columns), some, progress="reading cells to cluster")
    genes = variable_genes(sample, N_GENES)
    sample = sample[:, genes].astype(np.float64)
    center = np.asarray(sample.mean(axis=0)).ravel()
    k = min(N_COMPONENTS, *(size - 1 for size in sample.shape))
    project = _Project(scale, genes, center, leading_directions(sample, center, max(1, k), rng)[1])
    parts = [part for _, part in each_block(project, [source.X], progress="components of all cells")]
    return np.concatenate(parts)


def _leiden(places: NDArray[np.float32], resolution: float, rng: int) -> NDArray[np.str_]:
    import scanpy as sc

    cells, seed = neighbours(places, rng), rng % 2**31
    with warnings.catch_warnings():
        # Of what other packages will change.
        warnings.simplefilter("ignore")
        sc.tl.leiden(cells, resolution=resolution, flavor="igraph", n_iterations=2, directed=False, random_state=seed)
    return np.asarray(cells.obs["leiden"].astype(str), dtype=str)


def neighbours(places: NDArray[np.float32], rng: int) -> AnnData:
    """An object of nothing but the components of the cells and the graph of their nearest neighbours."""
    import pandas as pd
    import scanpy as sc
    from anndata import AnnData

    obs = pd.DataFrame(index=pd.RangeIndex(len(places)).astype(str))
    cells = AnnData(obs=obs, obsm={"X_pca": places})
    with warnings.catch_warnings():
        # Deprecation warnings of other packages.
        warnings.simplefilter("ignore")
        sc.pp.neighbors(cells, n_neighbors=N_NEIGHBORS, use_rep="X_pca", random_state=rng % 2**31)
    return cells
