"""Matrices of every kind that an AnnData may hold."""

from __future__ import annotations

import dataclasses
import warnings
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

try:
    from testing.fast_array_utils import Flags
    from testing.fast_array_utils.pytest import CC, SUPPORTED_TYPE_PARAMS
except ImportError:  # the group `test` brings it; scanpy does from 1.12 on
    KINDS: list[Any] = [
        pytest.param("", marks=pytest.mark.skip(reason="fast-array-utils is not installed"), id="fast-array-utils")
    ]
else:
    KINDS = [each for each in SUPPORTED_TYPE_PARAMS if not each.values[0].flags & Flags.Gpu]

# What fast-array-utils has no type for: other orders, views, and matrices in the file of an AnnData.
MORE_KINDS = ["fortran", "csr_view", "dense_view", "backed_csr", "backed_csc", "backed_dense"]


def is_sparse(kind: Any) -> bool:
    """Whether blocks of a matrix of this kind are sparse."""
    return "cs" in kind if isinstance(kind, str) else bool(kind.flags & Flags.Sparse)


def format_of(kind: Any) -> str:
    """How a report names the kind."""
    if isinstance(kind, str):
        form = next((form for form in ("csr", "csc") if form in kind), "dense")
        return f"{form}, on disk" if kind.startswith("backed") else form
    if kind.flags & Flags.Dask:
        return "dask"
    form = kind.name[:3].lower() if kind.flags & Flags.Sparse else "dense"
    return f"{form}, on disk" if kind.flags & Flags.Disk else form


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
def build(tmp_path: Path) -> Iterator[Callable[[Any, NDArray[Any]], ad.AnnData]]:
    """An AnnData of the values of a dense array, held in the way that is asked for, files closed at the end."""
    opened: list[ad.AnnData] = []

    def make(kind: Any, D: NDArray[Any]) -> ad.AnnData:
        obs = pd.DataFrame(index=[f"cell{i}" for i in range(D.shape[0])])
        var = pd.DataFrame(index=[f"gene{i}" for i in range(D.shape[1])])
        D = D.copy()
        if isinstance(kind, str) and kind.endswith("_view"):
            # Twice the cells, every other one of which is asked for.
            twice = np.repeat(D, 2, axis=0)
            twice[1::2] = 77
            obs = pd.DataFrame(index=[f"cell{i}" for i in range(len(twice))])
            whole = ad.AnnData(twice if kind == "dense_view" else sparse.csr_matrix(twice), obs=obs, var=var)
            return whole[::2]
        if isinstance(kind, str) and kind.startswith("backed"):
            form = {"backed_csr": sparse.csr_matrix, "backed_csc": sparse.csc_matrix, "backed_dense": np.asarray}[kind]
            file = tmp_path / f"{kind}{len(opened)}.h5ad"
            ad.AnnData(form(D), obs=obs, var=var).write_h5ad(file)
            opened.append(ad.read_h5ad(file, backed="r"))
            return opened[-1]
        if kind == "fortran":
            return ad.AnnData(np.asfortranarray(D), obs=obs, var=var)
        if kind.flags & Flags.Disk and kind.flags & Flags.Sparse and kind.inner.mod == "zarr":
            # As fast-array-utils makes one, anndata before 0.13 cannot read it.
            return ad.AnnData(
                _sparse_zarr(tmp_path / f"{len(opened)}.zarr", kind.name[:3].lower(), D), obs=obs, var=var
            )
        return ad.AnnData(kind(D), obs=obs, var=var)

    yield make
    for adata in opened:
        adata.file.close()


def _sparse_zarr(path: Path, form: str, D: NDArray[Any]) -> Any:
    import zarr

    with warnings.catch_warnings():
        # Of what anndata will do next.
        warnings.filterwarnings("ignore", "zarr v3 autosharding", UserWarning)
        ad.io.write_elem(zarr.open_group(path), "X", getattr(sparse, f"{form}_matrix")(D))
    return ad.io.sparse_dataset(zarr.open_group(path, mode="r")["X"])


@pytest.fixture(params=[*KINDS, *MORE_KINDS])
def kind(request: pytest.FixtureRequest) -> Any:
    """Every kind of matrix: an array type of fast-array-utils, or a name of `MORE_KINDS`."""
    if isinstance(request.param, str):
        return request.param
    return dataclasses.replace(request.param, conversion_context=CC(request))
