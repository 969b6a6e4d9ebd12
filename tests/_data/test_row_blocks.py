"""Blocks of rows in any order, of all kinds of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

import sc_annotate as sca
from sc_annotate._core.arrays import with_columns
from sc_annotate._data.row_blocks import row_blocks

if TYPE_CHECKING:
    from pathlib import Path


def matrix() -> Any:
    return sparse.random(130, 7, density=0.3, format="csr", random_state=0, dtype=np.float32)


@pytest.mark.parametrize("kind", ["csr", "csc", "dense", "backed", "backed dense", "backed csc", "dask", "columns"])
def test_all_rows_once(kind: str, tmp_path: Path) -> None:
    X = matrix()
    expected: Any = X.toarray()
    given: Any = {"csr": X, "csc": X.tocsc(), "dense": expected}.get(kind)
    if kind.startswith("backed"):
        kept = expected if "dense" in kind else X.tocsc() if "csc" in kind else X
        ad.AnnData(kept).write_h5ad(tmp_path / "cells.h5ad")
        given = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r").X
    elif kind == "dask":
        da = pytest.importorskip("dask.array")
        given = da.from_array(expected, chunks=(33, 4))
    elif kind == "columns":
        given, expected = with_columns(X, np.array([1, 4])), expected[:, [1, 4]]
    with sca.settings.override(block_size=20):
        found = row_blocks(given)
    n = len(found.starts) - 1
    assert n == (4 if kind == "dask" else 7)
    assert found.starts[-1] == 130
    for i in np.random.default_rng(0).permutation(n):
        block = found.read(int(i))
        dense = block.toarray() if sparse.issparse(block) else block
        np.testing.assert_array_equal(dense, expected[found.starts[i] : found.starts[i + 1]])


def test_a_chunk_other_than_declared_is_refused() -> None:
    da = pytest.importorskip("dask.array")
    X = da.from_array(np.ones((20, 3)), chunks=(10, 3)).map_blocks(
        lambda b: b[:5], dtype=float, chunks=((10, 10), (3,))
    )
    with pytest.raises(sca.errors.MatrixError, match="should have the shape"):
        row_blocks(X).read(1)
