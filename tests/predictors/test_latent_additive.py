"""Vectors that add up: the formulas, the choice, and what it is better at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate.errors import MethodError
from sc_annotate.predictors import Screen
from sc_annotate.predictors.additive import Additive
from sc_annotate.predictors.latent_additive import PENALTIES, LatentAdditive

SINGLES = [("A",), ("B",), ("C",), ("D",)]
PAIRS = [("A", "B"), ("A", "C"), ("B", "D"), ("C", "D"), ("A", "E")]


def screen(targets: list[tuple[str, ...]], p: int = 30, seed: int = 0, noise: float = 0.3) -> Screen:
    """Additive effects, a shift that all perturbed conditions share, and noise."""
    rng = np.random.default_rng(seed)
    effect = dict(zip("ABCDE", rng.normal(size=(5, p)), strict=True))
    control, shift = rng.gamma(2, size=p), rng.normal(size=p)
    mean = np.array([control + shift + sum(effect[t] for t in each) for each in targets])
    n_cells = rng.integers(20, 200, len(targets))
    genes = np.array([f"G{i}" for i in range(p)])
    return Screen(genes, control, mean + noise * rng.normal(size=mean.shape), targets, n_cells=n_cells)


def by_hand(data: Screen, penalty: float, k: int, asked: list[tuple[str, ...]]) -> np.ndarray:
    """The formulas of the docstring, in the space of all genes."""
    names = sorted({t for each in data.targets for t in each})
    H = np.array([[name in each for name in names] + [True] for each in data.targets], dtype=float)
    W = np.diag(data.n_cells / data.n_cells.mean())
    ridge = penalty * np.diag([1.0] * len(names) + [1e-6])
    V = np.linalg.inv(H.T @ W @ H + ridge) @ H.T @ W @ data.delta
    axes = np.linalg.svd(V, full_matrices=False)[2][:k]
    new = np.array([[name in each for name in names] + [True] for each in asked], dtype=float)
    return data.control + new @ V @ axes.T @ axes


@pytest.mark.parametrize("k", [1, 2, 6])
@pytest.mark.parametrize("penalty", [0.01, 1.0])
def test_equals_the_formulas(penalty: float, k: int) -> None:
    data, asked = screen(SINGLES + PAIRS), [("B", "C"), ("D", "E"), ("A",), ("E",)]
    model = LatentAdditive(penalty=penalty, n_components=k).fit(data)
    np.testing.assert_allclose(model.predict(asked), by_hand(data, penalty, k, asked), atol=1e-8)
    assert model.n_components_ == k
    np.testing.assert_allclose(model.components_ @ model.components_.T, np.eye(k), atol=1e-10)


def test_chooses_what_predicts_left_out_combinations_best() -> None:
    data = screen(SINGLES + PAIRS[:4], noise=1.0)
    n = len(data.targets)
    errors = {}
    for penalty in PENALTIES:
        # The components come from all conditions; the regression does not.
        full = LatentAdditive(penalty=penalty, n_components=99).fit(data)
        for k in range(1, len(full.components_) + 1):
            U = full.components_[:k]
            total = 0.0
            for i in range(4, n):
                rest = data.select(np.delete(np.arange(n), i))
                # Weights are relative to the mean number of cells of all conditions.
                scale = rest.n_cells.mean() / data.n_cells.mean()
                part = LatentAdditive(penalty=penalty / scale, n_components=99).fit(rest)
                change = part.predict([data.targets[i]])[0] - data.control
                total += ((data.delta[i] - change @ U.T @ U) ** 2).sum()
            errors[penalty, k] = total
    model = LatentAdditive().fit(data)
    assert (model.penalty_, model.n_components_) == min(errors, key=errors.__getitem__)
    assert f"penalty={model.penalty_:g} and n_components={model.n_components_}" in model.notes_[0]


def test_a_shared_shift_counts_once_and_is_told_from_the_effects() -> None:
    exact = screen(SINGLES + PAIRS, noise=0)
    model = LatentAdditive(penalty=1e-7).fit(exact)
    true = screen([*SINGLES, *PAIRS, ("B", "C"), ("D", "E")], noise=0)
    # The same effects: they are drawn first.
    np.testing.assert_array_equal(true.mean[:4], exact.mean[:4])
    np.testing.assert_allclose(model.predict([("B", "C"), ("D", "E")]), true.mean[-2:], atol=1e-4)
    with_shift_twice = Additive().fit(exact).predict([("B", "C")])[0]
    assert np.abs(with_shift_twice - true.mean[-2]).max() > 0.5


def test_with_few_combinations_it_is_the_sum_of_single_effects() -> None:
    data = screen([*SINGLES, ("A", "B"), ("A", "C")])
    few = data.select(np.arange(4))
    model = LatentAdditive().fit(few)
    # Each is drawn to 0 by a thousandth of a condition.
    weight = few.n_cells / few.n_cells.mean()
    part = few.delta * (weight / (weight + 1e-3))[:, None]
    np.testing.assert_allclose(model.predict([("B", "C")])[0], few.control + part[1] + part[2], atol=1e-8)
    assert "too few to learn from how vectors add up" in model.notes_[0]
    # With one combination more than two it learns.
    assert LatentAdditive().fit(data).notes_[0].startswith("2 training combinations are too few")
    assert "in turn chose" in LatentAdditive().fit(screen(SINGLES + PAIRS[:3])).notes_[0]


def test_targets_that_no_condition_has() -> None:
    model = LatentAdditive().fit(screen(SINGLES + PAIRS))
    assert model.why_not([("E",), ("A", "B", "E"), ("A", "X"), ("X", "Y")]).tolist() == [
        "", "", "X is in no training condition", "X, Y are in no training condition",
    ]  # fmt: skip
    assert np.isnan(model.predict([("A", "X")])).all()


def test_no_change_at_all() -> None:
    targets = SINGLES + PAIRS
    flat = Screen(["G1", "G2"], [1.0, 2.0], np.tile([1.0, 2.0], (len(targets), 1)), targets)
    np.testing.assert_allclose(LatentAdditive().fit(flat).predict([("B", "C")]), [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"penalty": 0}, "penalty must be a positive number"),
        ({"penalty": "strong"}, "penalty"),
        ({"penalty": True}, "penalty"),
        ({"n_components": 0}, "n_components must be a whole number"),
        ({"n_components": 2.0}, "n_components"),
    ],
)
def test_bad_parameters(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(MethodError, match=message):
        LatentAdditive(**wrong).fit(screen(SINGLES + PAIRS))


def test_too_few_combinations_leave_the_sum_of_single_effects() -> None:
    rng = np.random.default_rng(0)
    targets = [("A",), ("B",), ("C",), ("A", "B"), ("A", "C")]
    few = Screen([f"G{i}" for i in range(30)], np.ones(30), 1 + rng.normal(size=(5, 30)), targets)
    model = LatentAdditive().fit(few)
    assert "the sum of single effects" in model.notes_[0]
    np.testing.assert_allclose(model.predict([("B", "C")])[0], 1 + few.delta[1] + few.delta[2], atol=0.02)


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize(
    "kwargs", [{}, {"shift": 0.3}, {"rank": 40, "similarity": 0}], ids=["plain", "shift", "rank 40"]
)
def test_it_beats_the_sum_of_two_noisy_effects(kwargs: dict[str, Any]) -> None:
    cells = sca.datasets.simulate_perturb_seq(4000, 200, 25, 30, rng=1, **kwargs)
    truth = cells.uns["truth"]
    profiles = sca.pp.perturbation_profiles(cells)
    doubles = [name for name in profiles.obs_names if "+" in name]
    found = {}
    for method in ("latent_additive", "additive"):
        sca.tl.predict_perturbation(profiles, conditions=doubles, method=method, key_added=method)
        found[method] = sca.get.perturbation(profiles, method)
        assert found[method].obs["held_out"].all()
    names = list(truth["conditions"])
    true = truth["control"] + truth["delta"][[names.index(name) for name in doubles]]
    # REST is no gene of its own: it deviates from every sum.
    at = slice(0, -1)
    one, two = (np.linalg.norm(found[m].X[:, at] - true[:, at], axis=1) for m in ("latent_additive", "additive"))
    resampled = np.random.default_rng(0).integers(0, len(doubles), (1000, len(doubles)))
    assert np.quantile((one - two)[resampled].mean(axis=1), 0.975) < 0
    # On what was measured, by the leaderboard.
    board = sca.get.leaderboard(profiles, "latent_additive").set_index(["method", "metric"])
    row = board.loc["latent_additive", "l2"]
    assert row["minus additive, high"] < 0
    assert board.loc[("latent_additive", "discrimination"), "mean"] > 0.95
