"""The report on a matrix: against numpy on every kind of matrix, from a sample only, changing nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from matrices import format_of
from sc_annotate._core.codec import to_json
from sc_annotate._data import values
from sc_annotate._data.matrix import Source, find

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _source(X: Any) -> Source:
    return find(ad.AnnData(X))


@pytest.mark.parametrize("n", [40, 700])
def test_every_kind_gets_the_same_report(
    kind: Any, n: int, make_counts: Callable[..., np.ndarray], build: Callable[..., ad.AnnData]
):
    D = make_counts(n, 12, depth=0.3)
    D[:, 0] = np.arange(n) % 5
    D[:8] = 0
    report = values.look(find(build(kind, D)))
    chosen = D[values.sample_rows(n)]
    assert report.format == format_of(kind)
    assert report.dtype == "float32"
    assert (report.where, report.kind, report.base, report.target_sum) == ("X", "counts", None, None)
    assert (report.n_cells, report.n_genes, report.n_sampled) == (n, 12, len(chosen))
    assert (report.minimum, report.maximum) == (0, chosen.max())
    assert (report.n_nan, report.n_inf) == (0, 0)
    assert report.n_zero_cells == int((chosen.sum(axis=1) == 0).sum()) >= 8
    assert report.density == pytest.approx((chosen != 0).mean())


@pytest.mark.parametrize("sparsely", [False, True])
def test_broken_values_are_counted(sparsely: bool):
    D = np.random.default_rng(0).poisson(3, (50, 20)).astype(float) + 1
    D[3, 4:7] = np.nan
    D[5, 0], D[5, 1] = np.inf, -np.inf
    report = values.look(_source(sparse.csr_matrix(D) if sparsely else D))
    assert (report.n_nan, report.n_inf) == (3, 2)
    rest = D[np.isfinite(D)]
    assert (report.minimum, report.maximum) == (rest.min(), rest.max())
    assert report.kind == "counts"
    D[:] = np.nan
    report = values.look(_source(sparse.csr_matrix(D) if sparsely else D))
    assert (report.kind, report.n_nan, report.minimum, report.maximum) == ("zero", 1000, 0, 0)


def test_stored_zeros_are_zeros():
    X = sparse.csr_matrix(np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]))
    X.data[3:6] = 0
    report = values.look(_source(X))
    assert report.n_zero_cells == 1
    assert report.density == pytest.approx(6 / 9)
    assert X.nnz == 9


@pytest.mark.parametrize("D", [np.full((4, 3), 2.0), np.zeros((4, 3)), -np.ones((4, 3))])
def test_range(D: np.ndarray):
    report = values.look(_source(D))
    assert (report.minimum, report.maximum) == (D.min(), D.max())


def test_an_embedding_is_taken_as_it_is():
    adata = ad.AnnData(np.ones((30, 3)), obsm={"X_pca": np.random.default_rng(0).normal(size=(30, 4))})
    report = values.look(find(adata, use_rep="pca"))
    assert (report.kind, report.base, report.target_sum) == ("embedding", None, None)
    assert report.minimum == adata.obsm["X_pca"].min()


@pytest.mark.parametrize("dtype", ["bool", "int8", "int32", "uint64", "float32", "float64", "float16"])
def test_types(dtype: str):
    D = np.random.default_rng(0).poisson(2, (30, 10)).astype(dtype)
    report = values.look(_source(D))
    assert (report.dtype, report.kind) == (dtype, "counts")


def test_recorded_base_is_used():
    D = np.random.default_rng(0).uniform(0, 5, (50, 10))
    assert values.look(_source(D), recorded_base=2).base == "2"
    assert values.look(_source(D)).base == "e"


@pytest.mark.parametrize("n", [1, 2, 511, 512, 513, 600, 10_000, 1_000_000])
@pytest.mark.parametrize("size", [64, 176, 512])
def test_sample_rows(n: int, size: int):
    chosen = values.sample_rows(n, size)
    assert np.array_equal(chosen, np.unique(chosen))
    assert chosen[0] == 0
    assert chosen[-1] == n - 1
    assert len(chosen) <= size
    assert len(chosen) >= min(n, size) / 2
    assert len(chosen) == n or np.diff(chosen).max() <= 2 * n / (size / 16)


class Counting:
    """A matrix that remembers how many rows were asked for."""

    def __init__(self, X: Any) -> None:
        self.X, self.shape, self.dtype, self.read = X, X.shape, X.dtype, 0

    def __getitem__(self, where: Any) -> Any:
        block = self.X[where]
        self.read += block.shape[0]
        return block


@pytest.mark.parametrize(("genes", "most"), [(20, 512), (30_000, 200)])
def test_only_a_sample_is_read(genes: int, most: int):
    X = Counting(sparse.random(20_000, genes, density=1e-4, format="csr", random_state=np.random.default_rng(0)))
    var = pd.DataFrame(index=np.arange(genes).astype(str))
    report = values.look(Source(X, "X", np.asarray(var.index, dtype=str), var))
    assert (report.n_cells, report.n_genes) == (20_000, genes)
    assert X.read == report.n_sampled <= most


def test_nothing_is_changed(kind: Any, build: Callable[..., ad.AnnData], make_counts: Callable[..., np.ndarray]):
    D = make_counts(60, 9)
    D[0, 0] = np.nan
    adata = build(kind, D)
    held = adata.X
    parts = [getattr(held, name) for name in ("data", "indices", "indptr") if hasattr(held, name)]
    before = [np.array(p) for p in parts if isinstance(p, np.ndarray)]
    values.look(find(adata))
    for part, was in zip([p for p in parts if isinstance(p, np.ndarray)], before, strict=True):
        np.testing.assert_array_equal(part, was)
    if isinstance(held, np.ndarray):
        np.testing.assert_array_equal(held, D)


def test_report_as_plain_values():
    report = values.look(_source(np.ones((3, 3))))
    assert values.ValueReport(**to_json(report)) == report


# ---- real data

REAL = {
    "kang2018_pbmc_ifnb": ("counts", None),
    "scmixology_celseq2_dropseq": ("counts", None),
    "pbmc3k": ("log1p", "e"),
    "pbmc_3tech": ("log1p", "e"),
    "xin2016_pancreas": ("log1p", "2"),
    "wang2016_pancreas": ("log1p", "2"),
    "wang2025_macrophage_crispri_lfc": ("negative", None),
}


@pytest.mark.parametrize("name", REAL)
def test_real_data(name: str, shared_data: Path):
    file = shared_data / f"{name}.h5ad"
    if not file.is_file():
        pytest.skip(f"{file} is absent")
    adata = ad.read_h5ad(file, backed="r")
    report = values.look(find(adata))
    adata.file.close()
    assert (report.kind, report.base) == REAL[name]
