"""The matrix of a stored result is asked for as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import pytest

import sc_annotate as sca
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._store.expression import matrix_request

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@pytest.mark.parametrize(
    "how",
    [{}, {"layer": "logs", "values": "log1p"}, {"use_raw": True, "gene_symbols": "names", "total_counts_key": "n"}],
)
def test_a_request_comes_back_from_a_file(pair: tuple[AnnData, AnnData], tmp_path: Path, how: dict[str, Any]) -> None:
    reference, query = pair
    for adata in (reference, query):
        adata.layers["logs"] = adata.X.copy()
        adata.raw = adata.copy()
        adata.var["names"] = adata.var_names
        adata.raw.var["names"] = adata.raw.var_names
        adata.obs["n"] = 1e6
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0, **how)
    query.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    assert matrix_request(back.uns["annotation"]["params"]) == MatrixRequest(**how)
