"""Highly variable genes, against scanpy asked directly."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import sc_annotate as sca
from sc_annotate.annotators.variable_genes import VariableGeneStatistics, variable_genes, variable_genes_from
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

FORMS = {"dense": np.array, "csr": sparse.csr_matrix, "csr_array": sparse.csr_array, "csc": sparse.csc_matrix}


@pytest.fixture(scope="module")
def logged(make_counts: Callable[..., np.ndarray]) -> np.ndarray:
    adata = ad.AnnData(make_counts(120, 300))
    adata.X[60:, :20] *= 5
    adata.X[:, 290:] = 0
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    return adata.X


def _scanpy(X: np.ndarray, n: int, batch: np.ndarray | None = None) -> np.ndarray:
    obs = pd.DataFrame(index=np.arange(len(X)).astype(str))
    if batch is not None:
        obs["b"] = pd.Categorical(batch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = sc.pp.highly_variable_genes(
            ad.AnnData(X.copy(), obs=obs), n_top_genes=n, batch_key=None if batch is None else "b", inplace=False
        )
    return np.flatnonzero(table["highly_variable"])


def _genes(X: Any, n: int | None, batch: np.ndarray | None = None) -> np.ndarray:
    """The chosen columns; what was given is as it was."""
    before = X.copy()
    chosen = variable_genes(X, n, batch)
    if sparse.issparse(X):
        for name in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(X, name), getattr(before, name))
    else:
        np.testing.assert_array_equal(X, before)
    assert np.array_equal(chosen, np.unique(chosen))
    return chosen


@pytest.mark.parametrize("form", FORMS)
def test_as_scanpy(logged: np.ndarray, form: str):
    np.testing.assert_array_equal(_genes(FORMS[form](logged), 40), _scanpy(logged, 40))


def test_batches(logged: np.ndarray):
    batch = np.repeat(["a", "b"], 60)
    within = _genes(logged, 40, batch)
    np.testing.assert_array_equal(within, _scanpy(logged, 40, batch))
    # What differs between the batches only is no longer variable.
    assert np.sum(within < 20) < np.sum(_genes(logged, 40) < 20)


@pytest.mark.parametrize("batch", [np.repeat("a", 120), np.repeat(["a", "b"], [111, 9])])
def test_one_batch_or_tiny_ones_are_left_aside(logged: np.ndarray, batch: np.ndarray):
    np.testing.assert_array_equal(_genes(logged, 40, batch), _scanpy(logged, 40))


@pytest.mark.parametrize("n", [None, 300, 5000])
def test_all_genes(logged: np.ndarray, n: int | None):
    np.testing.assert_array_equal(_genes(logged, n), np.arange(300))


@pytest.mark.parametrize("n", [1, 40, 285, 299])
def test_always_as_many_as_asked_for(logged: np.ndarray, n: int):
    """Also where ties, such as genes that are constant, make scanpy return more or fewer."""
    assert len(_genes(logged, n)) == n
    twins = np.repeat(logged[:, :150], 2, axis=1)
    chosen = _genes(twins, n)
    assert len(chosen) == n
    assert len(_genes(twins[:3], n)) == n


def test_the_same_every_time(logged: np.ndarray):
    np.testing.assert_array_equal(_genes(logged, 40), _genes(logged, 40))


def _gather(
    X: Any, batch: np.ndarray | None, blocks: list[np.ndarray], names: np.ndarray | None = None
) -> VariableGeneStatistics:
    names = np.array([""]) if batch is None else np.unique(batch) if names is None else names
    codes = np.zeros(X.shape[0], int) if batch is None else np.searchsorted(names, batch)
    out = VariableGeneStatistics.empty(len(names), X.shape[1])
    for rows in blocks:
        out.update(X[rows], codes[rows])
    return out


def _blocks(n: int, size: int, seed: int = 0) -> list[np.ndarray]:
    """Of rows in any order, one of them empty."""
    order = np.random.default_rng(seed).permutation(n)
    return [order[:0], *(order[a : a + size] for a in range(0, n, size))]


@pytest.fixture(scope="module")
def measured() -> dict[str, tuple[Any, np.ndarray]]:
    """Log values, and batches, of real and simulated cells."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pbmc = sc.datasets.pbmc68k_reduced()
    out = {"pbmc68k": (sparse.csr_matrix(pbmc.raw.X).astype(np.float32), pbmc.obs["phase"].astype(str).to_numpy(str))}
    for name, dropout in (("simulated", 0.0), ("sparse", 0.7)):
        adata = sca.datasets.simulate_reference(900, 700, 5, n_batches=3, dropout=dropout, depth=800, rng=4)
        sc.pp.normalize_total(adata, target_sum=1e4)
        sc.pp.log1p(adata)
        out[name] = sparse.csr_matrix(adata.X).astype(np.float32), adata.obs["batch"].astype(str).to_numpy(str)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("data", ["pbmc68k", "simulated", "sparse"])
@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("form", ["dense", "csr"])
def test_blocks_choose_the_genes_of_the_whole(measured: Any, data: str, batched: bool, form: str):
    X, batch = measured[data]
    X = FORMS[form](X.toarray()) if form == "dense" else X
    batches = batch if batched else None
    wanted = {n: variable_genes(X, n, batches) for n in (1, 20, 333, X.shape[1] - 1, None, 10_000)}
    for size in (1, 37, 10_000) if form == "csr" else (37,):
        statistics = _gather(X, batches, _blocks(X.shape[0], size))
        for n, genes in wanted.items():
            np.testing.assert_array_equal(variable_genes_from(statistics, n), genes)


@pytest.mark.slow
@pytest.mark.parametrize("data", ["pbmc68k", "sparse"])
@pytest.mark.parametrize("batched", [False, True])
def test_folds_choose_the_genes_of_their_cells(measured: Any, data: str, batched: bool):
    X, batch = measured[data]
    batches = batch if batched else None
    fold = np.random.default_rng(1).integers(0, 5, X.shape[0])
    parts = [_gather(X, batches, [np.flatnonzero(fold == k)], np.unique(batch)) for k in range(5)]
    whole = parts[0] + parts[1] + parts[2] + parts[3] + parts[4]
    for k in range(5):
        train = fold != k
        expected = variable_genes(X[train], 200, None if batches is None else batches[train])
        np.testing.assert_array_equal(variable_genes_from(whole - parts[k], 200), expected)


def test_a_batch_left_out_is_no_batch(measured: Any):
    X, batch = measured["simulated"]
    names = np.unique(batch)
    whole = _gather(X, batch, _blocks(900, 100))
    for left in names:
        kept = batch != left
        rest = whole - _gather(X, batch, [np.flatnonzero(~kept)])
        np.testing.assert_array_equal(variable_genes_from(rest, 100), variable_genes(X[kept], 100, batch[kept]))


@pytest.mark.parametrize(
    "batch", [None, np.repeat(["a", "b"], 60), np.repeat(["a", "b"], [111, 9]), np.repeat("a", 120)]
)
@pytest.mark.parametrize("n", [1, 40, 151, 285])
def test_ties_and_constant_genes(logged: np.ndarray, batch: np.ndarray | None, n: int):
    twins = np.repeat(logged[:, :150], 2, axis=1)
    constant = logged.copy()
    constant[:, 100:130] = 1.75
    silent = logged.copy()
    silent[:60, 40:80] = 0
    silent[60:, 60:100] = 0
    for X in (logged, twins, constant, silent):
        for form in ("dense", "csr"):
            matrix = FORMS[form](X)
            found = variable_genes_from(_gather(matrix, batch, _blocks(120, 50)), n)
            np.testing.assert_array_equal(found, variable_genes(matrix, n, batch))


def test_means_and_variances_are_those_of_scanpy(measured: Any):
    X, batch = measured["pbmc68k"]
    whole = _gather(X, None, _blocks(X.shape[0], 100))
    table = sc.pp.highly_variable_genes(ad.AnnData(X.copy()), n_top_genes=10, inplace=False)
    mean, n = whole.sums[0] / whole.n[0], whole.n[0]
    variance = (whole.squares[0] / n - mean**2) * n / (n - 1)
    np.testing.assert_allclose(np.log1p(mean), table["means"], rtol=1e-10)
    np.testing.assert_allclose(np.log(variance / mean), table["dispersions"], rtol=1e-10, atol=1e-10)


def test_blocks_are_left_alone_and_need_not_be_sorted(logged: np.ndarray):
    messy = sparse.coo_matrix(logged).tocsr()
    twice = sparse.csr_matrix(
        (np.repeat(messy.data / 2, 2), np.repeat(messy.indices, 2), messy.indptr * 2), shape=messy.shape
    )
    before = twice.copy()
    plain = VariableGeneStatistics.empty(1, 300).update(logged)
    for X in (twice, messy.tocsc(), messy.tocoo()):
        found = VariableGeneStatistics.empty(1, 300).update(X)
        np.testing.assert_allclose(found.sums, plain.sums, rtol=1e-6)
        np.testing.assert_array_equal(found.positive, plain.positive)
    np.testing.assert_array_equal(twice.data, before.data)


def test_nothing_varies_and_what_does_not_fit(logged: np.ndarray):
    assert variable_genes_from(VariableGeneStatistics.empty(1, 5).update(np.zeros((3, 5))), 2).tolist() == [0, 1]
    empty = VariableGeneStatistics.empty(2, 300)
    with pytest.raises(InputError, match="no cells"):
        variable_genes_from(empty, 10)
    with pytest.raises(InputError, match="do not fit"):
        empty.update(logged[:, 1:])
    with pytest.raises(InputError, match="do not fit"):
        empty.update(logged, np.zeros(3, int))
    with pytest.raises(InputError, match="between 0 and 1"):
        empty.update(logged, np.full(120, 2))
    with pytest.raises(InputError, match="do not combine"):
        empty + VariableGeneStatistics.empty(1, 300)
    with pytest.raises(InputError, match="include"):
        empty - VariableGeneStatistics.empty(2, 300).update(logged, np.zeros(120, int))
