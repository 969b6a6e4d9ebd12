"""The matrix that was annotated, reopened by the recorded parameters: values of some genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy import sparse

from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._data.read import open_on_common_scale, read_rows
from sc_annotate._store.storage import read_uns
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray


def matrix_request(params: Mapping[str, Any]) -> MatrixRequest:
    """The request that ``uns[key]["params"]`` records, as read from memory or from a file."""
    text = {
        name: _text(params.get(name)) for name in ("layer", "use_rep", "gene_symbols", "total_counts_key", "values")
    }
    use_raw = params.get("use_raw")
    return MatrixRequest(use_raw=None if use_raw is None else bool(use_raw), **cast("Any", text))


def read_expression(adata: AnnData, key: str, genes: Sequence[str]) -> NDArray[np.float32]:
    """Values of some genes in all cells, log1p of counts per 10,000, from the matrix that was annotated."""
    matrix = matrix_request(read_uns(adata, key)["params"])
    # The column may have been one of the reference alone; genes are named as in the index here.
    found, transform = open_on_common_scale(adata, matrix.but(gene_symbols=None, use_rep=None))
    place = {str(name): i for i, name in enumerate(found.source.names)}
    if gone := [gene for gene in genes if gene not in place]:
        raise StorageError(
            f"{len(gone)} genes of the evidence, such as {gone[0]!r}, are not in adata.{found.source.where} any more. Run "
            f"`sca.tl.evidence(adata, key={key!r})` again."
        )
    # Each once and ascending, as files are read.
    columns = np.unique([place[gene] for gene in genes])
    values = read_rows(
        found.source, transform, columns.astype(np.intp), np.arange(adata.n_obs), progress="reading the genes"
    )
    dense = values.toarray() if sparse.issparse(values) else np.asarray(values)
    return np.asarray(dense[:, np.searchsorted(columns, [place[gene] for gene in genes])], dtype=np.float32)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
