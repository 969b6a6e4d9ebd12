"""Tell counts, logarithms and scaled values apart, on matrices made with scanpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pytest
import scanpy as sc
from scipy import sparse

from sc_annotate._data.signs import BASES
from sc_annotate._data.values import detect

if TYPE_CHECKING:
    from collections.abc import Callable

    from sc_annotate._data.signs import Detected


def _detect(X: np.ndarray | sparse.csr_matrix, recorded: float | None = None) -> Detected:
    sample = sparse.csr_matrix(X).astype(np.float64)
    sample.eliminate_zeros()
    return detect(sample, sample.data, recorded)


def _logged(counts: np.ndarray, base: str = "e", target: float = 1e4) -> np.ndarray:
    adata = ad.AnnData(counts.copy())
    sc.pp.normalize_total(adata, target_sum=target)
    sc.pp.log1p(adata, base=BASES[base])
    return adata.X


def _scaled(X: np.ndarray, **kwargs: object) -> np.ndarray:
    return sc.pp.scale(X.copy(), **kwargs)


@pytest.fixture(scope="module")
def counts(make_counts: Callable[..., np.ndarray]) -> np.ndarray:
    return make_counts(200, 300)


# Lognormal values without molecules or totals, as TPM of a few genes have them.
@pytest.fixture(scope="module")
def estimates() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.lognormal(2, 1.5, (200, 300)) * (rng.random((200, 300)) < 0.4)


def test_counts(counts: np.ndarray):
    assert _detect(counts) == ("counts", None, "whole numbers only", None)
    assert _detect(counts > 0)[0] == "counts"


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("target", [1e4, 1e6, 1234.0])
def test_logarithm_of_all_genes(counts: np.ndarray, base: str, target: float):
    kind, found, evidence, total = _detect(_logged(counts, base, target))
    assert (kind, found) == ("log1p", base)
    assert total == pytest.approx(target, rel=1e-3)
    assert "adds up to" in evidence


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("target", [1e4, 1e6])
def test_logarithm_of_some_genes(counts: np.ndarray, base: str, target: float):
    """Totals say nothing here, but the values of a cell are still multiples of one molecule."""
    kind, found, evidence, total = _detect(_logged(counts, base, target)[:, ::2])
    assert (kind, found, total) == ("log1p", base, None)
    assert "multiples of one step" in evidence


def test_normalised_but_not_logged(counts: np.ndarray):
    cpm = sc.pp.normalize_total(ad.AnnData(counts.copy()), target_sum=1e6, inplace=False)["X"]
    assert _detect(cpm)[:2] == ("linear", None)
    assert _detect(cpm)[3] == pytest.approx(1e6, rel=1e-3)
    assert _detect(cpm[:, ::2]) == ("linear", None, "multiples of one step in each cell, without a logarithm", None)


@pytest.mark.parametrize("base", BASES)
def test_scaled(counts: np.ndarray, base: str):
    for X in (_logged(counts, base), _logged(counts, base)[:, ::2]):
        for max_value in (None, 10):
            assert _detect(_scaled(X, max_value=max_value))[0] == "scaled"
            assert _detect(_scaled(X, zero_center=False, max_value=max_value))[:2] == ("scaled", None)
            assert _detect(_scaled(X, max_value=max_value)[:60, :50])[0] == "scaled"


def test_fold_changes_are_no_scaled_values(estimates: np.ndarray):
    changes = np.log2((estimates + 1) / (estimates[:1] + 1)) * np.linspace(0.05, 3, 300)
    assert _detect(changes) == ("negative", None, "negative values, without the unit variance of scaled data", None)


def test_of_few_cells_negative_values_is_all_that_can_be_said(counts: np.ndarray):
    kind, _, evidence, _ = _detect(_scaled(_logged(counts))[:5])
    assert kind == "negative"
    assert "too few cells" in evidence


def test_without_molecules_the_range_decides(estimates: np.ndarray):
    assert _detect(estimates)[:2] == ("linear", None)
    assert "too large for a logarithm" in _detect(estimates)[2]
    natural = np.log1p(estimates)
    assert _detect(natural) == ("log1p", "e", "assumed: no sign of another base", None)
    large = natural * (20 / natural.max())
    assert _detect(large)[:2] == ("log1p", "2")
    assert "too large for a natural logarithm" in _detect(large)[2]


@pytest.mark.parametrize(("recorded", "base"), [(2, "2"), (2.0, "2"), (10, "10"), (np.e, "e"), (7, "e"), (None, "e")])
def test_the_recorded_base_is_believed_where_nothing_speaks_against_it(
    estimates: np.ndarray, counts: np.ndarray, recorded: float | None, base: str
):
    kind, found, evidence, _ = _detect(np.log1p(estimates), recorded)
    assert (kind, found) == ("log1p", base)
    assert evidence.startswith("assumed" if recorded in (7, None) else "as recorded")
    # What the values themselves show wins over a note that somebody left behind.
    assert _detect(_logged(counts, "2"), recorded)[1] == "2"
    assert _detect(counts, recorded)[0] == "counts"


def test_nothing_but_zeros():
    assert _detect(np.zeros((5, 4)))[0] == "zero"


def test_cells_without_counts_do_not_hide_the_total(counts: np.ndarray):
    X = _logged(counts)
    X[10:30] = 0
    assert _detect(X)[:2] == ("log1p", "e")


@pytest.mark.parametrize("shape", [(1, 300), (2, 300), (200, 1), (1, 1), (2, 2), (3, 3)])
def test_tiny_matrices_get_an_answer(counts: np.ndarray, shape: tuple[int, int]):
    X = counts[: shape[0], : shape[1]] + 1
    assert _detect(X)[0] == "counts"
    assert _detect(np.log1p(X))[:2] == ("log1p", "e")
    assert _detect(-X)[0] in ("negative", "scaled")


@pytest.mark.parametrize("seed", range(5))
def test_shallow_and_deep_data(make_counts: Callable[..., np.ndarray], seed: int):
    for depth in (0.3, 20):
        counts = make_counts(100, 400, seed=seed, depth=depth)
        for base in BASES:
            X = _logged(counts, base)
            assert _detect(X)[:2] == ("log1p", base)
            if depth == 20:
                assert _detect(X[:, :150])[:2] == ("log1p", base)
