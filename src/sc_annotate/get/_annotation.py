"""Stored labels and probabilities, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_annotation, read_probabilities
from sc_annotate.annotation.tables import clusters as table_of_clusters

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@documented()
def probabilities(adata: AnnData, key: str = DEFAULT_KEY) -> pd.DataFrame:
    """Probabilities of all types, with their names.

    Parameters
    ----------
    adata
        An annotated object.
    %(key)s

    Returns
    -------
    Cells x types, float32; NaN for pre-labelled cells.

    Raises
    ------
    StorageError
        No such result, or one whose columns do not belong to its cells any more: ``anndata.concat`` stacks the
        probabilities of different models silently, and this refuses to name them.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sca.get.probabilities(query).shape
    (200, 10)
    """
    return read_probabilities(adata, key)


@documented()
def annotation(adata: AnnData, key: str = DEFAULT_KEY) -> pd.DataFrame:
    """Labels with their confidence, status and other columns, as a tidy table.

    Parameters
    ----------
    adata
        An annotated object.
    %(key)s

    Returns
    -------
    One row a cell, with those of the following columns that exist: ``label``, ``confidence``, ``status``, ``set_size``,
    ``unfamiliarity``, ``low_quality``, ``disagreement``, ``voted``, ``voted_share``, ``rollup``,
    ``rollup_confidence``, ``rollup_ontology_term_id``, ``model``; then each coarser level by its name, with
    ``{level}_confidence``. Works for concatenated objects too, without the levels: ``model`` says which model labelled a cell.

    Raises
    ------
    StorageError
        No such result.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> list(sca.get.annotation(query))
    ['label', 'confidence', 'status', 'set_size', 'unfamiliarity', 'group', 'model']
    """
    return read_annotation(adata, key)


@documented()
def clusters(
    adata: AnnData, key: str = DEFAULT_KEY, *, groupby: str | None = None, top: int | None = None
) -> pd.DataFrame:
    """Which cluster is what: the labels in each cluster, the most common first.

    Parameters
    ----------
    adata
        An annotated object.
    %(key)s
    groupby
        Column of ``adata.obs`` with the clusters, or any other groups. Cells without a group are left out. By default the
        groups that voted (``annotate(..., vote=)``, :func:`sc_annotate.tl.vote`) or that marker lists labelled
        (``annotate_markers(..., groupby=)``); needed where there are none.
    top
        Number of labels of each cluster, the most common; by default all. ``top=1`` is one row a cluster.

    Returns
    -------
    One row for each cluster and label: ``cluster``, in natural order (``"9"`` before ``"10"``); ``cluster_size``, its
    cells; ``rank``, 1 for the most common label; ``label``; ``n_cells`` and ``share`` of the cluster with that label;
    ``confidence``, their mean confidence (NaN where all were pre-labelled). Where a status was stored, ``unfamiliar`` and
    ``low_quality`` are the shares of the whole cluster that are out of distribution or of low quality.

    Raises
    ------
    StorageError
        No such result.
    InputError
        No such column, or one without values.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid")
    >>> table = sca.get.clusters(query, groupby="louvain", top=1)
    >>> table[["cluster", "label", "n_cells"]].head(2).values.tolist()
    [['0', 'CD4+/CD25 T Reg', 22], ['1', 'CD14+ Monocyte', 27]]
    """
    return table_of_clusters(adata, key, groupby, top)
