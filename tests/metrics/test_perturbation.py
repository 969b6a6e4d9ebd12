"""Metrics of predicted profiles against the papers' formulas written as plain loops, and their traps."""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import pytest

from sc_annotate import metrics
from sc_annotate.errors import InputError, MissingExtraError


class Screen(NamedTuple):
    """Profiles and a prediction that is right in part, with one condition that was not predicted."""

    control: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    t: np.ndarray


def make(seed: int = 0, n: int = 12, p: int = 40, missing: int | None = 3, shift: float = 0.0) -> Screen:
    rng = np.random.default_rng(seed)
    control = rng.gamma(1.0, 1.0, p)
    effect = rng.normal(0, 0.4, (n, p)) + shift * rng.normal(0, 1, p)
    predicted = control + 0.6 * effect + rng.normal(0, 0.3, (n, p))
    if missing is not None:
        predicted[missing] = np.nan
    return Screen(control, control + effect, predicted, rng.normal(0, 3, (n, p)) + effect)


SEEDS = pytest.mark.parametrize("seed", range(4))


def each(score, screen: Screen, missing: int = 3) -> np.ndarray:
    """`score(i)` of each condition that was predicted."""
    return np.array([np.nan if i == missing else score(i) for i in range(len(screen.truth))])


# ---- formulas


@SEEDS
def test_l2_and_pearson_delta(seed: int) -> None:
    s = make(seed)
    genes = metrics.top_expressed(s.control, 15)
    assert set(genes) == set(sorted(range(40), key=lambda g: -s.control[g])[:15])
    l2 = each(lambda i: sum((s.truth[i, g] - s.predicted[i, g]) ** 2 for g in genes) ** 0.5, s)
    np.testing.assert_allclose(metrics.l2(s.truth, s.predicted, genes=genes), l2)
    matched = s.control + np.random.default_rng(seed).normal(0, 0.1, s.truth.shape)
    for reference in (s.control, s.truth.mean(axis=0), matched):
        origin = np.broadcast_to(reference, s.truth.shape)
        r = each(lambda i, o=origin: np.corrcoef((s.truth - o)[i, genes], (s.predicted - o)[i, genes])[0, 1], s)
        np.testing.assert_allclose(metrics.pearson_delta(s.truth, s.predicted, reference, genes=genes), r)


@SEEDS
def test_ranks(seed: int) -> None:
    s = make(seed)
    n = len(s.truth)

    def distances(i: int) -> list[float]:
        return [float(np.sqrt(((s.truth[j] - s.predicted[i]) ** 2).sum())) for j in range(n)]

    farther = each(lambda i: sum(d > distances(i)[i] for d in distances(i)) / (n - 1), s)
    np.testing.assert_allclose(metrics.centroid_accuracy(s.truth, s.predicted), farther)
    np.testing.assert_allclose(metrics.inverse_rank(s.truth, s.predicted), farther)
    assert np.nanmean(farther) > 0.6


@SEEDS
@pytest.mark.parametrize("distance", ["l1", "l2", "cosine"])
def test_discrimination(seed: int, distance: str) -> None:
    s = make(seed)
    n = len(s.truth)
    controls = s.control + np.random.default_rng(seed).normal(0, 0.1, s.truth.shape)
    exclude = [[0], [], *([i, i + 1] for i in range(2, n))]

    def one(a: np.ndarray, b: np.ndarray) -> float:
        if distance == "cosine":
            return 1 - (a @ b) / np.sqrt((a @ a) * (b @ b))
        return np.abs(a - b).sum() if distance == "l1" else np.sqrt(((a - b) ** 2).sum())

    def score(i: int) -> float:
        kept = [g for g in range(40) if g not in exclude[i]]
        effect = (s.predicted[i] - controls[i])[kept]
        d = [one((s.truth[j] - controls[j])[kept], effect) for j in range(n)]
        return 1 - sorted(range(n), key=lambda j: d[j]).index(i) / n

    kwargs = {"exclude": exclude, "distance": distance}
    found = metrics.perturbation_discrimination(s.truth, s.predicted, controls, **kwargs)
    np.testing.assert_allclose(found, each(score, s))


@SEEDS
def test_weighted_errors(seed: int) -> None:
    s = make(seed)
    w = metrics.de_weights(s.t)
    for i, t in enumerate(np.abs(s.t)):
        by_hand = [((x - min(t)) / (max(t) - min(t))) ** 2 for x in t]
        np.testing.assert_allclose(w[i], [x / sum(by_hand) for x in by_hand])
    mse = each(lambda i: sum(w[i, g] * (s.truth[i, g] - s.predicted[i, g]) ** 2 for g in range(40)), s)
    np.testing.assert_allclose(metrics.weighted_mse(s.truth, s.predicted, w), mse)

    def r2(i: int) -> float:
        d, e = s.truth[i] - s.control, s.predicted[i] - s.control
        mean = sum(w[i, g] * d[g] for g in range(40))
        above = sum(w[i, g] * (d[g] - e[g]) ** 2 for g in range(40))
        return 1 - above / sum(w[i, g] * (d[g] - mean) ** 2 for g in range(40))

    np.testing.assert_allclose(metrics.weighted_r2(s.truth, s.predicted, s.control, w), each(r2, s))


@SEEDS
def test_overlap_and_precision(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # With many ties, which come in the order of the genes.
    change, guess = np.round(rng.normal(0, 1, (2, 9, 90)), 1)
    significant, called = rng.random((2, 9, 90)) < 0.4

    def first(size: np.ndarray, mask: np.ndarray, k: int) -> set[int]:
        return set(sorted(np.flatnonzero(mask), key=lambda g: -abs(size[g]))[:k])

    for metric, mask in ((metrics.overlap_at_n, significant), (metrics.precision_at_n, called)):
        expected = [
            len(first(change[i], significant[i], k) & first(guess[i], called[i], k)) / k
            for i, k in enumerate(mask.sum(axis=1))
        ]
        np.testing.assert_allclose(metric((change, significant), (guess, called)), expected)
        assert len(set(expected)) > 3


@SEEDS
def test_signs_and_spread(seed: int) -> None:
    s = make(seed)
    changed = np.abs(s.t) > 3
    right = each(
        lambda i: np.mean(
            [
                (s.truth[i, g] - s.control[g]) * (s.predicted[i, g] - s.control[g]) > 0
                for g in np.flatnonzero(changed[i])
            ]
        ),
        s,
    )
    np.testing.assert_allclose(metrics.sign_accuracy(s.truth, s.predicted, s.control, changed), right)
    scored = np.delete(np.arange(len(s.truth)), 3)
    ratio = s.predicted[scored].std(axis=0, ddof=1) / s.truth[scored].std(axis=0, ddof=1)
    np.testing.assert_allclose(metrics.sd_ratio(s.truth, s.predicted), ratio)


# ---- what is undefined is NaN, and never 0


def test_no_change_and_mean_are_undefined_where_nothing_varies() -> None:
    s = make(missing=None)
    mean = np.tile(s.truth.mean(axis=0), (12, 1))
    none = np.tile(s.control, (12, 1))
    for guess, reference in ((none, s.control), (mean, mean[0]), (none + 2.0, s.control)):
        # Also where the prediction went through float32, whose rounding would correlate with something.
        for stored in (guess, guess.astype(np.float32)):
            assert np.isnan(metrics.pearson_delta(s.truth, stored, reference)).all()
    assert np.isfinite(metrics.pearson_delta(s.truth, mean, s.control)).all()
    assert np.isnan(metrics.pearson_delta(none, s.truth, s.control)).all()
    np.testing.assert_array_equal(metrics.sd_ratio(s.truth, mean), np.zeros(40))
    np.testing.assert_array_equal(metrics.sd_ratio(s.truth, none.astype(np.float32)), np.zeros(40))
    assert np.isnan(metrics.perturbation_discrimination(s.truth, none, s.control, distance="cosine")).all()
    changed = np.ones(s.truth.shape, dtype=bool)
    assert (metrics.sign_accuracy(s.truth, none.astype(np.float32), s.control, changed) == 0).all()


def test_the_correlation_does_not_depend_on_the_unit() -> None:
    s = make(missing=None)
    found = metrics.pearson_delta(s.truth, s.predicted, s.control)
    tiny = metrics.pearson_delta(s.truth * 1e-9, s.predicted * 1e-9, s.control * 1e-9)
    np.testing.assert_allclose(tiny, found)


def test_a_gene_or_condition_without_truth_is_undefined() -> None:
    s = make(missing=None)
    truth = s.truth.copy()
    truth[:, 5] = 0.7
    ratio = metrics.sd_ratio(truth, s.predicted)
    assert np.flatnonzero(np.isnan(ratio)).tolist() == [5]
    one = np.full(s.truth.shape, np.nan)
    one[2] = s.truth[2]
    assert np.isnan(metrics.sd_ratio(s.truth, one)).all()
    changed = np.zeros(s.truth.shape, dtype=bool)
    changed[0, :3] = True
    assert (
        np.isfinite(metrics.sign_accuracy(s.truth, s.predicted, s.control, changed)).tolist() == [True] + [False] * 11
    )
    # A gene that did not change has no direction, whatever the mask says.
    assert metrics.sign_accuracy([[1.0, 3.0]], [[2.0, 4.0]], [1.0, 1.0], [[True, True]]).tolist() == [1.0]
    assert np.isnan(metrics.centroid_accuracy(s.truth[:1], s.predicted[:1])).all()
    assert np.isnan(metrics.perturbation_discrimination(s.truth[:1], s.predicted[:1], s.control)).all()


def test_weights_without_information_are_undefined() -> None:
    t = np.array([[2.0, -2.0, 2.0], [np.nan, 1.0, 3.0], [np.nan, np.nan, np.nan]])
    w = metrics.de_weights(t)
    np.testing.assert_array_equal(w, [[np.nan] * 3, [0.0, 0.0, 1.0], [np.nan] * 3])
    truth, guess = np.arange(9.0).reshape(3, 3), np.ones((3, 3))
    np.testing.assert_array_equal(metrics.weighted_mse(truth, guess, w), [np.nan, 16.0, np.nan])
    # All weight on one gene: the change has no variance over it. Nor has a change that is the same for all genes.
    assert np.isnan(metrics.weighted_r2(truth, guess, np.zeros(3), w)).all()
    s = make(missing=None)
    same = np.tile(s.control + 0.3, (12, 1))
    assert np.isnan(metrics.weighted_r2(same, s.predicted, s.control, metrics.de_weights(s.t))).all()


def test_de_tables_without_genes() -> None:
    change = np.array([[3.0, 2.0, 1.0]] * 4)
    some, none = np.array([True, True, False]), np.zeros(3, dtype=bool)
    significant, called = np.array([some, none, some, some]), np.array([some, some, none, some])
    guess = change.copy()
    guess[3] = np.nan
    called[3] = False
    table, other = (change, significant), (guess, called)
    # Right; no gene is changed; none is called; not predicted.
    np.testing.assert_array_equal(metrics.overlap_at_n(table, other), [1.0, np.nan, 0.0, np.nan])
    np.testing.assert_array_equal(metrics.precision_at_n(table, other), [1.0, np.nan, np.nan, np.nan])


def test_a_condition_that_was_not_predicted_is_nan_in_every_metric() -> None:
    s = make()
    w = metrics.de_weights(s.t)
    found = [
        metrics.l2(s.truth, s.predicted),
        metrics.pearson_delta(s.truth, s.predicted, s.control),
        metrics.centroid_accuracy(s.truth, s.predicted),
        metrics.inverse_rank(s.truth, s.predicted),
        metrics.perturbation_discrimination(s.truth, s.predicted, s.control),
        metrics.perturbation_discrimination(s.truth, s.predicted, s.control, distance="cosine"),
        metrics.weighted_mse(s.truth, s.predicted, w),
        metrics.weighted_r2(s.truth, s.predicted, s.control, w),
        metrics.sign_accuracy(s.truth, s.predicted, s.control, np.ones(s.truth.shape, dtype=bool)),
    ]
    for values in found:
        assert values.dtype == np.float64
        assert np.flatnonzero(np.isnan(values)).tolist() == [3]
    # It competes all the same, and the arguments stay as they were.
    again = make()
    np.testing.assert_array_equal(s.predicted, again.predicted)
    np.testing.assert_array_equal(s.truth, again.truth)


# ---- traps


def test_a_shared_shift_crowns_the_mean_by_pearson_delta_only() -> None:
    s = make(missing=None, n=40, shift=1.0)
    half, other = s.truth[:20], s.truth[20:]
    mean = np.tile(half.mean(axis=0), (20, 1))
    assert np.mean(metrics.pearson_delta(other, mean, s.control)) > 0.85
    assert np.isnan(metrics.pearson_delta(other, mean, half.mean(axis=0))).all()
    assert np.mean(metrics.centroid_accuracy(other, mean)) == pytest.approx(0.5)
    assert np.mean(metrics.perturbation_discrimination(other, mean, s.control)) == pytest.approx(21 / 40)
    assert metrics.sd_ratio(other, mean).max() == 0.0


def test_ties_count_half_and_do_not_hang_on_the_last_digit() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        truth = rng.normal(3, 1, (2, 50))
        middle = np.tile(truth.mean(axis=0), (2, 1))
        assert metrics.centroid_accuracy(truth, middle).tolist() == [0.5, 0.5]
        assert metrics.perturbation_discrimination(truth, middle, truth[0] + 1, distance="l2").tolist() == [0.75, 0.75]
        twice = np.vstack([truth, truth[:1]])
        assert metrics.centroid_accuracy(twice, twice).tolist() == [0.75, 1.0, 0.75]
        # Profiles with a large common level lose digits in a matrix product.
        assert metrics.centroid_accuracy(twice + 1e4, twice + 1e4).tolist() == [0.75, 1.0, 0.75]


def test_centroids_of_the_whole_screen_may_hold_the_own_one() -> None:
    s = make(missing=None)
    own, training = s.truth[:4], s.truth[4:]
    expected = metrics.centroid_accuracy(s.truth, s.predicted)[:4]
    found = metrics.centroid_accuracy(own, s.predicted[:4], centroids=s.truth)
    np.testing.assert_allclose(found, expected)
    # float32 on the way to a file is the same condition still.
    stored = metrics.centroid_accuracy(own, s.predicted[:4], centroids=s.truth.astype(np.float32))
    np.testing.assert_allclose(stored, expected)
    only = metrics.centroid_accuracy(own, s.predicted[:4], centroids=training, genes=np.arange(10))
    by_hand = [
        np.mean(((training - s.predicted[i])[:, :10] ** 2).sum(axis=1) > ((own[i] - s.predicted[i])[:10] ** 2).sum())
        for i in range(4)
    ]
    np.testing.assert_allclose(only, by_hand)
    assert np.isnan(metrics.centroid_accuracy(own, own, centroids=own[[0, 0]])[0])


def test_genes_and_excluded_targets() -> None:
    s = make()
    genes = np.array([7, 2, 30])
    cut = (s.truth[:, genes], s.predicted[:, genes])
    np.testing.assert_allclose(metrics.l2(*cut), metrics.l2(s.truth, s.predicted, genes=genes), rtol=1e-12)
    a = metrics.perturbation_discrimination(*cut, s.control[genes], exclude=[[1]] * 12)
    # Columns to exclude are those of the whole matrix; one that is not in use changes nothing.
    b = metrics.perturbation_discrimination(s.truth, s.predicted, s.control, exclude=[[2, 9]] * 12, genes=genes)
    np.testing.assert_array_equal(a, b)
    # A row that is NaN outside the columns in use is no missing prediction.
    patchy = s.predicted.copy()
    patchy[0, 9] = np.nan
    np.testing.assert_allclose(metrics.l2(s.truth, patchy, genes=genes), metrics.l2(*cut), rtol=1e-12)


def test_direction_of_an_effect_that_is_all_in_the_target() -> None:
    truth = np.array([[1e3, 0.1, 0.0], [0.0, 0.1, 0.1], [5.0, 0.0, 0.0]])
    exclude = [[0]] * 3

    def score(guess: np.ndarray) -> list[float]:
        scores = metrics.perturbation_discrimination(truth, guess, np.zeros(3), exclude=exclude, distance="cosine")
        return scores.tolist()

    # Without the target the first effect is found by its direction, and nothing is left of the last one.
    np.testing.assert_array_equal(score(truth), [1.0, 1.0, np.nan])
    assert np.isnan(score(np.array([[3.0, 0.0, 0.0]] * 3))).all()
    # Equal but for the target, however large that is.
    truth = np.array([[1e5 / 3, 0.1, 0.3], [7e4 / 9, 0.1, 0.3], [1.0, -1.0, 0.0]])
    np.testing.assert_allclose(score(np.array([[0.0, 1.0, 0.0]] * 3)), [5 / 6, 5 / 6, 1 / 3])


def test_top_expressed_breaks_ties_by_column() -> None:
    control = np.array([0.0, 1.0, 0.0, 1.0, 3.0])
    assert metrics.top_expressed(control, 4).tolist() == [4, 1, 3, 0]
    assert metrics.top_expressed(control).tolist() == [4, 1, 3, 0, 2]
    assert metrics.top_expressed(np.vstack([control, control[::-1]]), 4).tolist() == [0, 4, 1, 3]
    assert metrics.top_expressed(control).dtype == np.intp


def test_ceiling_with_the_controls_of_each_half() -> None:
    rng = np.random.default_rng(1)
    base = rng.gamma(1.0, 1.0, 60)
    effect = rng.normal(0, 0.1, (30, 60))
    noise = rng.normal(0, 0.3, (4, 30, 60))
    controls = base + rng.normal(0, 0.5, (2, 60))
    halves = base + effect + noise[:2]
    apart = metrics.replicate_ceiling(
        *halves, metrics.pearson_delta, control_1=controls[0], control_2=controls[1], reference=controls[0]
    )
    by_hand = [np.corrcoef(halves[0][i] - controls[0], halves[1][i] - controls[1])[0, 1] for i in range(30)]
    np.testing.assert_allclose(apart, by_hand)
    # One control for both halves is an error they share.
    shared = metrics.replicate_ceiling(*halves, metrics.pearson_delta, reference=controls[0])
    assert shared.mean() > apart.mean() + 0.2
    assert metrics.replicate_ceiling(halves[0], halves[0], metrics.l2).max() == 0.0
    few = halves[1].copy()
    few[4] = np.nan
    assert np.flatnonzero(np.isnan(metrics.replicate_ceiling(halves[0], few, metrics.l2))).tolist() == [4]


# ---- bad input


def test_bad_profiles() -> None:
    s = make()
    for call in (metrics.l2, metrics.centroid_accuracy, metrics.inverse_rank, metrics.sd_ratio):
        with pytest.raises(InputError, match="same conditions and genes"):
            call(s.truth, s.predicted[:5])
        with pytest.raises(InputError, match="truth has NaN"):
            call(s.predicted, s.truth)
        with pytest.raises(InputError, match="conditions x genes"):
            call(s.truth[0], s.predicted[0])
        with pytest.raises(InputError, match="conditions x genes"):
            call(s.truth.astype(str), s.predicted)
    patchy = s.predicted.copy()
    patchy[5, 2] = np.nan
    with pytest.raises(InputError, match=r"in 1 rows, the first of them row 5"):
        metrics.l2(s.truth, patchy)
    patchy[5, 2] = np.inf
    with pytest.raises(InputError, match="infinite"):
        metrics.l2(s.truth, patchy)
    with pytest.raises(InputError, match="one profile of 40 genes"):
        metrics.pearson_delta(s.truth, s.predicted, s.control[:-1])
    with pytest.raises(InputError, match="reference has NaN"):
        metrics.pearson_delta(s.truth, s.predicted, s.control * np.nan)
    with pytest.raises(InputError, match="1 or more"):
        metrics.top_expressed(s.control, 0)
    with pytest.raises(InputError, match="9 genes but truth has 40"):
        metrics.centroid_accuracy(s.truth, s.predicted, centroids=np.ones((3, 9)))


@pytest.mark.parametrize(
    ("genes", "match"),
    [
        (np.ones(40, dtype=bool), "flatnonzero"),
        ([], "one or more"),
        ([0, 40], "from 0 to 39"),
        ([-1, 2], "from 0 to 39"),
        ([2, 2], "twice"),
        (["A"], "integer"),
    ],
)
def test_bad_genes(genes, match: str) -> None:
    s = make()
    with pytest.raises(InputError, match=match):
        metrics.l2(s.truth, s.predicted, genes=genes)


def test_bad_extras() -> None:
    s = make()
    every = np.ones(s.truth.shape, dtype=bool)
    with pytest.raises(InputError, match="distance must be one of"):
        metrics.perturbation_discrimination(s.truth, s.predicted, s.control, distance="l3")
    with pytest.raises(InputError, match="1 entries for 12"):
        metrics.perturbation_discrimination(s.truth, s.predicted, s.control, exclude=[[0]])
    with pytest.raises(InputError, match="from 0 to 39"):
        metrics.perturbation_discrimination(s.truth, s.predicted, s.control, exclude=[[99]] * 12)
    with pytest.raises(InputError, match="leaves no gene"):
        metrics.perturbation_discrimination(s.truth, s.predicted, s.control, exclude=[np.arange(40)] * 12)
    with pytest.raises(InputError, match="changed must be bool"):
        metrics.sign_accuracy(s.truth, s.predicted, s.control, every.astype(int))
    with pytest.raises(InputError, match="infinite"):
        metrics.de_weights([[1.0, np.inf]])
    with pytest.raises(InputError, match="sum to 1"):
        metrics.weighted_mse(s.truth, s.predicted, np.ones(s.truth.shape))
    with pytest.raises(InputError, match="sum to 1"):
        metrics.weighted_mse([[1.0, 1.0]], [[1.0, 1.0]], [[1.0, np.nan]])
    with pytest.raises(InputError, match="weights must be conditions x genes"):
        metrics.weighted_mse(s.truth, s.predicted, np.ones((12, 3)))
    with pytest.raises(InputError, match="belong together"):
        metrics.replicate_ceiling(s.truth, s.truth, metrics.l2, control_1=s.control)
    with pytest.raises(InputError, match="half_1 is"):
        metrics.replicate_ceiling(s.truth, s.truth[1:], metrics.l2)


def test_bad_de_tables() -> None:
    good = (np.ones((2, 3)), np.ones((2, 3), dtype=bool))
    for call in (metrics.overlap_at_n, metrics.precision_at_n):
        with pytest.raises(InputError, match="must be a pair: log fold"):
            call(np.ones((2, 3)), good)
        with pytest.raises(InputError, match="predicted_de must be a pair of arrays"):
            call(good, (np.ones((2, 3)), np.ones((2, 3))))
        with pytest.raises(InputError, match="conditions and genes must be the same"):
            call(good, (np.ones((1, 3)), np.ones((1, 3), dtype=bool)))
        with pytest.raises(InputError, match="NaN"):
            call(good, (np.full((2, 3), np.nan), good[1]))


# ---- cells


def test_energy_distance_without_pertpy_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pertpy", None)
    monkeypatch.setitem(sys.modules, "pertpy.tools", None)
    with pytest.raises(MissingExtraError, match="Run: pip install .*pertpy"):
        metrics.energy_distance([[0.0]], [[1.0]])


def test_bad_cells() -> None:
    cells = np.ones((3, 2))
    with pytest.raises(InputError, match="2 features but cells_predicted has 3"):
        metrics.energy_distance(cells, np.ones((3, 3)))
    with pytest.raises(InputError, match="cells_predicted must be numbers"):
        metrics.energy_distance(cells, np.ones((0, 2)))
    with pytest.raises(InputError, match="cells_true has NaN"):
        metrics.energy_distance(cells * np.nan, cells)
