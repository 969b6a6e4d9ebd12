"""Splits of conditions: nothing that is asked for was trained on."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from sc_annotate.errors import InputError
from sc_annotate.evaluation import condition_folds, double_split, leave_one_covariate_out, single_split

SINGLES = [(f"g{i}",) for i in range(12)]
DOUBLES = list(combinations([f"g{i}" for i in range(12)], 2))[::5]
BOTH = SINGLES + DOUBLES


def genes(targets, rows):
    return {name for i in rows for name in targets[i]}


def test_double_split_is_the_papers():
    split = double_split(BOTH, 1)
    assert len(split.test) == len(DOUBLES) // 2
    assert set(range(12)) <= set(split.train.tolist())
    assert sorted([*split.train, *split.test]) == list(range(len(BOTH)))
    assert all(len(BOTH[i]) == 2 for i in split.test)
    assert len(double_split(BOTH, fraction=0.001).test) == 1
    assert len(double_split(BOTH, fraction=0.999).test) == len(DOUBLES) - 1


@pytest.mark.parametrize("seed", range(5))
def test_single_split_holds_out_genes(seed):
    for targets in (SINGLES, BOTH):
        split = single_split(targets, 0.25, seed)
        held_out = {name for i in split.test for name in targets[i] if len(targets[i]) == 1}
        assert len(held_out) == 3
        assert not held_out & genes(targets, split.train)
        assert all(held_out & set(targets[i]) for i in split.test)
        assert sorted([*split.train, *split.test]) == list(range(len(targets)))


@pytest.mark.parametrize("k", [2, 5, 12, 40])
def test_folds_over_singles(k):
    folds = condition_folds(SINGLES, k)
    assert len(folds) == min(k, 12)
    assert sorted(np.concatenate([f.test for f in folds]).tolist()) == list(range(12))
    assert max(len(f.test) for f in folds) - min(len(f.test) for f in folds) <= 1
    for fold in folds:
        assert not genes(SINGLES, fold.test) & genes(SINGLES, fold.train)


def test_folds_over_singles_of_a_screen_with_combinations():
    folds = condition_folds(BOTH, 4, kind="singles")
    assert sorted(np.concatenate([f.test for f in folds]).tolist()) == list(range(12))
    for fold in folds:
        assert not genes(BOTH, fold.test) & genes(BOTH, fold.train)
        assert any(len(BOTH[i]) == 2 for i in fold.train)


def test_conditions_that_share_a_target_stay_together():
    twice = SINGLES + SINGLES
    for fold in condition_folds(twice, 5):
        assert not genes(twice, fold.test) & genes(twice, fold.train)


def test_folds_over_combinations_train_on_all_singles():
    for kind in (None, "combinations"):
        folds = condition_folds(BOTH, 3, kind=kind)
        assert sorted(np.concatenate([f.test for f in folds]).tolist()) == list(range(12, len(BOTH)))
        for fold in folds:
            assert set(range(12)) <= set(fold.train.tolist())
            assert len(fold.train) + len(fold.test) == len(BOTH)
    # One combination is not enough to deal out.
    assert all(len(BOTH[i]) == 1 for f in condition_folds(BOTH[:13], 3) for i in f.test)


def test_seeds_and_order():
    for split in (double_split, single_split):
        a, b, other = split(BOTH, rng=0), split(BOTH, rng=0), split(BOTH, rng=1)
        assert np.array_equal(a.test, b.test)
        assert not np.array_equal(a.test, other.test)
        shuffled = [BOTH[i][::-1] for i in np.random.default_rng(0).permutation(len(BOTH))]
        assert {tuple(sorted(shuffled[i])) for i in split(shuffled, rng=0).test} == {
            tuple(sorted(BOTH[i])) for i in a.test
        }
    assert condition_folds(BOTH, 3)[0].name == "fold 1"
    assert split(BOTH).train.dtype == split(BOTH).test.dtype == np.intp


def test_leave_one_covariate_out():
    splits = leave_one_covariate_out(["K562", "RPE1", "K562", "A549"])
    assert [(s.name, s.test.tolist()) for s in splits] == [("A549", [3]), ("K562", [0, 2]), ("RPE1", [1])]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: double_split(SINGLES), "targets has 0 combinations"),
        (lambda: double_split(BOTH, fraction=1), "fraction"),
        (lambda: single_split([("A",), ("A",)]), "only one target, 'A'"),
        (lambda: single_split([("A", "B")]), "every condition has one"),
        (lambda: single_split([("A",), ()]), "without targets"),
        (lambda: single_split([]), "empty"),
        (lambda: condition_folds(SINGLES, 1), "two folds"),
        (lambda: condition_folds(SINGLES, kind="doubles"), "kind must be"),
        (lambda: condition_folds(SINGLES, kind="combinations"), "0 different combinations"),
        (lambda: condition_folds(SINGLES[:1]), "1 different singles"),
        (lambda: condition_folds(["A", "B"]), r"write \('A',\)"),
        (lambda: leave_one_covariate_out(["a", "a"]), "only one group"),
    ],
)
def test_what_cannot_be_split(call, message):
    with pytest.raises(InputError, match=message):
        call()
