"""What augmentations change, how much of it, and what they leave alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sc_annotate.encoders import AUGMENTATIONS, augment  # noqa: E402
from sc_annotate.encoders.augmentations import parsed  # noqa: E402
from sc_annotate.encoders.neighbours import neighbours  # noqa: E402
from sc_annotate.errors import InputError, MethodError  # noqa: E402


@pytest.fixture
def cells() -> np.ndarray:
    return np.random.default_rng(0).gamma(1.0, 1.0, (40, 50)).astype(np.float32)


@pytest.fixture
def near(cells: np.ndarray) -> Any:
    return neighbours(cells, np.repeat(["a", "b"], 20), {"mnn": 5, "bbknn": 5}, 0)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_input_is_left_as_it_is_and_seeds_decide(name: str, cells: np.ndarray, near: Any) -> None:
    before = cells.copy()
    how = {name: {"p": 1.0} | ({"k": 5} if AUGMENTATIONS[name].needs_neighbours else {})}
    one, two, other = (augment(cells, how, neighbours=near, rng=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(cells, before)
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, cells)
    assert one.dtype == np.float32
    assert np.isfinite(one).all()
    np.testing.assert_array_equal(augment(cells, {name: {"p": 0.0}}, neighbours=near), cells)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_a_mask_hides_exactly_the_stated_share(share: float, cells: np.ndarray) -> None:
    view = augment(cells, {"mask": {"share": share, "p": 1.0}})
    assert ((view == 0).sum(axis=1) == round(share * 50)).all()
    shown = view != 0
    np.testing.assert_array_equal(view[shown], cells[shown])


def test_swaps_keep_the_values_of_a_cell(cells: np.ndarray) -> None:
    view = augment(cells, {"inner_swap": {"share": 0.4, "p": 1.0}})
    np.testing.assert_array_equal(np.sort(view, axis=1), np.sort(cells, axis=1))
    assert ((view != cells).sum(axis=1) == 20).all()


def test_cross_over_takes_from_one_other_cell(cells: np.ndarray) -> None:
    view = augment(cells, {"cross_over": {"share": 0.2, "p": 1.0}})
    for i, row in enumerate(view):
        taken = row != cells[i]
        assert taken.sum() == 10
        donors = [j for j in range(40) if (cells[j][taken] == row[taken]).all()]
        assert len(donors) == 1
        assert donors[0] != i


def test_gaussian_noise_has_its_spread_and_share() -> None:
    view = augment(np.full((200, 100), 5.0), {"gaussian": {"share": 0.3, "sd": 0.2, "p": 1.0}})
    changed = view != 5
    assert (changed.sum(axis=1) == 30).all()
    assert np.std(view[changed]) == pytest.approx(0.2, rel=0.05)


def test_negative_binomial_noise_is_added_and_never_below_zero(cells: np.ndarray) -> None:
    view = augment(cells, {"nb_noise": {"intensity": 0.1}})
    assert (view >= cells).all()
    assert np.expm1((view - cells) / 0.1).sum(axis=1) == pytest.approx(np.full(40, 1e4), rel=1e-2)


def test_dropout_keeps_the_mean() -> None:
    view = augment(np.ones((200, 100)), {"dropout": {"rate": 0.25}})
    assert np.unique(view).tolist() == pytest.approx([0.0, 4 / 3])
    assert view.mean() == pytest.approx(1, abs=0.02)


def test_a_cell_changes_with_the_probability(cells: np.ndarray) -> None:
    many = np.tile(cells, (50, 1))
    changed = (augment(many, {"mask": {"share": 0.2, "p": 0.3}}) != many).any(axis=1)
    assert changed.mean() == pytest.approx(0.3, abs=0.04)


def test_several_are_applied_in_order(cells: np.ndarray) -> None:
    last = augment(cells, {"gaussian": {"p": 1.0}, "mask": {"p": 1.0, "share": 1.0}})
    assert not last.any()
    first = augment(cells, {"mask": {"p": 1.0, "share": 1.0}, "gaussian": {"p": 1.0, "share": 1.0}})
    assert first.all()


def test_mixing_needs_neighbours(cells: np.ndarray) -> None:
    with pytest.raises(InputError, match="batch_key"):
        augment(cells, "mnn")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("masks", "no augmentation 'masks'"),
        ({"mask": {"shares": 0.1}}, "share"),
        ({"mask": {"share": 1.5}}, "at most 1"),
        ({"mask": {"share": -0.1}}, "0 or more"),
        ({"gaussian": {"sd": float("nan")}}, "0 or more"),
        ({"mnn": {"k": 0.5}}, "whole number"),
        (3, "names of augmentations"),
        ([[]], "names of augmentations"),
        ({"mask": 3}, "must be a dict"),
    ],
)
def test_what_is_wrong_is_named(how: Any, said: str) -> None:
    with pytest.raises(MethodError, match=said):
        parsed(how)


def test_neighbours_by_brute_force() -> None:
    """Two batches, one shifted: mutual nearest neighbours on the unit sphere of all components."""
    draw = np.random.default_rng(1)
    X = draw.gamma(1.0, 1.0, (30, 8)).astype(np.float32)
    batch = np.repeat(["a", "b"], [12, 18])
    found = neighbours(X, batch, {"mnn": 3, "bbknn": 2}, 0).graphs
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    centred = unit - unit.mean(axis=0)
    vt = np.linalg.svd(centred, full_matrices=False)[2][:7]
    place = centred @ vt.T
    distance = np.linalg.norm(place[:, None] - place[None], axis=2)

    def near(k: int) -> np.ndarray:
        out = np.zeros((30, 30), dtype=bool)
        for i in range(30):
            others = np.flatnonzero(batch != batch[i])
            out[i, others[np.argsort(distance[i, others])[:k]]] = True
        return out

    np.testing.assert_array_equal(found["bbknn"].toarray() > 0, near(2))
    np.testing.assert_array_equal(found["mnn"].toarray() > 0, near(3) & near(3).T)


def test_cells_without_a_neighbour_stay(cells: np.ndarray) -> None:
    found = neighbours(cells, np.repeat(["a", "b"], [1, 39]), {"mnn": 1}, 0)
    alone = np.flatnonzero(np.diff(found.graphs["mnn"].tocsr().indptr) == 0)
    drawn = found.draw("mnn", torch.from_numpy(alone)).numpy()
    np.testing.assert_array_equal(drawn, cells[alone])
    with pytest.raises(InputError, match="one batch"):
        neighbours(cells, np.repeat("a", 40), {"mnn": 1}, 0)
