"""What cells share with their neighbours in the query, against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from sc_annotate.errors import InputError
from sc_annotate.trust import Familiarity
from sc_annotate.trust._kernels import smallest
from sc_annotate.trust.neighbourhood import ALIGN, Neighbourhood, align


def cells(n: int = 300, p: int = 60, k: int = 3, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % k
    centers = np.random.default_rng(99).normal(0, 1.5, (k, p))
    return np.maximum(centers[codes] + rng.normal(0, 1, (n, p)), 0).astype(np.float32), codes


@pytest.fixture(scope="module")
def fitted() -> tuple[Familiarity, Any]:
    X, codes = cells(n=400)
    return Familiarity(n_components=8).fit(X, codes), X


def residuals(X: Any, of: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scaled cells along the leading eight directions of `of`, and what those leave."""
    sd, mean = of.std(axis=0, dtype=np.float64), of.mean(axis=0, dtype=np.float64)
    _, _, vt = np.linalg.svd((of - mean) / sd, full_matrices=False)
    scaled = (X - mean) / sd
    return scaled @ vt[:8].T, scaled - scaled @ vt[:8].T @ vt[:8]


def test_displacement_is_what_sets_a_cell_apart_from_its_type(fitted: tuple[Familiarity, Any]) -> None:
    model, X = fitted
    space = model.space_
    seen = space.see(X[:50])
    for own, way, mean in zip(seen.white, seen.off, seen.white - seen.off, strict=True):
        distance = np.linalg.norm(space.means - own, axis=1)
        np.testing.assert_allclose(mean, space.means[distance.argmin()], atol=1e-4)
        assert np.linalg.norm(way) == pytest.approx(distance.min(), rel=1e-4)
    rest = residuals(X[:50], X)[1]
    neighbourhood = Neighbourhood.of(space, X[:50], 50)
    assert neighbourhood.rest is not None
    np.testing.assert_allclose(
        (neighbourhood.rest * X.std(axis=0)[:, None])[:, neighbourhood.stands], rest.T, atol=5e-3
    )
    assert seen.unexplained is not None
    length = np.sqrt(seen.unexplained)
    np.testing.assert_allclose(length, np.linalg.norm(rest, axis=1), rtol=1e-3)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("inside", [True, False], ids=["in the neighbourhood", "outside of it"])
def test_shared_by_a_plain_loop(fitted: tuple[Familiarity, Any], inside: bool, make: Any) -> None:
    model, X = fitted
    space = model.space_
    others = X[:120] if inside else X[100:220]
    neighbourhood = Neighbourhood.of(space, make(others), 120)
    seen = space.see(make(X[:40]))
    got = neighbourhood.measure(seen, np.arange(40) if inside else np.full(40, -1))
    stand = NearestNeighbors(n_neighbors=14).fit(neighbourhood.white).kneighbors(seen.white)[1]
    near = np.argsort(neighbourhood.stands)[stand]
    own_rest, rest = residuals(X[:40], X)[1], residuals(others, X)[1]
    for i in range(40):
        mine = [j for j in near[i] if not (inside and j == i)][:12]
        for name, own, theirs in (
            ("shared_within", seen.off[i], neighbourhood.off[neighbourhood.stands[mine]]),
            ("shared_residual", own_rest[i], rest[mine]),
        ):
            want = own @ theirs.mean(axis=0) / np.linalg.norm(own)
            assert got[name][i] == pytest.approx(want, abs=5e-3)


@pytest.mark.parametrize("m", [20, 97, 300])
@pytest.mark.parametrize("k", [1, 2, 12])
def test_smallest_beside_a_sort(m: int, k: int) -> None:
    rng = np.random.default_rng(m + k)
    distances = rng.normal(size=(60, m)).astype(np.float32)
    distances[:20] = np.round(distances[:20])  # many ties
    distances[:, 3] = np.inf
    distances[40:45] = 1.5
    distances[45:50, 13:] = np.inf
    got = smallest(distances, k)
    for row, columns in zip(distances, got, strict=True):
        assert np.unique(columns).size == k
        assert (np.sort(row[columns]) == np.sort(row)[:k]).all()


def test_smallest_of_what_is_no_number_stays_inside() -> None:
    assert (smallest(np.full((2, 30), np.nan, np.float32), 5) < 30).all()


def test_noise_is_not_shared_and_a_new_type_is(fitted: tuple[Familiarity, Any]) -> None:
    model, _ = fitted
    known, _ = cells(n=300, seed=5)
    rng = np.random.default_rng(1)
    new = np.maximum(rng.normal(0, 1.5, 60) + rng.normal(0, 1, (60, 60)), 0).astype(np.float32)
    found = model.measures(np.vstack([known, new]))
    for name in ("shared_within", "shared_residual"):
        assert abs(found[name][:300].mean()) < 1
        assert found[name][300:].mean() > 2


def test_alignment_takes_off_what_all_share() -> None:
    rng = np.random.default_rng(0)
    usual = np.quantile(rng.normal(size=4000), ALIGN)
    query = 2 * rng.normal(size=4000) + 3
    query[:400] += 20
    laid = align(query, usual)
    assert np.quantile(laid, 0.15) == pytest.approx(usual[1], abs=0.02)
    assert np.quantile(laid, 0.30) == pytest.approx(usual[2], abs=0.05)
    assert laid[:400].min() > laid[400:].max()
    # Nothing is moved up: a query that lies lower stays where it is.
    np.testing.assert_array_equal(align(query - 30, usual) <= query - 30, True)


def test_a_new_batch_is_not_a_new_type() -> None:
    """Every cell is displaced alike, by a batch: few are called unfamiliar for it."""
    X, codes = cells(n=900)
    model = Familiarity(n_components=8).fit(X[:600], codes[:600])
    shift = np.random.default_rng(3).normal(0, 0.5, 60).astype(np.float32)
    moved = X[600:] + np.abs(shift)
    alone = Familiarity(n_components=8, combine=("mahalanobis", "relative", "residual", "energy"))
    alone.fit(X[:600], codes[:600])
    flagged = (model.p_values(model.score(moved)) < 0.05).mean()
    assert flagged <= (alone.p_values(alone.score(moved)) < 0.05).mean() + 0.02


@pytest.mark.parametrize("n", [1, 2, 19])
def test_small_queries_have_no_company(fitted: tuple[Familiarity, Any], n: int) -> None:
    model, X = fitted
    assert model.neighbourhood_rows(n).size == 0
    one_by_one = np.concatenate([model.score(X[i : i + 1]) for i in range(n)])
    np.testing.assert_allclose(model.score(X[:n]), one_by_one, rtol=1e-5)


def test_company_is_as_large_as_held_out_cells_had_it(fitted: tuple[Familiarity, Any]) -> None:
    model, _ = fitted
    assert [model.neighbourhood_rows(n).size for n in (20, 39, 40, 79, 80, 5000)] == [20, 39, 40, 79, 80, 80]
    rows = model.neighbourhood_rows(5000, rng=1)
    assert (np.diff(rows) > 0).all()
    assert not np.array_equal(rows, model.neighbourhood_rows(5000, rng=2))
    np.testing.assert_array_equal(rows, model.neighbourhood_rows(5000, rng=1))


def test_in_blocks_as_at_once(fitted: tuple[Familiarity, Any]) -> None:
    model, X = fitted
    sparse_X = sparse.csr_matrix(X)
    rows = model.neighbourhood_rows(400)
    own = np.full(400, -1)
    own[rows] = np.arange(rows.size)
    neighbourhood = model.gather(sparse_X[rows], 400)
    parts = [model.measure(sparse_X[i : i + 70], neighbourhood, own[i : i + 70]) for i in range(0, 400, 70)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    np.testing.assert_allclose(model.combined(joined), model.score(X), atol=1e-4)


def test_parts_of_choice() -> None:
    X, codes = cells(n=400)
    for combine in (("mahalanobis", "shared_within"), ("shared_residual",), ("landmark",)):
        model = Familiarity(n_components=8, combine=combine).fit(X, codes)
        want = set(combine) | ({"mahalanobis"} if combine == ("shared_residual",) else set())
        assert set(model.parts(X)) == want
    with pytest.raises(InputError, match="combine"):
        Familiarity(combine=("shared",)).fit(X, codes)
