"""Groups of a query against held-out batches, on simulated cells."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from sc_annotate.errors import InputError
from sc_annotate.trust import Groups
from sc_annotate.trust.grouping import k_means, means_of

GENES = 150


def cells(types: list[int], n: int = 50, *, shift: float = 0.0, seed: int = 0) -> Any:
    """Types have ten genes of their own; a batch moves every second gene."""
    draw = np.random.default_rng(seed)
    X = draw.normal(1.0, 0.5, (n * len(types), GENES)) + shift * (np.arange(GENES) % 2)
    for i, of in enumerate(types):
        X[i * n : (i + 1) * n, of * 10 : of * 10 + 10] += 1.0
    return np.maximum(X, 0).astype(np.float32)


def fitted(batches: int = 3, **how: Any) -> Groups:
    known = np.vstack([cells([0, 1, 2, 3], shift=0.2 * b, seed=b) for b in range(batches)])
    codes = np.tile(np.repeat(np.arange(4), 50), batches)
    batch = np.repeat([f"b{b}" for b in range(batches)], 200)
    return Groups(**how).fit(known, codes, batch=batch if batches > 1 else None)


def shares(model: Groups, query: Any, n: int = 50) -> list[float]:
    found = model.find(query)
    assert found is not None
    flagged = found.statistic > model.threshold(0.05)
    return flagged[found.assign(query)].reshape(-1, n).mean(axis=1).tolist()


def test_a_new_type_is_flagged_as_one_group() -> None:
    model = fitted()
    query = cells([0, 1, 2, 3, 7], shift=0.9, seed=9)
    found = model.find(query)
    assert found is not None
    flagged = found.statistic > model.threshold(0.05)
    assert flagged.sum() == 1
    assert flagged[found.assign(query)].reshape(5, 50).mean(axis=1).tolist() == [0, 0, 0, 0, 1]
    # Its own genes, which separate no known types, are those that set it apart.
    assert set(np.argsort(-found.apart[0])[:10]) == set(range(70, 80))


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_neither_a_batch_nor_the_composition_is_a_new_type(shift: float) -> None:
    assert shares(fitted(), cells([0, 1, 2, 3], shift=shift, seed=9)) == [0, 0, 0, 0]
    skewed = np.vstack([cells([0], 250, shift=shift, seed=9), cells([1, 2], 50, shift=shift, seed=10)])
    found, model = fitted().find(skewed), fitted()
    assert found is not None
    assert not (found.statistic > model.threshold(0.05)).any()


def test_one_batch_flags_what_is_as_far_as_types_are() -> None:
    model = fitted(batches=1)
    assert model.n_batches_ == 1
    assert model.doubt(0.05) <= model.threshold(0.05)
    query = cells([0, 1, 2, 3], seed=9)
    query[:50, 70:90] += 1.5
    assert shares(model, query) == [1, 0, 0, 0]


def test_genes_that_the_query_lacks_take_no_part() -> None:
    model, query = fitted(), cells([0, 1, 2, 3, 7], shift=0.4, seed=9)
    present = np.arange(GENES) % 3 > 0
    query[:, ~present] = 5.0
    found = model.find(query, genes=present)
    assert found is not None
    assert not found.weights[~present].any()
    assert not found.apart[:, ~present].any()
    flagged = found.statistic > model.threshold(0.05)
    assert flagged[found.assign(query)].reshape(5, 50).mean(axis=1).tolist() == [0, 0, 0, 0, 1]


def test_sparse_and_dense_cells_give_the_same_groups() -> None:
    query = cells([0, 1, 2, 3, 7], seed=9)
    model = fitted()
    dense, csr = model.find(query), model.find(sparse.csr_matrix(query))
    assert dense is not None
    assert csr is not None
    np.testing.assert_allclose(dense.statistic, csr.statistic, rtol=1e-5)
    np.testing.assert_array_equal(dense.assign(query), csr.assign(sparse.csr_matrix(query)))


def test_small_queries_have_no_groups() -> None:
    model = fitted()
    assert model.rows(49).size == 0
    assert model.rows(10_000).size == model.max_cells
    assert model.find(cells([0, 1], 20)) is None


def test_what_is_stored_is_the_same_model() -> None:
    model, query = fitted(), cells([0, 1, 2, 3, 7], seed=9)
    arrays, meta = model.to_arrays()
    again = Groups.from_arrays(arrays, json.loads(json.dumps(meta)))
    one, other = model.find(query), again.find(query)
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.statistic, other.statistic)
    assert again.threshold(0.1) == model.threshold(0.1)
    with pytest.raises(InputError):
        Groups.from_arrays(arrays | {"known": -arrays["known"]}, meta)
    with pytest.raises(InputError):
        Groups.from_arrays(arrays, {"params": meta["params"]})


def test_two_types_have_a_threshold_too() -> None:
    known = np.vstack([cells([0, 1], shift=0.2 * b, seed=b) for b in range(3)])
    model = Groups().fit(known, np.tile(np.repeat([0, 1], 50), 3), batch=np.repeat(["a", "b", "c"], 100))
    assert not model.unseen_.size
    assert np.isfinite(model.threshold(0.05))
    arrays, meta = model.to_arrays()
    assert not Groups.from_arrays(arrays, meta).unseen_.size


@pytest.mark.parametrize(
    ("codes", "message"),
    [(np.zeros(60, int), "too few"), (np.full(60, 0.5), "whole numbers"), (np.arange(5), "whole numbers")],
)
def test_what_cannot_be_learned_from_is_refused(codes: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Groups().fit(cells([0, 1], 30), codes)
    with pytest.raises(InputError, match="not fitted"):
        Groups().threshold(0.05)


def test_k_means_finds_separate_clouds() -> None:
    draw = np.random.default_rng(0)
    points = draw.normal(0, 0.1, (90, 2)) + np.repeat([[0, 0], [5, 0], [0, 5]], 30, axis=0)
    centers = k_means(points, 3, 0)
    want = means_of(points, np.repeat([0, 1, 2], 30))[0]
    np.testing.assert_allclose(sorted(centers.tolist()), sorted(want.tolist()), atol=1e-9)
    np.testing.assert_array_equal(centers, k_means(points, 3, 0))
    assert k_means(np.zeros((5, 2)), 3, 0).shape[1] == 2
