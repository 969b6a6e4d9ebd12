"""Matrices of every kind that an AnnData may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

SPARSE = ["csr", "csr_array", "csc", "csc_array", "csr_view", "backed_csr", "backed_csc", "dask_csr"]
DENSE = ["dense", "fortran", "dense_view", "backed_dense", "dask_dense"]


@pytest.fixture(scope="session")
def make_counts() -> Callable[..., NDArray[np.float32]]:
    """Molecule counts whose genes and cells differ in depth, as real ones do."""

    def make(n: int = 200, genes: int = 300, *, seed: int = 0, depth: float = 1.0) -> NDArray[np.float32]:
        rng = np.random.default_rng(seed)
        mean = rng.gamma(0.5, 2 * depth, genes)
        size = rng.lognormal(0, 0.4, n)
        noise = rng.gamma(2, 0.5, (n, genes))
        return rng.poisson(size[:, None] * mean * noise).astype(np.float32)

    return make


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[[str, NDArray[Any]], ad.AnnData]]:
    """An AnnData of the values of a dense array, held in the way that is asked for, files closed at the end."""
    opened: list[ad.AnnData] = []

    def make(kind: str, D: NDArray[Any]) -> ad.AnnData:
        obs = pd.DataFrame(index=[f"cell{i}" for i in range(D.shape[0])])
        var = pd.DataFrame(index=[f"gene{i}" for i in range(D.shape[1])])
        D = D.copy()
        if kind.endswith("_view"):
            # Twice the cells, every other one of which is asked for.
            twice = np.repeat(D, 2, axis=0)
            twice[1::2] = 77
            obs = pd.DataFrame(index=[f"cell{i}" for i in range(len(twice))])
            whole = ad.AnnData(twice if kind == "dense_view" else sparse.csr_matrix(twice), obs=obs, var=var)
            return whole[::2]
        if kind.startswith("backed"):
            form = {"backed_csr": sparse.csr_matrix, "backed_csc": sparse.csc_matrix, "backed_dense": np.asarray}[kind]
            file = tmp_path / f"{kind}{len(opened)}.h5ad"
            ad.AnnData(form(D), obs=obs, var=var).write_h5ad(file)
            opened.append(ad.read_h5ad(file, backed="r"))
            return opened[-1]
        if kind.startswith("dask"):
            da = pytest.importorskip("dask.array")
            chunked = da.from_array(D, chunks=(max(1, len(D) // 3), -1))
            return ad.AnnData(
                chunked if kind == "dask_dense" else chunked.map_blocks(sparse.csr_matrix), obs=obs, var=var
            )
        form = {
            "dense": np.asarray,
            "fortran": np.asfortranarray,
            "csr": sparse.csr_matrix,
            "csr_array": sparse.csr_array,
            "csc": sparse.csc_matrix,
            "csc_array": sparse.csc_array,
        }[kind]
        return ad.AnnData(form(D), obs=obs, var=var)

    yield make
    for adata in opened:
        adata.file.close()


@pytest.fixture(params=[*SPARSE, *DENSE])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param
