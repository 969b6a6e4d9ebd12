"""Say which value of which cell and gene is no measurement, once one was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import Place

FEW = 3
"""Of fewer cells a value too large for a logarithm is an error of its own, of more a sign that they are not logged."""


def fault(block: Any, where: slice | NDArray[np.intp], place: Place | None, largest: float, *, logged: bool) -> str:
    """What is wrong with a block of cells that holds a value that is not finite, or larger than `largest` without its sign."""
    name = "the matrix" if place is None else place.where
    values = np.asarray(block.data if sparse.issparse(block) else block)
    n_nan, n_inf = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    if n_nan or n_inf:
        first = _named(block, ~np.isfinite(values), where, place)
        return (
            f"{name} holds {n_nan} NaN and {n_inf} infinite values in a block of cells, the first {first}. Replace them (NaN "
            "from a join usually mean 0: `adata.X = np.nan_to_num(adata.X)`) or drop those cells."
        )
    # What is far below 0 may run over too when it becomes float32.
    wrong = np.abs(values) > largest
    first = _named(block, wrong, where, place)
    n_cells = len(np.unique(_rows(block, wrong)))
    if logged and n_cells >= FEW:
        return (
            f"{name} was taken for logarithms, as most of its cells are, but {n_cells:,} of {block.shape[0]:,} cells of a block "
            f"are not logged, with values up to {values.max():.4g} (the first {first}). Bring all cells to one scale before they "
            "are joined."
        )
    return (
        f"{name} holds {first}, which is too large {'for a logarithm' if logged else 'for a measurement'}. Correct it, or drop "
        "that cell."
    )


def first_not_finite(X: Any, chosen: NDArray[np.intp], place: Place) -> str:
    """The first value of a sample that is not finite, in words."""
    wrong = ~np.isfinite(X.data if sparse.issparse(X) else X)
    return _named(X, wrong, chosen, place)


def _rows(block: Any, wrong: NDArray[np.bool_]) -> NDArray[np.intp]:
    if not sparse.issparse(block):
        return np.nonzero(wrong)[0]
    return np.searchsorted(block.indptr, np.flatnonzero(wrong), side="right") - 1


def _named(block: Any, wrong: NDArray[np.bool_], where: slice | NDArray[np.intp], place: Place | None) -> str:
    """The first of the wrong values, with its gene and cell; by their numbers, from 0, where the names are not known."""
    row = int(_rows(block, wrong)[0])
    if sparse.issparse(block):
        k = int(np.flatnonzero(wrong)[0])
        column, value = int(block.indices[k]), block.data[k]
    else:
        column = int(np.flatnonzero(wrong[row])[0])
        value = block[row, column]
    number = int(where.start or 0) + row if isinstance(where, slice) else int(where[row])
    genes, cells = (None, None) if place is None else (place.genes, place.cells)
    gene = f"number {column:,}" if genes is None else repr(str(genes[column]))
    cell = f"number {number:,}" if cells is None else repr(str(cells[number]))
    return f"{value:.6g} of gene {gene} in cell {cell}"
