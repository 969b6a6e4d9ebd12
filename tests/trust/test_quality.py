"""Empty, doublet-like and ambient-like cells: formulas against plain ones, and made cells that must be found."""

from __future__ import annotations

import json
from typing import Any

import anndata as ad
import numpy as np
import pytest
from scipy import sparse
from scipy.stats import median_abs_deviation, multinomial

import sc_annotate as sca
from sc_annotate.errors import InputError
from sc_annotate.trust.quality import EMPTY_Z, Profiles, depth, quality

SHARES = (0.3, 0.5, 0.7)


def singles(n: int = 800, seed: int = 0, **kwargs: Any) -> tuple[sparse.csr_matrix, np.ndarray]:
    adata = sca.datasets.simulate_reference(n, 300, 4, rng=seed, **kwargs)
    return adata.X, adata.obs["cell_type"].cat.codes.to_numpy().astype(int)


def test_depth_by_the_book() -> None:
    X, _ = singles(200)
    measures, _ = quality(X)
    for name, values in {"counts_z": X.toarray().sum(axis=1), "genes_z": (X.toarray() > 0).sum(axis=1)}.items():
        log = np.log(1 + values)
        want = (log - np.median(log)) / max(median_abs_deviation(log, scale="normal"), 0.1)
        np.testing.assert_allclose(measures[name], want, rtol=1e-5, atol=1e-5)
    given, _ = quality(X, typical=depth(X[:100]), totals=X.sum(axis=1).A1, n_genes=(X > 0).sum(axis=1).A1)
    own, _ = quality(X, typical=depth(X[:100]))
    np.testing.assert_array_equal(given["genes_z"], own["genes_z"])


def test_likelihoods_by_the_book() -> None:
    """Multinomial log-likelihoods by scipy: their coefficient cancels in differences."""
    X, codes = singles(60)
    known = Profiles().fit(X, codes)
    measures, _ = quality(X[:20], known)
    counts = X[:20].toarray().astype(int)
    for cell, doublet, ambient in zip(counts, measures["doublet"], measures["ambient"], strict=True):
        n = cell.sum()
        one = [multinomial.logpmf(cell, n, p / p.sum()) for p in known.types_]
        best = int(np.argmax(one))
        two = [
            multinomial.logpmf(cell, n, w * known.types_[best] + (1 - w) * known.types_[other])
            for other in range(4)
            if other != best
            for w in SHARES
        ]
        assert doublet == pytest.approx(max(max(two) - one[best], 0) / np.sqrt(n), abs=1e-4)
        assert ambient == pytest.approx((multinomial.logpmf(cell, n, known.mean_) - one[best]) / n, abs=1e-5)


def test_profiles_are_shares_of_molecules() -> None:
    X, codes = singles(100)
    known = Profiles().fit(X, codes)
    total = X.toarray().sum(axis=0) + 1 / 300
    np.testing.assert_allclose(known.mean_, total / total.sum())
    mine = X.toarray()[codes == 2].sum(axis=0)
    np.testing.assert_allclose(known.types_[2], (mine + 200 * known.mean_) / (mine.sum() + 200))
    np.testing.assert_allclose(known.types_.sum(axis=1), 1)


def test_simulated_doublets_are_found() -> None:
    adata = sca.datasets.simulate_reference(1500, 500, 6, doublets=0.15, rng=2)
    double = adata.obs["is_doublet"].to_numpy()
    codes = adata.obs["cell_type"].cat.codes.to_numpy()
    learn = np.arange(1500) < 900
    known = Profiles().fit(adata.X[learn & ~double], codes[learn & ~double])
    measures, low = quality(adata.X[~learn], known)
    new = double[~learn]
    # A fifth of them are of one type twice, which no profile can tell.
    assert sca.metrics.auroc(new, measures["doublet"]) > 0.8
    assert low["doublet"][new].mean() > 0.5
    assert low["doublet"][~new].mean() < 0.04
    assert known.doublets_found_ > 0.8


def test_sums_of_real_cells_are_found(shared_data: Any) -> None:
    adata = ad.read_h5ad(shared_data / "kang2018_pbmc_ifnb.h5ad")
    codes = adata.obs["cell_type"].cat.codes.to_numpy()
    rng = np.random.default_rng(0)
    order = rng.permutation(adata.n_obs)
    learn, rest = order[:1000], order[1000:]
    known = Profiles().fit(adata.X[learn], codes[learn])
    other = rng.permutation(rest)
    differ = codes[rest] != codes[other]
    one, low = quality(adata.X[rest], known, typical=known.depth_)
    two, high = quality(adata.X[rest[differ]] + adata.X[other[differ]], known, typical=known.depth_)
    unseen = np.repeat([False, True], [rest.size, differ.sum()])
    assert sca.metrics.auroc(unseen, np.concatenate([one["doublet"], two["doublet"]])) > 0.85
    assert low["doublet"].mean() < 0.05
    assert high["doublet"].mean() > 0.3


def test_droplets_of_ambient_molecules_are_found() -> None:
    X, codes = singles(800)
    known = Profiles().fit(X, codes)
    rng = np.random.default_rng(0)
    soup = rng.multinomial(500, known.mean_ / known.mean_.sum(), size=100)
    few = rng.multinomial(500, known.types_[1] / known.types_[1].sum(), size=100)
    assert quality(soup, known, typical=known.depth_)[1]["ambient"].mean() > 0.9
    assert quality(few, known, typical=known.depth_)[1]["ambient"].mean() < 0.1
    assert quality(X, known)[1]["ambient"].mean() < 0.02


def test_empty_cells_are_only_empty() -> None:
    X, codes = singles(300)
    known = Profiles().fit(X, codes)
    with_empty = sparse.vstack([X, sparse.csr_matrix((2, 300))]).tocsr()
    measures, low = quality(with_empty, known)
    assert low["empty"][-2:].all()
    assert not (low["doublet"] | low["ambient"])[-2:].any()
    assert low["empty"].sum() < 10
    assert (measures["doublet"][-2:] == 0).all()
    assert (measures["ambient"][-2:] == 0).all()
    # Nothing but zeros: nothing is usual, so the count decides.
    assert quality(np.zeros((3, 5)))[1]["empty"].all()
    np.testing.assert_array_equal(low["empty"], (np.minimum(measures["counts_z"], measures["genes_z"]) < EMPTY_Z))


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.coo_array])
def test_any_matrix_in_blocks_or_at_once(make: Any) -> None:
    X, codes = singles(200)
    known = Profiles().fit(make(X.toarray()), codes)
    whole, low = quality(X, known)
    typical = depth(X)
    for rows in (slice(0, 90), slice(90, 200)):
        part, mask = quality(make(X[rows].toarray()), known, typical=typical)
        for name in whole:
            np.testing.assert_allclose(part[name], whole[name][rows], rtol=1e-5, atol=1e-6)
        for name in low:
            np.testing.assert_array_equal(mask[name], low[name][rows])


def test_stored_zeros_and_split_entries_change_nothing() -> None:
    X, codes = singles(60)
    known = Profiles().fit(X, codes)
    full = sparse.csr_array(np.ones(X.shape))
    full.data = X.toarray().ravel().astype(float)
    halves = sparse.csr_array((np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), X.indptr * 2), shape=X.shape)
    want = quality(X, known)[0]
    for other in (full, halves):
        got = quality(other, known)[0]
        for name in want:
            np.testing.assert_allclose(got[name], want[name], rtol=1e-5, atol=1e-6)
    assert (full.nnz, halves.nnz) == (X.shape[0] * X.shape[1], 2 * X.nnz)


def test_stored_and_rebuilt_and_reproducible() -> None:
    X, codes = singles(300)
    known, again = Profiles().fit(X, codes, rng=3), Profiles().fit(X, codes, rng=3)
    arrays, meta = known.to_arrays()
    back = Profiles.from_arrays(arrays, json.loads(json.dumps(meta)))
    for other in (back, again):
        assert other.doublet_line_ == known.doublet_line_
        assert other.doublets_found_ == known.doublets_found_
        for a, b in zip(quality(X, known), quality(X, other), strict=True):
            for name in a:
                np.testing.assert_array_equal(a[name], b[name])
    for bad in (
        {"types": arrays["types"][:, 1:]},
        {"types": -arrays["types"]},
        {"mean": arrays["mean"][None]},
        {"depth": np.full(4, np.nan)},
        {"lines": np.array(["a", "b"])},
    ):
        with pytest.raises(InputError, match="Fit again"):
            Profiles.from_arrays(arrays | bad, meta)
    with pytest.raises(InputError, match="Fit again"):
        Profiles.from_arrays(arrays, {})


def test_few_cells_draw_no_line() -> None:
    X, codes = singles(300)
    few = Profiles().fit(X[:20], codes[:20])
    assert few.doublet_line_ == np.inf
    assert not quality(X, few)[1]["doublet"].any()
    one_type = Profiles().fit(X, np.zeros(300, dtype=int))
    assert one_type.doublet_line_ == np.inf
    assert (quality(X, one_type)[0]["doublet"] == 0).all()
    assert np.isfinite(Profiles().fit(X[:3], [0, 1, 7]).types_).all()


def test_a_sample_of_a_large_reference_will_do() -> None:
    X, codes = singles(800)
    whole, part = Profiles().fit(X, codes), Profiles(max_cells=400).fit(X, codes)
    assert part.doublet_line_ == pytest.approx(whole.doublet_line_, rel=0.5)
    assert np.corrcoef(np.log(whole.mean_), np.log(part.mean_))[0, 1] > 0.99


def test_nonsense_is_refused() -> None:
    X, codes = singles(60)
    known = Profiles().fit(X, codes)
    for counts in (-X.toarray(), np.full((3, 300), np.nan), np.ones(3), np.array([["a"] * 300])):
        with pytest.raises(InputError, match="counts"):
            quality(counts, known)
    with pytest.raises(InputError, match="300"):
        quality(X[:, :10], known)
    with pytest.raises(InputError, match="codes"):
        Profiles().fit(X, codes[:-1])
    with pytest.raises(InputError, match="codes"):
        Profiles().fit(X, codes - 1)
    with pytest.raises(InputError, match="no cells"):
        Profiles().fit(X[:0], codes[:0])
    with pytest.raises(InputError, match="no cells"):
        depth(X[:0])
    with pytest.raises(InputError, match="not fitted"):
        quality(X, Profiles())
    with pytest.raises(InputError, match="typical"):
        quality(X, typical=np.zeros(4))
    with pytest.raises(InputError, match="totals"):
        quality(X, totals=[1, 2])
    for bad in (Profiles(false_alarms=0), Profiles(folds=1), Profiles(max_cells=1.5)):
        with pytest.raises(InputError, match="must be"):
            bad.fit(X, codes)
