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
from sc_annotate.trust import Profiles, low_quality, quality_measures
from sc_annotate.trust._mixing import partners
from sc_annotate.trust.quality import EMPTY_Z, MOST_DOUBLETS

SHARES = (0.3, 0.5, 0.7)


def singles(n: int = 800, seed: int = 0, **kwargs: Any) -> tuple[sparse.csr_matrix, np.ndarray]:
    adata = sca.datasets.simulate_reference(n, 300, 4, rng=seed, **kwargs)
    return adata.X, adata.obs["cell_type"].cat.codes.to_numpy().astype(int)


def quality(
    X: Any, known: Profiles | None = None, **kwargs: Any
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    measures = quality_measures(X, known, **kwargs)
    return measures, low_quality(measures, np.inf if known is None else known.doublet_threshold_)


def with_some_empty(n: int = 200) -> Any:
    """Counts of ordinary cells, the first ten of which have lost most of their molecules."""
    X = singles(n)[0].toarray()
    X[:10] = np.random.default_rng(0).binomial(X[:10].astype(int), np.linspace(0.001, 0.6, 10)[:, None])
    return X


def test_empty_by_the_book() -> None:
    X = with_some_empty()
    measures, low = quality(X)
    beyond = np.zeros(200, dtype=bool)
    for name, values in {"log_counts": X.sum(axis=1), "log_genes": (X > 0).sum(axis=1)}.items():
        log = np.log(1 + values)
        np.testing.assert_allclose(measures[name], log)
        beyond |= (log - np.median(log)) / max(median_abs_deviation(log, scale="normal"), 0.1) < EMPTY_Z
    np.testing.assert_array_equal(low["empty"], beyond)
    assert 3 < low["empty"].sum() < 10
    given = quality_measures(X[:, :5], totals=X.sum(axis=1), n_genes=(X > 0).sum(axis=1))
    for name, values in measures.items():
        np.testing.assert_array_equal(given[name], values)


def test_few_cells_do_not_say_what_is_usual() -> None:
    X = with_some_empty()
    assert quality(X[:49])[1]["empty"].tolist() == (X[:49].sum(axis=1) == 0).tolist()
    assert not quality(X[:49], Profiles().fit(*singles(300)))[1]["ambient"].any()


def test_too_many_doublets_are_none() -> None:
    """What looks like doublets in a fifth of the cells is another kind of data."""
    X, codes = singles(1200)
    known = Profiles().fit(X[:600], codes[:600])
    half = X[600:900] + X[900:]
    line = known.doublet_threshold_
    found = quality_measures(half, known)["doublet"] > line
    assert found.mean() > 0.5
    few = sparse.vstack([X[600:900], half[np.flatnonzero(found)[:30]]]).tocsr()
    assert quality(few, known)[1]["doublet"][300:].all()
    many = sparse.vstack([X[600:900], half[found]]).tocsr()
    assert (quality_measures(many, known)["doublet"] > line).mean() > MOST_DOUBLETS
    assert not quality(many, known)[1]["doublet"].any()
    # Of fewer cells the share says little.
    assert quality(half[found][:3], known)[1]["doublet"].all()


def test_other_data_may_lack_genes() -> None:
    X, codes = singles(600)
    known = Profiles().fit(X, codes)
    order = np.argsort(known.mean_)
    rare, frequent = np.ones(300, dtype=bool), np.ones(300, dtype=bool)
    rare[order[:50]], frequent[order[-50:]] = False, False
    part = known.on(rare)
    assert part.doublet_threshold_ == known.doublet_threshold_
    np.testing.assert_allclose(part.types_.sum(axis=1), 1)
    np.testing.assert_allclose(part.types_[1] / part.types_[1, 0], known.types_[1, rare] / known.types_[1, rare][0])
    assert part.mean_.sum() == pytest.approx(1)
    assert known.on(frequent).doublet_threshold_ == np.inf
    assert known.on(np.ones(300, dtype=bool)) is known


def test_partners_stand_for_many_types() -> None:
    rng = np.random.default_rng(0)
    centres = rng.dirichlet(np.ones(40), size=5)
    types = np.repeat(centres, 10, axis=0) + rng.uniform(0, 1e-3, size=(50, 40))
    types /= types.sum(axis=1, keepdims=True)
    chosen = partners(types, np.array([12]))[0]
    assert len(set(chosen.tolist())) == 16
    assert 12 not in chosen
    assert set(chosen[:4] // 10) == {0, 2, 3, 4}
    np.testing.assert_array_equal(partners(types[:5], np.array([2, 4])), [[0, 1, 3, 4], [0, 1, 2, 3]])
    X = rng.poisson(500 * types)
    measured = quality_measures(X, Profiles().fit(X, np.arange(50)))["doublet"]
    assert np.isfinite(measured).all()


@pytest.mark.parametrize("k", [18, 30, 100])
def test_partners_step_by_step(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sc_annotate.trust._mixing._TYPES", 7)
    roots = np.sqrt(types := np.random.default_rng(k).dirichlet(np.full(200, 0.3), size=k))
    codes = np.arange(0, k, 2)
    for code, chosen in zip(codes, partners(types, codes), strict=True):
        known = [code]
        for partner in chosen:
            distances = [min(((root - roots[other]) ** 2).sum() for other in known) for root in roots]
            assert partner == np.argmax(distances)
            known.append(partner)


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
    one, low = quality(adata.X[rest], known)
    two = quality_measures(adata.X[rest[differ]] + adata.X[other[differ]], known)
    unseen = np.repeat([False, True], [rest.size, differ.sum()])
    assert sca.metrics.auroc(unseen, np.concatenate([one["doublet"], two["doublet"]])) > 0.85
    assert low["doublet"].mean() < 0.05
    assert (two["doublet"] > known.doublet_threshold_).mean() > 0.3


def test_droplets_of_ambient_molecules_are_found() -> None:
    X, codes = singles(800)
    known = Profiles().fit(X, codes)
    rng = np.random.default_rng(0)
    # Fewer molecules than most cells have, but not so few that the cell is empty.
    log = np.log1p(X.sum(axis=1).A1)
    n = int(np.exp(np.median(log) - 2 * median_abs_deviation(log, scale="normal")))
    ambient = rng.multinomial(n, known.mean_ / known.mean_.sum(), size=100)
    few = rng.multinomial(n, known.types_[1] / known.types_[1].sum(), size=100)
    low = quality(sparse.vstack([X, ambient, few]).tocsr(), known)[1]["ambient"]
    assert low[800:900].mean() > 0.9
    assert low[900:].mean() < 0.1
    assert low[:800].mean() < 0.02


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


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.coo_array])
def test_any_matrix_in_blocks_or_at_once(make: Any) -> None:
    X, codes = singles(200)
    known = Profiles().fit(make(X.toarray()), codes)
    whole, low = quality(X, known)
    parts = [quality_measures(make(X[rows].toarray()), known) for rows in (slice(0, 90), slice(90, 200))]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in whole}
    for name, values in whole.items():
        np.testing.assert_allclose(joined[name], values, rtol=1e-9, atol=1e-9)
    for name, mask in low_quality(joined, known.doublet_threshold_).items():
        np.testing.assert_array_equal(mask, low[name])


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
        assert other.doublet_threshold_ == known.doublet_threshold_
        assert other.doublets_found_ == known.doublets_found_
        for a, b in zip(quality(X, known), quality(X, other), strict=True):
            for name in a:
                np.testing.assert_array_equal(a[name], b[name])
    for bad in (
        {"types": arrays["types"][:, 1:]},
        {"types": -arrays["types"]},
        {"mean": arrays["mean"][None]},
        {"lines": np.array(["a", "b"])},
    ):
        with pytest.raises(InputError, match="Fit again"):
            Profiles.from_arrays(arrays | bad, meta)
    with pytest.raises(InputError, match="Fit again"):
        Profiles.from_arrays(arrays, {})


def test_few_cells_draw_no_line() -> None:
    X, codes = singles(300)
    few = Profiles().fit(X[:20], codes[:20])
    assert few.doublet_threshold_ == np.inf
    assert not quality(X, few)[1]["doublet"].any()
    one_type = Profiles().fit(X, np.zeros(300, dtype=int))
    assert one_type.doublet_threshold_ == np.inf
    assert (quality(X, one_type)[0]["doublet"] == 0).all()
    assert np.isfinite(Profiles().fit(X[:3], [0, 1, 7]).types_).all()


def test_a_sample_of_a_large_reference_will_do() -> None:
    X, codes = singles(2000)
    whole, part = Profiles().fit(X, codes), Profiles(max_cells=1000).fit(X, codes)
    assert part.doublet_threshold_ == pytest.approx(whole.doublet_threshold_, rel=0.5)
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
    with pytest.raises(InputError, match="not fitted"):
        quality(X, Profiles())
    measures = quality_measures(X, known)
    with pytest.raises(InputError, match="length"):
        low_quality(measures | {"doublet": np.zeros(3)})
    with pytest.raises(InputError, match="log_genes"):
        low_quality({"log_counts": np.zeros(3)})
    with pytest.raises(InputError, match="totals"):
        quality(X, totals=[1, 2])
    for bad in (Profiles(false_positive_rate=0), Profiles(folds=1), Profiles(max_cells=1.5)):
        with pytest.raises(InputError, match="must be"):
            bad.fit(X, codes)
