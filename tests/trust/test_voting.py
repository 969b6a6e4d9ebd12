"""Votes against plain loops, and the guard of rare types."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import entropy

from sc_annotate.errors import InputError, LabelError
from sc_annotate.trust import vote


def example(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 6, 200).astype(str)
    labels = np.array(list("abcdefgh"))[np.minimum(groups.astype(int) + rng.geometric(0.6, 200) - 1, 7)]
    return labels, groups


@pytest.mark.parametrize("seed", range(5))
def test_equals_a_plain_loop(seed: int) -> None:
    labels, groups = example(seed)
    found = vote(labels, groups, guard=None)
    for i, g in enumerate(found.table["group"]):
        here = groups == g
        ranked = sorted(Counter(labels[here].tolist()).items(), key=lambda item: (-item[1], item[0]))
        row = {name: column[i] for name, column in found.table.items()}
        assert (row["winner"], row["share"]) == (ranked[0][0], ranked[0][1] / here.sum())
        assert (row["runner_up"], row["runner_up_share"]) == (ranked[1][0], ranked[1][1] / here.sum())
        assert row["entropy"] == pytest.approx(entropy([n for _, n in ranked]))
        assert row["n"] == here.sum()
        assert (found.labels[here] == ranked[0][0]).all()
    assert not found.guarded.any()


def test_undecided_groups_keep_their_calls() -> None:
    labels = np.array(["a"] * 6 + ["b"] * 4 + ["c"] * 9 + ["d"])
    groups = np.repeat(["x", "y"], 10)
    found = vote(labels, groups, min_share=0.7, guard=None)
    assert found.table["decided"].tolist() == [False, True]
    assert (found.labels == np.where(groups == "x", labels, "c")).all()


def test_guard_keeps_what_is_together_and_drops_what_is_scattered() -> None:
    """10 rare cells inside one cluster stay; 10 spread over ten clusters are mistakes."""
    groups = np.repeat([f"g{i}" for i in range(10)], 20)
    labels = np.array(["common"] * 200, dtype=object)
    labels[:10] = "rare"
    labels[[19 + 20 * i for i in range(10)]] = "scattered"
    labels[20:40] = "winner"
    found = vote(labels, groups)
    # The tie of "rare" and "common" in the first group is decided by what is left of "common" there.
    assert (found.labels[:10] == "rare").all()
    assert "scattered" not in found.labels
    assert found.table["guarded"].sum() == found.guarded.sum()
    assert "rare" not in vote(np.where(np.arange(200) < 3, "rare", "common"), groups, guard=None).labels
    small = np.where(np.arange(200) < 3, "rare", "common")
    kept = vote(small, groups)
    assert kept.guarded_types == ["rare"]
    np.testing.assert_array_equal(kept.guarded, np.arange(200) < 3)
    # 0 keeps every type that would be lost, 1 only what is in one group.
    assert "scattered" in vote(labels, groups, guard=0).labels
    two = small.copy()
    two[199] = "rare"
    assert "rare" not in vote(two, groups, guard=1).labels
    assert (vote(two, groups, guard=0.5).labels == "rare").sum() == 3


def test_guard_of_confident_cells_only() -> None:
    labels = ["rare"] * 4 + ["common"] * 16
    confidence = np.r_[0.9, 0.8, 0.3, 0.2, np.full(16, 0.9)]
    found = vote(labels, ["g"] * 20, confidence=confidence)
    assert found.labels.tolist() == ["rare"] * 2 + ["common"] * 18
    assert (vote(labels, ["g"] * 20, confidence=confidence, min_confidence=0.25).labels == "rare").sum() == 3


def test_guard_lets_votes_correct_a_type_that_lives_elsewhere() -> None:
    labels = np.array(["a"] * 10 + ["b"] * 3 + ["b"] * 8 + ["c"] * 5)
    groups = np.repeat(["x", "y"], 13)
    found = vote(labels, groups)
    # b wins y, so its three cells in x follow the vote; c wins nothing and is all in y.
    assert (found.labels[:13] == "a").all()
    assert found.guarded_types == ["c"]


def test_one_cell_one_type_and_ties() -> None:
    found = vote(["a"], ["g"])
    assert found.labels.tolist() == ["a"]
    assert (found.table["runner_up"][0], found.table["runner_up_share"][0], found.table["entropy"][0]) == ("", 0, 0)
    assert vote(["b", "a"], [0, 0], guard=None).labels.tolist() == ["a", "a"]


def test_order_of_cells_does_not_matter() -> None:
    labels, groups = example(0)
    order = np.random.default_rng(0).permutation(200)
    assert (vote(labels, groups).labels[order] == vote(labels[order], groups[order]).labels).all()


def test_bad_input() -> None:
    with pytest.raises(InputError, match="labels has 2 cells but groups has 1"):
        vote(["a", "b"], ["g"])
    with pytest.raises(LabelError, match="groups are missing"):
        vote(["a", "b"], ["g", None])
    with pytest.raises(LabelError, match="labels are missing"):
        vote(["a", None], ["g", "g"])
    for name in ("min_share", "guard", "min_confidence"):
        with pytest.raises(InputError, match=name):
            vote(["a"], ["g"], **{name: 1.5})
    with pytest.raises(InputError, match="confidence"):
        vote(["a", "b"], ["g", "g"], confidence=[0.5])
