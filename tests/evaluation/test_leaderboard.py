"""Predictions beside their baselines: what is scored, the intervals, and a verdict that nobody can fool."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest

from sc_annotate.errors import InputError
from sc_annotate.evaluation import Leaderboard, _leaderboard_tables, leaderboard
from sc_annotate.evaluation.leaderboard_de import t_against_rest
from sc_annotate.metrics import perturbation as metrics

if TYPE_CHECKING:
    from pathlib import Path

N, P = 60, 300


def screen(seed: int = 0, n: int = N, p: int = P, *, shift: float = 0.4, signal: float = 0.15) -> dict[str, Any]:
    """Profiles with an effect of rank ten, over a shift that all perturbed cells share."""
    rng = np.random.default_rng(seed)
    control = rng.gamma(1.0, size=p) + 0.5
    common = control + shift * rng.normal(size=p)
    effect = signal / 3 * rng.normal(size=(n, 10)) @ rng.normal(size=(10, p))
    effect -= effect.mean(axis=0)
    genes = np.array([f"G{i}" for i in range(p)])
    noise = rng.normal(size=(4, n, p))
    return {
        "truth": common + effect + 0.05 * noise[0],
        "control": control,
        "common": common,
        "effect": effect,
        "genes": genes,
        "targets": [(f"G{i}",) for i in range(n)],
        "noise": noise[1],
        "halves": (
            common + effect + 0.07 * noise[2],
            common + effect + 0.07 * noise[3],
            control + 0.01 * rng.normal(size=p),
            control + 0.01 * rng.normal(size=p),
        ),
    }


def board_of(s: dict[str, Any], predictions: dict[str, np.ndarray], **kwargs: Any) -> Leaderboard:
    # The mean of as many other conditions as there are, so that it has not seen these.
    given = {"control": s["control"], "perturbed_mean": s["common"], "targets": s["targets"], "genes": s["genes"]}
    return leaderboard(s["truth"], predictions, **(given | {"n_top": 200} | kwargs))


# ---- the verdict


@pytest.mark.parametrize("seed", range(5))
def test_the_mean_tops_pearson_delta_and_is_still_called_uninformative(seed: int) -> None:
    s = screen(seed)
    # A model of the field: it knows the shift half, and it adds what means nothing.
    board = board_of(s, {"model": 0.5 * (s["control"] + s["common"]) + 0.1 * s["noise"]})
    column = board.summary.mean[:, board.metrics.index("pearson_delta")]
    assert board.methods[int(np.nanargmax(column))] == "mean"
    assert board.interval("mean", "pearson_delta").estimate > 0.8
    assert dict(zip(board.methods, board.decisions, strict=True)) == dict.fromkeys(board.methods, "uninformative")
    assert "mean are uninformative: they predict the same for every perturbation, although mean tops pearson_delta" in (
        board.verdict
    )
    assert "no method distinguishes perturbations better than chance" in board.verdict


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1.0, 0.5, 0.2])
def test_a_useful_prediction_is_not_called_uninformative(seed: int, size: float) -> None:
    # At a fifth of its size the nearest true profile says no more than chance: the direction has to tell.
    s = screen(seed)
    board = board_of(s, {"model": s["common"] + size * s["effect"]})
    assert board.decisions == ["informative", "uninformative", "uninformative"]
    assert board.differences["mean"].better.tolist() == [True, False, False]
    assert board.differences["no_change"].better.tolist() == [True, False, False]
    assert board.verdict.startswith(f"On {N} conditions, model is better than no_change and mean.")
    assert board.sentences[0].startswith("model is better than no_change and mean (")


def test_a_right_prediction_of_few_genes_is_informative_though_the_median_gene_never_changes() -> None:
    s = screen()
    few = np.where(np.abs(s["effect"]) > np.quantile(np.abs(s["effect"]), 0.99), s["effect"], 0)
    board = board_of(s, {"model": s["common"] + few})
    assert board.interval("model", "sd_ratio").estimate < 0.1
    assert board.decisions[0] == "informative"


def test_a_better_level_alone_is_not_better() -> None:
    # Test conditions that differ from the training ones as a whole: knowing that says nothing of any perturbation.
    s = screen()
    moved = s["common"] + 0.1
    s["truth"] = s["truth"] + 0.1
    board = board_of(s, {"constant": np.tile(moved, (N, 1)), "noisy": moved + 0.02 * s["noise"]})
    for name in ("constant", "noisy"):
        assert board.difference(name, "mean").high < 0, "by L2 it wins"
        assert not board.differences["mean"].better[board.methods.index(name)]
        assert board.decisions[board.methods.index(name)] == "uninformative"
    assert "noisy is uninformative: it distinguishes perturbations no better than chance" in board.sentences[1]


def test_worse_than_a_baseline_that_is_better() -> None:
    s = screen()
    good = s["common"] + s["effect"]
    board = board_of(s, {"model": s["common"] + 0.5 * s["effect"], "additive": good})
    assert board.methods == ["model", "no_change", "mean", "additive"]
    assert "model is better than no_change and mean, worse than additive" in board.verdict
    assert "additive is better than no_change and mean" in board.verdict


def test_equal_predictions_are_not_better() -> None:
    s = screen()
    good = s["common"] + s["effect"]
    board = board_of(s, {"a": good, "b": good}, reference="b")
    assert board.baselines == ["no_change", "mean", "b"]
    gap = board.difference("a", "b")
    assert (gap.estimate, gap.low, gap.high) == (0, 0, 0)
    assert "a is better than no_change and mean, not shown to be better than b" in board.verdict


def test_five_conditions_are_too_few() -> None:
    s = screen(n=5)
    board = board_of(s, {"model": s["common"] + s["effect"]})
    assert board.decisions == ["too few conditions", "uninformative", "uninformative"]
    assert not any(found.better.any() for found in board.differences.values())
    assert board.verdict.startswith("Only 5 conditions could be scored, too few")


def test_matched_controls_that_differ_are_no_information() -> None:
    # Each condition has its own control, and the profiles follow it: no change then varies, but says no change.
    s = screen()
    own = s["control"] + 0.1 * s["noise"]
    s["truth"] = s["truth"] + 0.1 * s["noise"]
    board = board_of(s, {}, control=own)
    assert board.spread[0] < 1e-6
    assert board.decisions == ["uninformative", "uninformative"]


def test_means_of_folds_stay_uninformative() -> None:
    # The mean of all others differs between conditions, and it points away from each of them.
    s = screen(n=12)
    others = (s["truth"].sum(axis=0) - s["truth"]) / 11
    board = board_of(s, {"mean": others}, perturbed_mean=others)
    assert board.decisions == ["uninformative", "uninformative"]
    assert np.isnan(board.interval("mean", "pearson_perturbed").estimate)


# ---- what is scored


def test_values_are_those_of_the_metrics() -> None:
    s = screen()
    prediction = s["common"] + 0.5 * s["effect"]
    t = s["effect"] / 0.05
    board = board_of(s, {"model": prediction}, t=t)
    top = metrics.top_expressed(s["control"], 200)
    own = [np.array([i]) for i in range(N)]
    expected = {
        "l2": metrics.l2(s["truth"], prediction, genes=top),
        "pearson_delta": metrics.pearson_delta(s["truth"], prediction, s["control"], genes=top),
        "pearson_perturbed": metrics.pearson_delta(s["truth"], prediction, s["common"]),
        "centroid_accuracy": metrics.centroid_accuracy(s["truth"], prediction),
        "discrimination": metrics.perturbation_discrimination(s["truth"], prediction, s["control"], exclude=own),
        "weighted_mse": metrics.weighted_mse(s["truth"], prediction, metrics.de_weights(t)),
        "weighted_r2": metrics.weighted_r2(s["truth"], prediction, s["control"], metrics.de_weights(t)),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(board.values[name][0], values)
        assert board.interval("model", name).estimate == pytest.approx(values.mean())
    assert board.interval("model", "sd_ratio").estimate == pytest.approx(
        np.median(metrics.sd_ratio(s["truth"], prediction)[top])
    )
    assert "weighted_mse" not in board_of(s, {"model": prediction}).metrics


def test_signs_are_judged_on_changed_genes_without_the_targets() -> None:
    s = screen(n=8, p=40)
    s["truth"] = np.tile(s["control"], (8, 1))
    rows = np.arange(8)
    s["truth"][rows, rows] -= 0.4  # the target itself: known beforehand
    s["truth"][:, 20:24] += 0.2
    half = s["truth"].copy()
    half[:, 22:24] -= 0.4  # two of four signs are wrong
    board = board_of(s, {"half": half}, n_top=None)
    np.testing.assert_allclose(board.values["sign_accuracy"][0], 0.5)


def test_only_conditions_that_all_predict_are_scored_and_the_others_are_named() -> None:
    s = screen()
    a, b = s["common"] + s["effect"], s["common"] + 0.5 * s["effect"]
    a[:3], b[2:5] = np.nan, np.nan
    additive = np.full_like(a, np.nan)
    additive[30:] = s["truth"][30:]
    none = np.full_like(a, np.nan)
    board = board_of(s, {"a": a, "b": b, "additive": additive, "none": none})
    assert (board.n_scored, board.n_dropped) == (N - 5, 5)
    assert board.dropped[:6] == ["not predicted by a"] * 2 + ["not predicted by a, b"] + ["not predicted by b"] * 2 + [
        ""
    ]
    status = dict(zip(board.methods, board.summary.status[:, 0], strict=True))
    assert status == {
        "a": "partly missing", "b": "partly missing", "none": "missing", "no_change": "scored", "mean": "scored", "additive": "partly missing"
    }  # fmt: skip
    at = board.methods.index("additive")
    assert (board.summary.n_scored[at, 0], board.summary.n_missing[at, 0]) == (30, 30)
    assert board.decisions[board.methods.index("none")] == "missing"
    assert board.verdict.startswith(f"On {N - 5} of {N} conditions, ")
    assert board.verdict.endswith("scored for no method: a 3, b 3.")
    found = board.differences["additive"]
    assert (found.n_scored[0, 0], found.n_dropped[0, 0]) == (30, 25)
    assert found.reason[0, 0] == "l2 undefined or not predicted by additive"
    expected = (board.values["l2"][0] - board.values["l2"][at])[30:].mean()
    assert board.difference("a", "additive").estimate == pytest.approx(expected)
    # What is not scored is still there to be looked at.
    assert np.isfinite(board.values["l2"][1, 0])
    assert np.isnan(board.values["l2"][0, 0])


def test_undefined_is_said_and_never_zero() -> None:
    board = board_of(screen(), {})
    j = board.metrics.index("pearson_delta")
    i = board.methods.index("no_change")
    assert board.summary.status[i, j] == "undefined"
    assert (board.summary.n_scored[i, j], board.summary.n_undefined[i, j]) == (0, N)
    assert np.isnan(board.summary.mean[i, j])
    assert np.isnan(board.difference("mean", "no_change", "pearson_delta").estimate)
    assert board.differences["no_change"].reason[board.methods.index("mean"), j].endswith("by no_change")


def test_ceiling() -> None:
    s = screen()
    one, two, c1, c2 = s["halves"]
    board = board_of(s, {}, halves=s["halves"], t=s["effect"])
    assert list(board.ceiling) == board.metrics
    top = metrics.top_expressed(s["control"], 200)
    assert board.ceiling["l2"] == pytest.approx(metrics.l2(one, two, genes=top).mean())
    expected = metrics.pearson_delta(one - c1, two - c2, np.zeros(P), genes=top).mean()
    assert board.ceiling["pearson_delta"] == pytest.approx(expected)
    expected = metrics.pearson_delta(one - one.mean(axis=0), two - two.mean(axis=0), np.zeros(P)).mean()
    assert board.ceiling["pearson_perturbed"] == pytest.approx(expected)
    assert board.ceiling["discrimination"] == 1
    one = one.copy()
    one[:2] = np.nan  # conditions of one cell
    some = board_of(s, {}, halves=(one, two, c1, c2)).ceiling
    assert some["l2"] == pytest.approx(metrics.l2(one[2:], two[2:], genes=top).mean())


def test_t_against_the_rest_is_welchs_with_the_rest_as_small_as_the_condition() -> None:
    from scipy.stats import ttest_ind_from_stats

    rng = np.random.default_rng(0)
    sizes = np.array([12, 7, 30, 5])
    group = np.repeat(np.arange(4), sizes)
    X = rng.gamma(2.0, size=(sizes.sum(), 15)) + 0.5 * rng.random((4, 15))[group]
    mean = np.stack([X[group == i].mean(axis=0) for i in range(4)])
    se = np.stack([X[group == i].std(axis=0, ddof=1) / np.sqrt(sizes[i]) for i in range(4)])
    ours = t_against_rest(mean, se, sizes)
    for i, n in enumerate(sizes):
        own, rest = X[group == i], X[group != i]
        # What scanpy's t-test_overestim_var calls: the number of cells of the rest is that of the condition.
        expected = ttest_ind_from_stats(
            own.mean(axis=0),
            own.std(axis=0, ddof=1),
            n,
            rest.mean(axis=0),
            rest.std(axis=0, ddof=1),
            n,
            equal_var=False,
        ).statistic
        np.testing.assert_allclose(ours[i], expected, rtol=1e-10)
    se[3] = np.nan
    assert np.isnan(t_against_rest(mean, se, np.array([12, 7, 30, 1]))[3]).all()


# ---- intervals


@pytest.mark.slow
def test_intervals_agree_with_a_plain_bootstrap() -> None:
    s = screen(n=25)
    a, b = s["common"] + 0.5 * s["effect"] + 0.1 * s["noise"], s["common"] + 0.4 * s["effect"]
    a[:4] = np.nan
    board = board_of(s, {"a": a, "b": b}, n_boot=20_000)
    rng = np.random.default_rng(3)
    top = metrics.top_expressed(s["control"], 200)
    l2 = {k: metrics.l2(s["truth"], v, genes=top)[4:] for k, v in {"a": a, "b": b}.items()}
    means, gaps, ratios = [], [], []
    for _ in range(2000):
        rows = rng.integers(0, 21, 21)
        means.append(l2["a"][rows].mean())
        gaps.append((l2["a"] - l2["b"])[rows].mean())
        true, guess = s["truth"][4:][rows][:, top], a[4:][rows][:, top]
        ratios.append(np.median(guess.std(axis=0) / true.std(axis=0)))
    mean = s["common"]
    with_mean = metrics.l2(s["truth"], np.tile(mean, (25, 1)), genes=top)[4:]
    assert board.difference("a", "mean").estimate == pytest.approx((l2["a"] - with_mean).mean())
    paired = board_of(s, {"a": a, "b": b}, n_boot=20_000, reference="b").difference("a", "b")
    spread = board.interval("a", "sd_ratio")
    # Replicates of this one lie too high; they are laid around the estimate.
    ratios = [ratio * spread.estimate / float(np.median(ratios)) for ratio in ratios]
    for slow, out in ((means, board.interval("a", "l2")), (gaps, paired), (ratios, spread)):
        low, high = np.quantile(slow, [0.025, 0.975])
        # Monte-Carlo error of a 2.5 % quantile from 2,000 replicates is about 0.06 standard deviations.
        assert out.low == pytest.approx(low, abs=0.25 * np.std(slow))
        assert out.high == pytest.approx(high, abs=0.25 * np.std(slow))


def test_quantiles_leave_out_nan() -> None:
    values = np.random.default_rng(0).random((50, 3))
    values[::3, 1], values[:, 2] = np.nan, np.nan
    out = _leaderboard_tables.quantiles(values, (0.025, 0.975))
    np.testing.assert_allclose(out[:, :2], np.nanquantile(values[:, :2], [0.025, 0.975], axis=0))
    assert np.isnan(out[:, 2]).all()


def test_the_bootstrap_is_quick() -> None:
    rng = np.random.default_rng(0)
    values, profiles = rng.random((8 * 10 * 4, 300)), rng.random((300, 1000))
    start = time.process_time()
    drawn = _leaderboard_tables.draws(300, 2000, 0)
    _leaderboard_tables.of_means(values, drawn)
    below = _leaderboard_tables.sds(profiles, drawn)
    for _ in range(4):
        _leaderboard_tables.of_sd_ratio(below, profiles, drawn, 1.0)
    # About 0.5 s on one busy core; a loop over replicates takes a minute.
    assert time.process_time() - start < 5


def test_the_same_seed_gives_the_same_board() -> None:
    s = screen()
    model = {"model": s["common"] + 0.3 * s["effect"]}
    one, two, other = board_of(s, model), board_of(s, model), board_of(s, model, rng=1)
    np.testing.assert_array_equal(one.summary.low, two.summary.low)
    assert not np.array_equal(one.summary.low, other.summary.low, equal_nan=True)


# ---- storing and showing


@pytest.mark.parametrize("kind", ["h5ad", "zarr"])
def test_round_trip_through_a_file(kind: str, tmp_path: Path) -> None:
    s = screen()
    model = s["common"] + s["effect"]
    model[:2] = np.nan
    board = board_of(s, {"a/b model": model}, reference="a/b model", halves=s["halves"])
    adata = ad.AnnData(np.zeros((1, 1)), uns={"board": board.to_dict()})
    path = tmp_path / f"x.{kind}"
    getattr(adata, f"write_{kind}")(path)
    back = Leaderboard.from_dict(getattr(ad, f"read_{kind}")(path).uns["board"])
    for name in (
        "methods",
        "metrics",
        "baselines",
        "conditions",
        "genes",
        "dropped",
        "decisions",
        "sentences",
        "verdict",
    ):
        assert getattr(back, name) == getattr(board, name)
    assert back.notes == []
    assert back.ceiling == pytest.approx(board.ceiling)
    for name in ("predicted", "scored", "sd_ratios", "spread"):
        np.testing.assert_array_equal(getattr(back, name), getattr(board, name))
    for part, array in vars(board.summary).items():
        np.testing.assert_array_equal(getattr(back.summary, part), array)
        assert getattr(back.summary, part).dtype.kind == array.dtype.kind
    for name, found in board.differences.items():
        for part, array in vars(found).items():
            np.testing.assert_array_equal(getattr(back.differences[name], part), array)
    for name, array in board.values.items():
        np.testing.assert_array_equal(back.values[name], array)
    assert repr(back) == repr(board)


def test_without_ceiling_there_is_none_after_a_file() -> None:
    assert Leaderboard.from_dict(board_of(screen(), {}).to_dict()).ceiling == {}


def test_table_and_text() -> None:
    s = screen()
    board = board_of(s, {"model": s["common"] + s["effect"]})
    table = board.table()
    assert len(table) == 3 * len(board.metrics)
    row = table[(table["method"] == "model") & (table["metric"] == "l2")].iloc[0]
    assert row["mean"] == board.interval("model", "l2").estimate
    assert row["minus mean, high"] == board.difference("model", "mean").high
    text = repr(board)
    assert "undefined" in text
    assert board.verdict in text


# ---- bad input


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"truth": np.full((N, P), np.nan)}, "truth has NaN"),
        ({"control": np.zeros(P - 1)}, "control must be one profile of 300 genes"),
        ({"perturbed_mean": np.full(P, np.inf)}, "perturbed_mean has NaN"),
        ({"targets": [("A",)]}, "1 targets"),
        ({"targets": [("A",)] * N}, "'A' occurs more than once"),
        ({"conditions": ["A"]}, "1 names for 60 conditions"),
        ({"genes": ["G"] * P}, "'G' more than once"),
        ({"reference": "GEARS"}, "reference names 'GEARS'"),
        ({"n_boot": 0}, "must be 1 or more"),
        ({"t": np.zeros((2, 2))}, "t is of shape"),
        ({"halves": (1, 2)}, "halves must be"),
        ({"halves": (np.zeros((2, 2)),) * 4}, "half_1"),
        ({"predictions": {"m": np.zeros((N, 2))}}, r"predictions\['m'\] is of shape \(60, 2\)"),
        ({"predictions": {"": np.zeros((N, P))}}, "name of a method"),
        ({"predictions": {"m": np.where(np.eye(N, P) > 0, np.nan, 1.0)}}, "NaN or infinite values in 'G0'"),
    ],
)
def test_bad_input(change: dict[str, Any], match: str) -> None:
    s = screen()
    given = {"control": s["control"], "perturbed_mean": s["common"], "targets": s["targets"], "genes": s["genes"]}
    arguments = {"truth": s["truth"], "predictions": {}} | given | change
    with pytest.raises(InputError, match=match):
        leaderboard(arguments.pop("truth"), arguments.pop("predictions"), **arguments)


def test_nothing_in_common_is_an_error() -> None:
    s = screen()
    a, b = s["truth"].copy(), s["truth"].copy()
    a[:40], b[40:] = np.nan, np.nan
    with pytest.raises(InputError, match=r"predicted by all methods \(a 20, b 40, .*Evaluate them apart"):
        board_of(s, {"a": a, "b": b})


def test_unknown_names() -> None:
    board = board_of(screen(), {})
    with pytest.raises(InputError, match="no method 'x'; there are: 'no_change', 'mean'"):
        board.interval("x", "l2")
    with pytest.raises(InputError, match="no baseline"):
        board.difference("mean", "x")
    with pytest.raises(InputError, match="no stored leaderboard"):
        Leaderboard.from_dict({"schema": 99})


def test_the_interval_of_the_sd_ratio_holds_its_estimate() -> None:
    """Genes that few conditions change: plain percentiles of the bootstrap lie above what was measured."""
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 0.05, size=(40, 200))
    truth[rng.integers(0, 40, 200), np.arange(200)] += 2
    predicted = 0.5 * truth + rng.normal(0, 0.05, size=truth.shape)
    board = leaderboard(
        truth + 1,
        {"half": predicted + 1},
        control=np.ones(200),
        perturbed_mean=1 + truth.mean(axis=0),
        targets=[(f"T{i}",) for i in range(40)],
        genes=np.array([f"G{i}" for i in range(200)]),
    )
    found = board.interval("half", "sd_ratio")
    assert found.low <= found.estimate <= found.high
