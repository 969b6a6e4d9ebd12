"""Coverage, and MAPIE and crepes where the definitions coincide."""

from __future__ import annotations

import json

import numpy as np
import pytest

from probabilities import simulate
from sc_annotate.errors import InputError
from sc_annotate.trust import Conformal, nonconformity

EACH = pytest.mark.parametrize(
    ("score", "by"), [(s, b) for s in ("lac", "aps", "raps") for b in ("marginal", "label", "clustered")]
)
COVERAGES = (0.5, 0.8, 0.9, 0.95)


class Ones(np.random.RandomState):
    """Switches MAPIE's randomisation off: u = 1, the deterministic sets of Romano et al."""

    def uniform(self, low: float = 0.0, high: float = 1.0, size: object = None) -> np.ndarray:
        return np.ones(size)  # type: ignore[call-overload]


@pytest.mark.parametrize("variant", ["lac", "aps"])
def test_thresholds_and_sets_equal_mapie(variant: str) -> None:
    """LAC; and APS with ``include_last_label=True`` and u = 1."""
    scores = pytest.importorskip("mapie.conformity_scores")
    proba, codes = simulate(300, 5)
    new, _ = simulate(400, 5, seed=1)
    oracle = scores.LACConformityScore() if variant == "lac" else scores.APSConformityScore()
    oracle.set_external_attributes(classes=np.arange(5), random_state=Ones(0))
    alphas = 1 - np.array(COVERAGES)
    calibration = oracle.get_conformity_scores(codes, proba, y_enc=codes)
    oracle.quantiles_ = oracle.get_conformity_score_quantiles(calibration, alphas, "prefit")
    repeated = oracle.get_predictions(None, alphas, new, "prefit")
    kwargs = {} if variant == "lac" else {"include_last_label": True}
    expected = oracle.get_prediction_sets(repeated, calibration, alphas, "prefit", **kwargs)
    model = Conformal(score=variant).fit(proba, codes)  # type: ignore[arg-type]
    for i, coverage in enumerate(COVERAGES):
        np.testing.assert_allclose(model.thresholds(coverage), oracle.quantiles_[i], atol=1e-9)
        # The one thing that MAPIE lacks: the call is always in.
        allowed = expected[:, :, i] | (np.arange(5) == new.argmax(axis=1)[:, None])
        np.testing.assert_array_equal(model.sets(new, coverage), allowed)


def test_raps_thresholds_equal_mapie() -> None:
    """Scores with u = 1. MAPIE then includes one more class than the paper's sets, so sets are checked by their loop."""
    raps = pytest.importorskip("mapie.conformity_scores").RAPSConformityScore
    quantile = pytest.importorskip("mapie.utils")._compute_classification_quantile
    proba, codes = simulate(300, 5)
    cumulated, rank = raps.get_true_label_cumsum_proba(codes, proba, np.arange(5))
    before = cumulated - proba[np.arange(300), codes][:, None]
    for penalty, free in ((0.1, 1), (0.5, 2)):
        alphas = 1 - np.array(COVERAGES)
        regularised = raps._regularize_conformity_score(np.full(4, free), penalty, before, rank)
        expected = quantile(regularised, alphas)
        model = Conformal("raps", penalty=penalty, free=free).fit(proba, codes)
        for i, coverage in enumerate(COVERAGES):
            np.testing.assert_allclose(model.thresholds(coverage), expected[i], atol=1e-9)


@pytest.mark.parametrize("score", ["lac", "aps", "raps"])
def test_p_values_and_sets_equal_crepes(score: str) -> None:
    """Unsmoothed p-values, over all cells and by class (Mondrian); ``hinge`` is LAC."""
    crepes = pytest.importorskip("crepes")
    proba, codes = simulate(200, 4, decimals=2)
    new, _ = simulate(60, 4, seed=1, decimals=2)
    own = nonconformity(proba, score)[np.arange(200), codes]  # type: ignore[arg-type]
    alphas = nonconformity(new, score)  # type: ignore[arg-type]
    if score == "lac":
        hinge = pytest.importorskip("crepes.extras").hinge
        np.testing.assert_allclose(own, hinge(proba, np.arange(4), codes), atol=1e-12)
    call = np.arange(4) == new.argmax(axis=1)[:, None]
    plain = crepes.ConformalClassifier().fit(own)
    model = Conformal(score=score).fit(proba, codes)  # type: ignore[arg-type]
    np.testing.assert_allclose(model.p_values(new), plain.predict_p(alphas, smoothing=False), atol=1e-9)
    by_class = Conformal(score=score, by="label", min_cells=1).fit(proba, codes)  # type: ignore[arg-type]
    mondrian = crepes.ConformalClassifier().fit(own, bins=codes)
    for j in range(4):
        bins = np.full(60, j)
        expected = mondrian.predict_p(alphas[:, j], bins=bins, smoothing=False)
        np.testing.assert_allclose(by_class.p_values(new)[:, j], expected, atol=1e-9)
    # crepes includes p = 1 - coverage, which the order statistic does not: a confidence between two p-values.
    for coverage in (0.803, 0.907):
        expected = plain.predict_set(alphas, confidence=coverage, smoothing=False).astype(bool)
        np.testing.assert_array_equal(model.sets(new, coverage), expected | call)


@EACH
def test_coverage_within_monte_carlo_error(score: str, by: str) -> None:
    """Exchangeable cells: on average over calibration sets the coverage is what was asked for."""
    covered, by_class = [], []
    for seed in range(200):
        proba, codes = simulate(400, 3, sharpness=1.5, seed=seed)
        model = Conformal(score=score, by=by).fit(proba[:200], codes[:200], rng=seed)  # type: ignore[arg-type]
        hit = model.sets(proba[200:], 0.9)[np.arange(200), codes[200:]]
        covered.append(hit.mean())
        by_class.append([hit[codes[200:] == j].mean() for j in range(3)])
    error = np.std(covered) / np.sqrt(200)
    assert np.mean(covered) >= 0.9 - 4 * error
    # Forcing the call in, and the order statistic of small classes, only add a little.
    assert np.mean(covered) <= 0.9 + 4 * error + (0.01 if by == "marginal" else 0.04)
    if by == "label":
        errors = np.std(by_class, axis=0) / np.sqrt(200)
        assert (np.mean(by_class, axis=0) >= 0.9 - 4 * errors).all()


@EACH
@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("decimals", [1, None])
def test_what_holds_for_every_set(score: str, by: str, k: int, decimals: int | None) -> None:
    proba, codes = simulate(150, k, decimals=decimals)
    new, _ = simulate(100, k, seed=1, decimals=decimals)
    model = Conformal(score=score, by=by).fit(proba, codes)  # type: ignore[arg-type]
    before = np.zeros_like(new, dtype=bool)
    p = model.p_values(new)
    assert p.min() > 0
    assert p.max() <= 1
    call = np.arange(k) == new.argmax(axis=1)[:, None]
    for coverage in (0.01, 0.3, 0.55, 0.8, 0.9, 0.95, 0.99, 0.999):
        sets = model.sets(new, coverage)
        assert sets[np.arange(100), new.argmax(axis=1)].all()
        assert (sets >= before).all()
        before = sets
        fell = model.fallback(coverage)
        own = np.setdiff1d(np.arange(k), [*fell["marginal"], *fell["all_types"]])
        np.testing.assert_array_equal(sets[:, own], ((p > 1 - coverage + 1e-9) | call)[:, own])
    assert before.all()  # 150 cells cannot tell 99.9 %


def test_label_conditional_falls_back_and_says_so() -> None:
    proba, codes = simulate(400, 4)
    keep = np.concatenate([np.flatnonzero(codes < 2), np.flatnonzero(codes == 2)[:12], np.flatnonzero(codes == 3)[:5]])
    proba, codes = proba[keep], codes[keep]
    model = Conformal(by="label").fit(proba, codes)
    assert model.fallback_ == {"marginal": [3]}
    assert model.fallback(0.9) == {"marginal": [3], "all_types": []}
    assert model.fallback(0.95) == {"marginal": [2, 3], "all_types": []}  # 12 cells: fewer than 19
    everyone = Conformal().fit(proba, codes)
    own = np.sort(1 - proba[codes == 2, 2])
    assert model.thresholds(0.9)[3] == everyone.thresholds(0.9)[3]
    assert model.thresholds(0.9)[2] == own[11]  # ceil(13 * 0.9) = 12
    assert model.thresholds(0.95)[2] == max(own[-1], everyone.thresholds(0.95)[2])
    assert everyone.fallback_ == {"marginal": []}
    assert everyone.fallback(0.9) == {"marginal": [], "all_types": []}


def test_a_class_absent_from_calibration() -> None:
    proba, codes = simulate(300, 4)
    seen = codes != 3
    for by in ("marginal", "label", "clustered"):
        model = Conformal(by=by).fit(proba[seen], codes[seen])  # type: ignore[arg-type]
        assert model.fallback_ == {"marginal": [] if by == "marginal" else [3]}
        assert np.isfinite(model.thresholds(0.9)).all()
        assert model.sets(np.eye(4), 0.9)[3, 3]


def test_one_cell_and_no_cells() -> None:
    proba, codes = simulate(1, 3)
    for by in ("marginal", "label", "clustered"):
        model = Conformal(by=by).fit(proba, codes)  # type: ignore[arg-type]
        assert model.sets(proba, 0.9).all()
        assert model.fallback(0.9) == {"marginal": [], "all_types": [0, 1, 2]}
        assert model.p_values(proba)[0, codes[0]] == 1.0
        assert model.sets(proba[:0], 0.9).shape == (0, 3)


def test_accuracy_above_the_coverage() -> None:
    """All calls right: sets are single classes, and cover all cells."""
    proba = np.tile(np.eye(3) * 0.7 + 0.1, (50, 1))
    codes = np.tile(np.arange(3), 50)
    for score in ("lac", "aps", "raps"):
        sets = Conformal(score=score).fit(proba, codes).sets(proba, 0.9)  # type: ignore[arg-type]
        np.testing.assert_array_equal(sets, np.tile(np.eye(3, dtype=bool), (50, 1)))


def test_clusters_join_classes_that_are_alike() -> None:
    """Classes 0-2 are easy, 3-5 hard: two thresholds, each from the cells of its three classes."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(6), 200)
    top = np.where(codes < 3, rng.uniform(0.8, 1.0, 1200), rng.uniform(0.2, 0.6, 1200))
    proba = np.full((1200, 6), 1.0) * ((1 - top) / 5)[:, None]
    proba[np.arange(1200), codes] = top
    model = Conformal(by="clustered", n_clusters=2).fit(proba, codes)
    assert len(set(model.cluster_[:3])) == len(set(model.cluster_[3:])) == 1
    assert model.cluster_[0] != model.cluster_[5]
    assert [pool.size for pool in model.pools_] == [1200, 420, 420]
    again = Conformal(by="clustered", n_clusters=2).fit(proba, codes)
    np.testing.assert_array_equal(again.thresholds(0.9), model.thresholds(0.9))
    # Coverage of every type, which one threshold misses.
    sets = model.sets(proba, 0.9)[np.arange(1200), codes]
    assert min(sets[codes == j].mean() for j in range(6)) > 0.85


@EACH
def test_write_and_read(score: str, by: str) -> None:
    proba, codes = simulate(200)
    model = Conformal(score=score, by=by, penalty=0.3).fit(proba, codes)  # type: ignore[arg-type]
    arrays, meta = model.to_arrays()
    again = Conformal.from_arrays(arrays, json.loads(json.dumps(meta, allow_nan=False)))
    np.testing.assert_array_equal(again.sets(proba, 0.9), model.sets(proba, 0.9))
    np.testing.assert_array_equal(again.p_values(proba), model.p_values(proba))
    assert again.fallback_ == model.fallback_
    damages = [
        *(("scores", bad) for bad in (np.flip(arrays["scores"]), arrays["scores"][:-1], arrays["scores"] * np.nan)),
        *(("starts", bad) for bad in (arrays["starts"] + 1, arrays["starts"][:0], arrays["starts"].astype(float))),
        *(("cluster", bad) for bad in (arrays["cluster"] + 9, arrays["cluster"] - 9, arrays["cluster"][:1])),
    ]
    for key, bad in damages:
        with pytest.raises(InputError, match="Fit again"):
            Conformal.from_arrays({**arrays, key: bad}, meta)
    for key in meta:
        with pytest.raises(InputError, match="Fit again"):
            Conformal.from_arrays(arrays, {**meta, key: "nonsense"})


def test_bad_input() -> None:
    proba, codes = simulate(50)
    with pytest.raises(InputError, match="not fitted"):
        Conformal().sets(proba, 0.9)
    with pytest.raises(InputError, match="not fitted"):
        Conformal().p_values(proba)
    for bad in ({"by": "batch"}, {"score": "topk"}, {"min_cells": 0}, {"n_clusters": 0}, {"penalty": -1}):
        with pytest.raises(InputError, match=next(iter(bad))):
            Conformal(**bad).fit(proba, codes)  # type: ignore[arg-type]
    model = Conformal().fit(proba, codes)
    for coverage in (0.0, 1.0, 90, np.nan):
        with pytest.raises(InputError, match="coverage"):
            model.sets(proba, coverage)
    with pytest.raises(InputError, match="fitted on 4"):
        model.sets(simulate(5, 3)[0], 0.9)
    with pytest.raises(InputError, match="codes"):
        Conformal().fit(proba, codes + 9)
