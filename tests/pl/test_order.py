"""Similar types become neighbours."""

from __future__ import annotations

import numpy as np

from sc_annotate.pl._order import by_similarity


def chain(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Types that lie on a line, each confused with its neighbours, in shuffled order."""
    line = np.eye(n) * 0.6 + np.eye(n, k=1) * 0.2 + np.eye(n, k=-1) * 0.2
    shuffled = np.random.default_rng(seed).permutation(n)
    return line[np.ix_(shuffled, shuffled)], shuffled


def test_pairs_of_confused_types_become_neighbours() -> None:
    pairs = np.eye(8) * 0.7
    for i in range(4):
        pairs[i, i + 4] = pairs[i + 4, i] = 0.3
    assert by_similarity(pairs).tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_a_line_of_types_keeps_most_neighbours() -> None:
    for seed in range(5):
        shares, shuffled = chain(9, seed)
        order = by_similarity(shares)
        assert sorted(order) == list(range(9))
        kept = (np.abs(np.diff(shuffled[order])) == 1).sum()
        assert kept >= 7
        assert kept > (np.abs(np.diff(shuffled)) == 1).sum()


def test_what_is_not_confused_stays() -> None:
    assert by_similarity(np.eye(6)).tolist() == list(range(6))
    noise = np.eye(6) * 0.95 + 0.01
    assert by_similarity(noise).tolist() == list(range(6))


def test_small_and_empty() -> None:
    assert by_similarity(np.ones((1, 1))).tolist() == [0]
    assert by_similarity(np.array([[0.5, 0.5], [np.nan, np.nan]])).tolist() == [0, 1]
    assert by_similarity(np.zeros((0, 0))).tolist() == []


def test_more_types_than_the_best_order_is_sought_for() -> None:
    shares, _ = chain(250, 0)
    assert sorted(by_similarity(shares)) == list(range(250))
