"""Scores of lists from the order of genes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sc_annotate.annotators.marker_ranks import DRAWS, RankScores, Step, rank_scores, refine, shares_after


def test_the_formula() -> None:
    """Written out gene by gene."""
    weights = np.array([[3.0, 1, 0], [1, 0, 0], [0, 0, 2], [0, -2, 0], [0, 0, 0]])
    ranked = np.array([[0, 3, 1], [2, 4, -1]])
    found = rank_scores(ranked, weights)
    named = (weights > 0).sum(axis=1)
    idf = 1 + np.log((1 + 3) / (1 + named))
    for group, genes in enumerate(ranked.tolist()):
        for t in range(3):
            total = sum(idf[g] * abs(weights[g, t]) for g in range(5))
            added = sum((1 - r / 3) * idf[g] * weights[g, t] for r, g in enumerate(genes) if g >= 0)
            assert found.scores[group, t] == pytest.approx(added / np.sqrt(total))
    assert found.scores.argmax(axis=1).tolist() == [0, 2]
    np.testing.assert_allclose(found.parts.sum(axis=1), found.scores)


def test_chance_is_that_of_all_orders() -> None:
    """Mean and standard deviation over all orders of five genes, of which two count."""
    weights = np.array([[3.0, 1], [1, 0], [0, 2], [0, -2], [0, 0]])
    orders = np.array(list(itertools.permutations(range(5))))[:, :2]
    found = rank_scores(orders, weights)
    np.testing.assert_allclose(found.above_chance.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.above_chance.std(axis=0), 1)


def test_no_gene_no_label_and_one_gene_no_sure_one() -> None:
    rng = np.random.default_rng(0)
    weights = np.zeros((200, 3))
    weights[:20, 0] = weights[20:40, 1] = weights[40:60, 2] = 1
    none = np.full(10, -1)
    ranked = np.array([np.arange(10), none, np.arange(100, 110), np.r_[np.arange(5), np.arange(20, 25)]])
    found = rank_scores(ranked, weights)
    assert found.fits_none.tolist() == [False, True, True, False]
    shares = found.shares(rng=1)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert shares[0, 0] == 1
    assert 0.5 < shares[3, 0] < 1
    np.testing.assert_array_equal(shares, found.shares(rng=1))
    assert (shares * DRAWS % 1 < 1e-3).sum() > 0
    random = np.array([rng.permutation(200)[:10] for _ in range(300)])
    assert rank_scores(random, weights[:, :1]).fits_none.mean() > 0.9


def test_long_lists_do_not_win_by_their_length() -> None:
    """A list with half of all genes has as many hits by chance as a short one has by right."""
    weights = np.zeros((100, 2))
    weights[:8, 0] = 1
    weights[::2, 1] = 1
    assert rank_scores(np.arange(8)[None], weights).scores.argmax() == 0


def test_relatives_are_told_apart_by_finer_lists() -> None:
    """Two groups fit the broad list best; what sets each apart names its finer type, and a group alone keeps the broad one."""
    weights = np.zeros((60, 4))
    weights[:20, 0] = 3  # broad
    weights[:3, 1] = weights[8:11, 1] = 1  # finer: some of the common genes, and own ones
    weights[:3, 2] = weights[11:14, 2] = 1
    weights[30:40, 3] = 1
    values = np.zeros((3, 60))
    values[:2, :20] = np.linspace(5, 4, 20)
    values[0, 8:11] += 1
    values[1, 11:14] += 1
    values[2, 30:40] = 4

    def finer(coarse: int) -> list[int]:
        return [1, 2] if coarse == 0 else []

    def steps_of(values: np.ndarray) -> tuple[RankScores, list[Step]]:
        order = np.argsort(-values, axis=1, kind="stable")[:, :20]
        found = rank_scores(np.where(np.take_along_axis(values, order, axis=1) > 0, order, -1), weights)
        return found, refine(found.best, found.scores, values, np.arange(60), weights, finer, 20)

    found, steps = steps_of(values)
    assert found.best.tolist() == [0, 0, 3]
    assert [(step.group, step.coarse, step.best) for step in steps] == [(0, 0, 1), (1, 0, 2)]
    shares = found.shares()
    after = shares_after(shares, steps)
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-6)
    assert after[:2].argmax(axis=1).tolist() == [1, 2]
    assert (after[:2, 0] == 0).all()
    np.testing.assert_array_equal(after[2], shares[2])
    np.testing.assert_array_equal(after, shares_after(shares, steps))
    assert steps_of(values[[0, 2]])[1] == []
    # Nothing sets equal groups apart.
    assert steps_of(values[[0, 0, 2]])[1] == []
