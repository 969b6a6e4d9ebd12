"""A report of a stored annotation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate.annotation.report import Report, report_of

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Report", "report"]


@documented()
def report(adata: AnnData, key: str = DEFAULT_KEY) -> Report:
    """Summarise an annotation: labels, calibration, held-out scores of the method, and problems of the data.

    Parameters
    ----------
    adata
        An annotated object.
    %(key)s

    Returns
    -------
    A small report that prints.

    Raises
    ------
    StorageError
        No such result.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid")
    >>> sca.get.report(query)  # doctest: +ELLIPSIS
    annotation: 200 cells, nearest_centroid, ...
    """
    return report_of(adata, key)
