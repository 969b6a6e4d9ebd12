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

from sc_annotate._core.variable_genes import variable_genes

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
