"""Look at an object before anything is computed from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import default, public
from sc_annotate._data.inspection import Inspection, inspected
from sc_annotate._data.matrix import MatrixRequest

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Inspection", "inspect"]


@public
def inspect(
    adata: AnnData,
    *,
    layer: str | None = default(None),
    use_raw: bool | None = default(None),
    use_rep: str | None = default(None),
    gene_symbols: str | None = default(None),
) -> Inspection:
    """Say what a matrix holds: counts, logarithms (of which base), scaled or broken values; and how genes are called.

    A sample of about 500 cells is read, so a million cells, or a file that is not in memory, take milliseconds. Nothing
    is changed.

    Parameters
    ----------
    adata
        Cells x genes; in memory, backed or dask.
    layer, use_raw, use_rep
        Which matrix; by default ``X``, or ``.raw`` where ``X`` is scaled and ``.raw`` is not. At most one of them.
    gene_symbols
        Column of ``adata.var`` with other names of the genes.

    Returns
    -------
    A small report that prints; ``report.values.kind`` is ``"counts"``, ``"log1p"``, ``"linear"`` (normalised, not logged),
    ``"scaled"``, ``"negative"``, ``"zero"`` or ``"embedding"``.

    Raises
    ------
    InputError
        Not an AnnData, an empty one, or a matrix that is not there.

    Examples
    --------
    >>> import scanpy as sc
    >>> import sc_annotate as sca
    >>> report = sca.pp.inspect(sc.datasets.pbmc68k_reduced())
    >>> report.values.kind, report.values.where, report.values.base
    ('log1p', 'raw.X', 'e')
    """
    matrix = MatrixRequest(layer=layer, use_raw=use_raw, use_rep=use_rep, gene_symbols=gene_symbols)
    return inspected(adata, matrix)
