"""Real blood cells that come with scanpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy.sparse import csr_matrix

from sc_annotate._core.arguments import public

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["pbmc68k"]


@public
def pbmc68k() -> AnnData:
    """700 blood cells of ten types, log-normalised.

    The sample of the 68,000 blood cells of Zheng et al. that ships inside scanpy, without its scaling: nothing is
    downloaded. Two things to know before drawing conclusions from it. The labels were made by likeness to profiles of
    sorted cells, which flatters linear methods. And only 765 genes are left, so although values are ``log1p`` of counts
    per 10,000, those of a cell do not sum to 10,000 after ``expm1``.

    Returns
    -------
    AnnData, 700 x 765, made again at each call:

    ``X``
        CSR float32, natural log of 1 + counts per 10,000 (of all genes, most of which are not here).
    ``obs["cell_type"]``, ``obs["louvain"]``
        Categoricals: ten types of 8 to 240 cells, and eleven clusters; colours in ``uns["cell_type_colors"]`` and
        ``uns["louvain_colors"]``.
    ``obsm["X_pca"]``, ``obsm["X_umap"]``
        Embeddings computed on the scaled values.
    ``uns["source"]``
        Where the data is from.

    References
    ----------
    Zheng et al. 2017, Nature Communications 8:14049, doi 10.1038/ncomms14049.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> adata.shape, adata.obs["cell_type"].nunique()
    ((700, 765), 10)
    """
    import numpy as np
    import scanpy as sc
    from anndata import AnnData

    stored = sc.datasets.pbmc68k_reduced()
    adata = AnnData(
        X=csr_matrix(stored.raw.X, dtype=np.float32, copy=True),
        obs=stored.obs[["bulk_labels", "louvain"]].rename(columns={"bulk_labels": "cell_type"}),
        var=stored.raw.var[[]].copy(),
        obsm={key: np.array(stored.obsm[key]) for key in ("X_pca", "X_umap")},
        uns={
            "cell_type_colors": np.array(stored.uns["bulk_labels_colors"]),
            "louvain_colors": np.array(stored.uns["louvain_colors"]),
            "source": "Zheng et al. 2017, doi 10.1038/ncomms14049, as scanpy.datasets.pbmc68k_reduced()",
        },
    )
    adata.X.sort_indices()
    adata.obs_names.name = adata.var_names.name = None
    return adata
