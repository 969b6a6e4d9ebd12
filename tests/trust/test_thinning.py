"""Cells with fewer molecules."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from sc_annotate.errors import InputError
from sc_annotate.trust import thin
from sc_annotate.trust.thinning import detected, log_scale, molecules


def cells(n: int = 60, genes: int = 400, seed: int = 0) -> sparse.csr_matrix:
    random = np.random.default_rng(seed)
    rates = random.gamma(0.3, 6.0, size=genes) * random.uniform(0.5, 2, size=(n, 1))
    return sparse.csr_matrix(random.poisson(rates).astype(np.float32))


def test_each_molecule_is_kept_with_one_probability() -> None:
    counts = cells()
    totals = np.asarray(counts.sum(axis=1)).ravel()
    found = np.mean([thin(counts, totals, 100, rng=seed)[0].toarray() for seed in range(400)], axis=0)
    expected = counts.toarray() * (100 / totals)[:, None]
    # A binomial variance is smaller than its mean; four standard errors of 400 draws.
    assert (np.abs(found - expected) <= 4.5 * np.sqrt(np.maximum(expected, 0.01) / 400)).all()


def test_totals_include_the_genes_that_are_not_shown() -> None:
    counts = cells()
    totals = np.asarray(counts.sum(axis=1)).ravel()
    some, left = thin(counts[:, :100], totals, 200, rng=1)
    shown = np.asarray(some.sum(axis=1)).ravel()
    assert (left >= shown).all()
    assert abs(left.mean() - 200) < 4 * np.sqrt(200 / len(totals))


def test_shallow_cells_stay_and_nothing_of_the_caller_is_changed() -> None:
    counts = cells()
    before = counts.copy()
    totals = np.asarray(counts.sum(axis=1)).ravel()
    out, left = thin(counts, totals, totals.max() + 1, rng=0)
    assert (out != before).nnz == 0
    np.testing.assert_array_equal(left, totals)
    assert (counts != before).nnz == 0


def test_counts_come_back_from_their_logarithms() -> None:
    counts = cells()
    totals = np.asarray(counts.sum(axis=1)).ravel()
    found = molecules(log_scale(counts, totals.astype(np.float64))[:, :250])
    assert found is not None
    np.testing.assert_array_equal(found[0].toarray(), counts[:, :250].toarray())
    np.testing.assert_allclose(found[1], totals, rtol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_never_counts_is_none(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = np.where(random.random((30, 50)) < 0.5, 0, random.gamma(2, 1, (30, 50)))
    assert molecules(np.log1p(values)) is None
    assert molecules(np.zeros((3, 4))) is None


def test_detected_genes_of_any_kind_of_matrix() -> None:
    counts = cells(5, 20)
    explicit = counts.copy()
    explicit.data[::3] = 0
    for X in (explicit, explicit.toarray(), sparse.csr_matrix(explicit.toarray())):
        np.testing.assert_array_equal(detected(X), (explicit.toarray() != 0).sum(axis=1))


@pytest.mark.parametrize(
    ("counts", "totals", "message"),
    [
        (np.full((2, 3), 0.5), [9, 9], "whole numbers"),
        (np.full((2, 3), -1), [9, 9], "whole numbers"),
        (np.ones((2, 3)), [9], "one number for each cell"),
        (np.ones((2, 3)), [1, 9], "no smaller than"),
    ],
)
def test_what_cannot_be_thinned(counts: np.ndarray, totals: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        thin(counts, totals, 2)
