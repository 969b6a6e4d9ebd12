"""Splits that leak nothing, repeat themselves, and cope with types of one cell."""

from __future__ import annotations

import numpy as np
import pytest

from sc_annotate.errors import InputError
from sc_annotate.evaluation import (
    Split,
    grouped,
    holdout,
    leave_one_group_out,
    leave_one_type_out,
    missing_types,
    stratified,
)
from sc_annotate.evaluation.allocation import sample

RNG = np.random.default_rng(0)
# Skewed; one type with a single cell, one with fewer cells than folds.
Y = RNG.permutation(np.repeat(["B", "NK", "T", "mast", "one"], [100, 31, 60, 3, 1]))
DONOR = np.array(["d1", "d2", "d3", "d4", "d5", "d6"])[RNG.choice(6, Y.size, p=[0.3, 0.25, 0.15, 0.1, 0.1, 0.1])]


def all_splits(rng: int = 0) -> list[Split]:
    return [
        *stratified(Y, 5, rng=rng),
        *grouped(Y, DONOR, 3, rng=rng),
        *leave_one_group_out(DONOR),
        *leave_one_type_out(Y, rng=rng),
        holdout(Y, rng=rng),
        holdout(Y, groups=DONOR, rng=rng),
    ]


def test_nothing_leaks_and_every_cell_is_used() -> None:
    for split in all_splits():
        assert np.intersect1d(split.train, split.test).size == 0
        np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.test])), np.arange(Y.size))
        assert split.train.size
        assert split.test.size
        assert split.train.dtype == split.test.dtype == np.intp
        assert (np.diff(split.train) > 0).all()


def test_groups_never_sit_on_both_sides() -> None:
    for split in [*grouped(Y, DONOR, 4), *leave_one_group_out(DONOR), holdout(Y, groups=DONOR)]:
        assert not set(DONOR[split.train]) & set(DONOR[split.test])


def test_equal_seeds_give_equal_splits_and_others_do_not() -> None:
    first, again, other = all_splits(0), all_splits(0), all_splits(1)
    for a, b in zip(first, again, strict=True):
        assert a.name == b.name
        np.testing.assert_array_equal(a.test, b.test)
    for i in (0, len(first) - 2):
        assert not np.array_equal(first[i].test, other[i].test)


@pytest.mark.parametrize("k", [2, 5, 10])
def test_stratified_folds_are_even_within_each_type_and_over_all(k: int) -> None:
    folds = stratified(Y, k, rng=3)
    assert np.array_equal(np.sort(np.concatenate([f.test for f in folds])), np.arange(Y.size))
    sizes = [f.test.size for f in folds]
    assert max(sizes) - min(sizes) <= 1
    for name in set(Y):
        n = [(Y[f.test] == name).sum() for f in folds]
        assert max(n) - min(n) <= 1


def test_stratified_with_fewer_cells_of_every_type_than_folds() -> None:
    folds = stratified(["a", "b", "c", "a"], 4)
    assert [f.test.size for f in folds] == [1, 1, 1, 1]
    assert sum(missing_types(["a", "b", "c", "a"], f).size for f in folds) == 2


@pytest.mark.parametrize("rng", range(5))
def test_grouped_folds_spread_the_types(rng: int) -> None:
    # Twelve donors, half of them with only B cells: a fold without both kinds would be a bad one.
    donors = np.repeat([f"d{i:02d}" for i in range(12)], 10)
    y = np.where(np.arange(120) < 60, "B", "T")
    for split in grouped(y, donors, 3, rng=rng):
        assert split.test.size == 40
        assert (y[split.test] == "B").sum() == 20


def test_grouped_has_no_empty_fold_where_stratifying_would_leave_one() -> None:
    # As many folds as groups, one of them large: found by search, StratifiedGroupKFold leaves a fold empty.
    rng = np.random.default_rng(2868)
    n_groups, k = int(rng.integers(2, 8)), None
    k = int(rng.integers(2, n_groups + 1))
    n = n_groups + int(rng.integers(0, 60))
    groups = np.r_[np.arange(n_groups), np.minimum(rng.geometric(0.5, n - n_groups) - 1, n_groups - 1)]
    y = groups % 2
    from sklearn.model_selection import StratifiedGroupKFold

    oracle = StratifiedGroupKFold(k, shuffle=True, random_state=0).split(y, y, groups)
    if min(test.size for _, test in oracle) > 0:
        pytest.skip("this scikit-learn fills every fold here")
    folds = grouped(y, groups, k)
    assert min(f.test.size for f in folds) > 0
    assert all(len(set(groups[f.test])) == 1 for f in folds)


def test_leave_one_type_out_removes_the_type_and_tests_the_same_cells_of_the_others() -> None:
    splits = leave_one_type_out(Y, fraction=0.3)
    assert [s.name for s in splits] == sorted(set(Y))
    assert all(s.name not in Y[s.train] for s in splits)
    assert all((Y[s.test] == s.name).sum() == (Y == s.name).sum() for s in splits)
    known_b = [s.test[Y[s.test] == "B"] for s in splits if s.name != "B"]
    assert known_b[0].size == 30
    assert all(np.array_equal(known_b[0], other) for other in known_b)
    # The single cell of its type stays in training, unless it is the type left out.
    assert all("one" in Y[s.train] for s in splits if s.name != "one")
    assert missing_types(Y, splits[0]).tolist() == ["B"]


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
def test_stratified_holdout_keeps_a_cell_of_each_type_on_both_sides(fraction: float) -> None:
    split = holdout(Y, fraction=fraction)
    for name in set(Y):
        n, out = (Y == name).sum(), (Y[split.test] == name).sum()
        assert out == (0 if n == 1 else min(max(round(fraction * n), 1), n - 1))
    assert missing_types(Y, split).size == 0


def test_holdout_by_groups_comes_as_close_to_the_fraction_as_it_can() -> None:
    groups = np.repeat(["a", "b", "c"], [10, 28, 62])
    y = np.tile(["B", "T"], 50)
    for fraction, held_out in ((0.1, {"a"}), (0.3, {"b"}), (0.6, {"c"}), (0.9, {"b", "c"})):
        split = holdout(y, groups=groups, fraction=fraction)
        assert set(groups[split.test]) == held_out
        assert all(name in split.name for name in held_out)


def test_holdout_by_groups_prefers_to_keep_every_tested_type_in_training() -> None:
    groups = np.repeat(["a", "b", "c", "d"], 25)
    y = np.tile(["B", "T"], 50)
    # Only donor a has the third type, so a must not be the one held out.
    y[:5] = "NK"
    for rng in range(8):
        split = holdout(y, groups=groups, fraction=0.25, rng=rng)
        assert set(groups[split.test]) < {"b", "c", "d"}
        assert "without" not in split.name


def test_holdout_says_what_it_cannot_keep() -> None:
    split = holdout(["B", "B", "T", "T"], groups=["a", "a", "b", "b"])
    assert split.name.startswith("1 of 2 groups held out (")
    assert "without training cells: " in split.name
    assert split.name.endswith(missing_types(["B", "B", "T", "T"], split)[0])


def test_holdout_with_many_groups_and_with_one() -> None:
    rng = np.random.default_rng(1)
    groups = np.array([f"g{i:03d}" for i in range(200)])[rng.choice(200, 5000, p=rng.dirichlet(np.ones(200)))]
    y = np.array(["B", "T"])[rng.integers(0, 2, 5000)]
    split = holdout(y, groups=groups)
    assert abs(split.test.size - 1000) <= 5
    assert "and" in split.name
    assert "more)" in split.name
    assert holdout(y, groups=["g"] * 5000).name == "20% of the cells of each type held out"


def test_what_cannot_be_split_is_refused() -> None:
    with pytest.raises(InputError, match="number of cells, 3"):
        stratified(["a", "b", "b"], 4)
    with pytest.raises(InputError, match="n_splits is 1"):
        stratified(Y, 1)
    with pytest.raises(InputError, match="number of groups, 6"):
        grouped(Y, DONOR, 7)
    with pytest.raises(InputError, match="groups has 1"):
        grouped(Y, DONOR[:1], 2)
    with pytest.raises(InputError, match="only one group"):
        leave_one_group_out(["a", "a"])
    with pytest.raises(InputError, match="only one type"):
        leave_one_type_out(["a", "a"])
    with pytest.raises(InputError, match="single cell"):
        holdout(["a", "b"])
    for fraction in (0, 1, np.nan):
        with pytest.raises(InputError, match="fraction"):
            holdout(Y, fraction=fraction)


def test_sample_gives_rare_types_their_first_cells_in_the_random_order() -> None:
    codes = np.random.default_rng(0).geometric(0.2, 2_000) * 2
    kept, drawn = sample(codes, 300, np.random.default_rng(3), least=20)
    order = np.random.default_rng(3).permutation(codes.size)
    expected = set(order[:300].tolist())
    assert set(kept[drawn].tolist()) == expected
    for code in np.unique(codes):
        short = 20 - np.count_nonzero(codes[order[:300]] == code)
        later = order[300:][codes[order[300:]] == code]
        expected |= set(later[: max(0, short)].tolist())
    assert kept.tolist() == sorted(expected)
