"""Stored labels and probabilities, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_annotation, read_probabilities

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
    ['label', 'confidence', 'status', 'set_size', 'unfamiliarity', 'model']
    """
    return read_annotation(adata, key)
