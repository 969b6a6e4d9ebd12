"""Blocks on the common scale, against scanpy's normalize_total and log1p."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest
import scanpy as sc
from scipy import sparse

from sc_annotate._data.transform import TARGET_SUM, Transform
from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable

FORMS = {"dense": np.array, "fortran": np.asfortranarray, "csr": sparse.csr_matrix, "csr_array": sparse.csr_array}
EVERYTHING = slice(0, 40)


def _array(block: Any) -> np.ndarray:
    return block.toarray() if sparse.issparse(block) else block


def _scanpy(X: np.ndarray, target: float | None = TARGET_SUM, base: float | None = None) -> np.ndarray:
    adata = ad.AnnData(X.astype(np.float64))
    if target is not None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Some cells have zero counts")
            sc.pp.normalize_total(adata, target_sum=target)
    sc.pp.log1p(adata, base=base)
    return adata.X


@pytest.fixture(scope="module")
def counts(make_counts: Callable[..., np.ndarray]) -> np.ndarray:
    counts = make_counts(40, 30)
    counts[3:5] = 0
    return counts


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Callable[[np.ndarray], Any]:
    return FORMS[request.param]


def _check(block: Any, transform: Transform, expected: np.ndarray, where: Any = EVERYTHING) -> None:
    """The result is right, float32, of the same form; the block is as it was, bit by bit."""
    before = block.copy()
    out = transform(block, where)
    assert sparse.issparse(out) == sparse.issparse(block)
    assert out.dtype == np.float32
    np.testing.assert_allclose(_array(out), expected, rtol=2e-6, atol=1e-6)
    assert block.dtype == before.dtype
    np.testing.assert_array_equal(_array(block), _array(before))
    if sparse.issparse(block):
        np.testing.assert_array_equal(block.data, before.data)
        assert out.has_canonical_format == block.has_canonical_format


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
def test_counts(counts: np.ndarray, form: Callable[..., Any], dtype: str):
    _check(form(counts.astype(dtype)), Transform(), _scanpy(counts))


@pytest.mark.parametrize("base", [np.e, 2.0, 10.0])
@pytest.mark.parametrize("target", [1e4, 1e6])
def test_logarithms(counts: np.ndarray, form: Callable[..., Any], base: float, target: float):
    logged = _scanpy(counts, target, base)
    transform = Transform(unlog=base, keep_totals=True, rescale=TARGET_SUM / target)
    _check(form(logged.astype(np.float32)), transform, _scanpy(counts))


def test_natural_logarithms_stay_as_they_are_bit_by_bit(counts: np.ndarray, form: Callable[..., Any]):
    logged = form(_scanpy(counts).astype(np.float32))
    out = Transform(unlog=np.e, keep_totals=True)(logged, EVERYTHING)
    np.testing.assert_array_equal(_array(out), _array(logged))


@pytest.mark.parametrize("base", [None, np.e, 2.0])
def test_totals_over_some_genes(counts: np.ndarray, form: Callable[..., Any], base: float | None):
    """Both sides are normalised over the panel they share, whatever the values were before."""
    columns = np.array([1, 4, 5, 8, 20, 29])
    values = counts if base is None else _scanpy(counts, base=base)
    part = counts[:, columns].sum(axis=1, keepdims=True)
    expected = np.log1p(np.divide(counts * TARGET_SUM, part, out=np.zeros_like(counts), where=part > 0))
    _check(form(values), Transform(unlog=base, columns=columns), expected)
    np.testing.assert_allclose(expected[:, columns], _scanpy(counts[:, columns]), rtol=1e-5)


@pytest.mark.parametrize("where", [slice(10, 20), np.array([2, 9, 33])])
def test_given_totals_are_those_of_the_rows(counts: np.ndarray, form: Callable[..., Any], where: Any):
    totals = counts.sum(axis=1) + np.arange(40.0)
    _check(form(counts[where, :10]), Transform(totals=totals), _scanpy_with(counts[where, :10], totals[where]), where)


def _scanpy_with(X: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """One more column that brings every cell to its given total, taken away again afterwards."""
    return _scanpy(np.column_stack([X, totals - X.sum(axis=1)]))[:, :-1]


def test_given_totals_that_cannot_be(counts: np.ndarray, form: Callable[..., Any]):
    with pytest.raises(MatrixError, match=r"total_counts_key\) of 38 cells are smaller"):
        Transform(totals=np.log1p(counts.sum(axis=1)))(form(counts), EVERYTHING)


def test_identity(counts: np.ndarray, form: Callable[..., Any]):
    _check(form(counts - 1), Transform(identity=True), counts - 1)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("transform", [Transform(), Transform(identity=True), Transform(unlog=2.0, keep_totals=True)])
def test_values_that_are_not_finite(counts: np.ndarray, form: Callable[..., Any], broken: float, transform: Transform):
    block = counts.copy()
    block[7, 2:5] = broken
    n_nan, n_inf = (3, 0) if np.isnan(broken) else (0, 3)
    with pytest.raises(MatrixError, match=rf"{n_nan} NaN and {n_inf} infinite.*nan_to_num"):
        Transform.__call__(transform, form(block), EVERYTHING)


def test_infinities_of_both_signs_do_not_cancel(counts: np.ndarray):
    block = counts.copy()
    block[0, :2] = np.inf, -np.inf
    with pytest.raises(MatrixError, match="0 NaN and 2 infinite"):
        Transform()(block, EVERYTHING)


@pytest.mark.parametrize("transform", [Transform(), Transform(unlog=np.e, keep_totals=True), Transform(unlog=2.0)])
def test_negative_values_that_the_sample_missed(counts: np.ndarray, form: Callable[..., Any], transform: Transform):
    block = counts.copy()
    block[7, 2] = -1
    with pytest.raises(MatrixError, match="negative"):
        transform(form(block), EVERYTHING)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (0, 30)])
def test_small_blocks(counts: np.ndarray, form: Callable[..., Any], shape: tuple[int, int]):
    X = counts[: shape[0], : shape[1]]
    out = Transform()(form(X), slice(0, shape[0]))
    assert out.shape == shape
    if shape[0]:
        np.testing.assert_allclose(_array(out), _scanpy(X), rtol=2e-6)


def test_unsorted_indices(counts: np.ndarray):
    shuffled = sparse.csr_matrix(counts)
    for i, j in zip(shuffled.indptr[:-1], shuffled.indptr[1:], strict=True):
        shuffled.indices[i:j], shuffled.data[i:j] = shuffled.indices[i:j][::-1].copy(), shuffled.data[i:j][::-1].copy()
    shuffled.has_sorted_indices = False
    _check(shuffled, Transform(), _scanpy(counts))
