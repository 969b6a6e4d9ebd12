"""Open the matrix of an annotation again, as `annotate` did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sc_annotate._data.gene_match import MIN_SHARED_FRACTION
from sc_annotate._data.read import open_input
from sc_annotate._store.expression import matrix_request
from sc_annotate.annotation.fitted import Query
from sc_annotate.annotation.predict import align

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.transform import Transform
    from sc_annotate.annotation.fitted import EvidenceModel


@dataclass(frozen=True)
class OpenedMatrix:
    """A matrix, the transform to the model's scale, and the column of each gene of the model (-1: none)."""

    X: Any
    names: NDArray[np.str_]
    transform: Transform
    columns: NDArray[np.intp]


def open_again(adata: AnnData, params: Mapping[str, Any], model: EvidenceModel) -> OpenedMatrix:
    """The matrix that the stored parameters name, aligned to the genes of the model."""
    matrix = matrix_request(params)
    tables = [adata.var, *([adata.raw.var] if adata.raw is not None else [])]
    # The column may have been one of the reference alone.
    symbols = matrix.gene_symbols if any(matrix.gene_symbols in table for table in tables) else None
    matrix = matrix.but(gene_symbols=symbols, use_rep=None)
    query = Query(adata, matrix, open_input(adata, matrix))
    aligned = align(query, model, float(params.get("min_overlap", MIN_SHARED_FRACTION)))
    source = query.found.source
    return OpenedMatrix(source.X, source.names, aligned.scale, aligned.columns)
