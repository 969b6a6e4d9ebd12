"""The bootstrap by tables against the plain one over cells."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from sc_annotate import metrics
from sc_annotate.errors import InputError
from sc_annotate.evaluation import interval, paired_difference

METRICS = ["accuracy", "macro_f1", "balanced_accuracy"]


def example(n: int = 120) -> tuple[np.ndarray, ...]:
    """Truth with a rare type, two methods of which one rejects and one invents, and ten groups."""
    rng = np.random.default_rng(5)
    y = np.array(["B", "NK", "T", "mast"])[rng.choice(4, n, p=[0.5, 0.28, 0.2, 0.02])]
    y[:2] = "mast"
    a = np.where(rng.random(n) < 0.85, y, rng.permutation(y)).astype(object)
    b = np.where(rng.random(n) < 0.6, y, rng.permutation(y)).astype(object)
    a[5:12] = None
    b[20:30] = "plasma"
    # Groups differ in difficulty, so that resampling them is not the same as resampling cells.
    group = rng.integers(0, 10, n)
    b[group < 3] = "B"
    return y, a, b, group.astype(str)


def score(metric: str, y: np.ndarray, labels: np.ndarray) -> float:
    # metrics runs over the types in the truth of the replicate: a type that is lost does not count.
    return float(getattr(metrics, metric)(y, labels))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("by", ["cell", "group"])
def test_intervals_agree_with_a_plain_bootstrap(metric: str, by: str) -> None:
    y, a, b, groups = example()
    rng = np.random.default_rng(1)
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    one, two = [], []
    for _ in range(1500):
        if by == "cell":
            rows = rng.integers(0, y.size, y.size)
        else:
            rows = np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
        one.append(score(metric, y[rows], b[rows]))
        two.append(score(metric, y[rows], a[rows]) - one[-1])
    by_groups = groups if by == "group" else None
    fast = interval(y, b, metric=metric, groups=by_groups, n_boot=20_000)
    pair = paired_difference(y, a, b, metric=metric, groups=by_groups, n_boot=20_000)
    for slow, out in ((one, fast), (two, pair)):
        low, high = np.quantile(slow, [0.025, 0.975])
        # Monte-Carlo error of a 2.5 % quantile from 1,500 replicates is about 0.07 standard deviations.
        tolerance = 0.3 * np.std(slow)
        assert out.low == pytest.approx(low, abs=tolerance)
        assert out.high == pytest.approx(high, abs=tolerance)
    assert fast.estimate == pytest.approx(score(metric, y, b))
    assert pair.estimate == pytest.approx(score(metric, y, a) - score(metric, y, b))


@pytest.mark.parametrize("metric", METRICS)
def test_three_cells_give_the_exact_distribution(metric: str) -> None:
    y, labels = np.array(["B", "B", "T"]), np.array(["B", "T", None], dtype=object)
    every = [score(metric, y[list(rows)], labels[list(rows)]) for rows in itertools.product(range(3), repeat=3)]
    for level in (0.3, 0.6):
        out = interval(y, labels, metric=metric, level=level, n_boot=40_000)
        expected = np.quantile(every, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
        np.testing.assert_allclose([out.low, out.high], expected)


def test_a_type_that_a_replicate_loses_is_left_out_of_its_mean() -> None:
    # One mast cell, always called rightly, as all others are: if a lost type counted as 0, the score would drop.
    y = np.array(["B"] * 30 + ["mast"])
    for metric in METRICS:
        out = interval(y, y, metric=metric)
        assert (out.estimate, out.low, out.high) == (1, 1, 1)


def test_resampling_groups_is_wider_where_groups_differ() -> None:
    y, _, b, groups = example(600)
    cells, whole = (interval(y, b, metric="accuracy", groups=g) for g in (None, groups))
    assert whole.high - whole.low > 1.5 * (cells.high - cells.low)


def test_a_pair_is_narrower_than_the_two_apart() -> None:
    y, _, b, _ = example(600)
    a = b.copy()
    a[:5] = y[:5]
    pair = paired_difference(y, a, b, metric="accuracy")
    alone = interval(y, b, metric="accuracy")
    assert pair.high - pair.low < 0.3 * (alone.high - alone.low)
    assert paired_difference(y, a, a).low == paired_difference(y, a, a).high == 0


def test_equal_seeds_repeat_and_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    from sc_annotate.evaluation import compare as _bootstrap

    y, a, b, _ = example()
    first = paired_difference(y, a, b, rng=3)
    assert first == paired_difference(y, a, b, rng=3)
    assert first != paired_difference(y, a, b, rng=4)
    monkeypatch.setattr(_bootstrap, "_BLOCK", 100)
    assert first == paired_difference(y, a, b, rng=3)


def test_level_widens_and_nothing_called_is_zero() -> None:
    y, a, _, _ = example()
    narrow, wide = interval(y, a, level=0.5), interval(y, a, level=0.99)
    assert wide.low < narrow.low < narrow.estimate < narrow.high < wide.high
    nothing = interval(y, [None] * y.size)
    assert (nothing.estimate, nothing.low, nothing.high) == (0, 0, 0)


def test_a_thousand_replicates_of_fifty_types_are_quick() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 50, 20_000)
    labels = np.where(rng.random(y.size) < 0.8, y, (y + rng.integers(1, 4, y.size)) % 50)
    interval(y[:100], labels[:100])
    start = time.process_time()
    interval(y, labels)
    # Measured: below 0.1 s.
    assert time.process_time() - start < 2


def test_what_cannot_be_resampled_is_refused() -> None:
    y, a, b, groups = example()
    with pytest.raises(InputError, match="metric must be"):
        interval(y, a, metric="f1")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="only one group"):
        interval(y, a, groups=["g"] * y.size)
    with pytest.raises(InputError, match="groups has 119"):
        interval(y, a, groups=groups[1:])
    with pytest.raises(InputError, match="labels has 119"):
        paired_difference(y, a, b[1:])
    with pytest.raises(InputError, match="y is empty"):
        interval([], [])
    for kwargs in ({"n_boot": 0}, {"level": 1.0}, {"level": 0.0}):
        with pytest.raises(InputError, match="n_boot must be"):
            interval(y, a, **kwargs)  # type: ignore[arg-type]
