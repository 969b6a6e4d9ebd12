"""Interaction metrics against plain transcriptions, scipy, scikit-learn and simulations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats
from sklearn.metrics import average_precision_score

from sc_annotate.errors import InputError
from sc_annotate.metrics.interactions import (
    EmpiricalNull,
    average_precision,
    empirical_null,
    interaction_class,
    interaction_curve,
    local_fdr,
    tail_area_q,
)


def mixture(seed: int, n: int = 20_000, share: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Values of a null N(0.2, 1.3) and of alternatives on both sides, and which are the latter."""
    rng = np.random.default_rng(seed)
    new = rng.random(n) < share
    z = rng.normal(0.2, 1.3, n)
    z[new] += rng.choice([-1, 1], new.sum()) * rng.normal(6, 1, new.sum())
    return z, new


# ---- the null


def test_the_null_maximises_the_likelihood_of_the_middle() -> None:
    z, _ = mixture(0, 3000)
    null = empirical_null(z)
    robust = np.subtract(*np.quantile(z, [0.75, 0.25])) / 1.3489795
    width = 4.3 * np.exp(-0.26 * np.log10(z.size)) * robust
    low, high = np.median(z) - width, np.median(z) + width
    inside = z[(z >= low) & (z <= high)]

    def loss(theta: np.ndarray) -> float:
        mean, sd = theta[0], np.exp(theta[1])
        mass = stats.norm.cdf(high, mean, sd) - stats.norm.cdf(low, mean, sd)
        return -stats.norm.logpdf(inside, mean, sd).sum() + inside.size * np.log(mass)

    best = optimize.minimize(loss, [0, 0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-8}).x
    assert null.delta0 == pytest.approx(best[0], abs=1e-4)
    assert null.sigma0 == pytest.approx(np.exp(best[1]), rel=1e-4)
    mass = np.diff(stats.norm.cdf([low, high], best[0], np.exp(best[1])))[0]
    assert null.p0 == pytest.approx(inside.size / z.size / mass, rel=1e-4)


def test_the_null_is_found_under_alternatives() -> None:
    found = np.array([(n.delta0, n.sigma0, n.p0) for n in (empirical_null(mixture(s)[0]) for s in range(10))])
    np.testing.assert_allclose(found.mean(axis=0), [0.2, 1.3, 0.95], atol=0.02)


def test_the_null_moves_with_location_and_scale_and_leaves_out_nan() -> None:
    z, _ = mixture(1, 5000)
    null = empirical_null(z)
    moved = empirical_null(np.append(1000 + 0.001 * z, np.nan).reshape(1, -1))
    assert moved.delta0 == pytest.approx(1000 + 0.001 * null.delta0, rel=1e-9)
    assert moved.sigma0 == pytest.approx(0.001 * null.sigma0, rel=1e-5)
    assert moved.p0 == pytest.approx(null.p0, rel=1e-5)


# ---- false discovery rates


def test_local_fdr_is_the_true_one() -> None:
    z, _ = mixture(2, 100_000)
    fdr = local_fdr(z, empirical_null(z))
    null = 0.95 * stats.norm.pdf(z, 0.2, 1.3)
    sd = np.hypot(1.3, 1)
    other = 0.025 * (stats.norm.pdf(z, 6.2, sd) + stats.norm.pdf(z, -5.8, sd))
    true = null / (null + other)
    # Its mean is the share of nulls.
    assert fdr.mean() == pytest.approx(0.95, abs=0.03)
    decided = (true < 0.01) | (true > 0.99)
    assert np.abs(fdr - true)[decided].max() < 0.15
    # Seven degrees of freedom cannot follow three peaks exactly; more can.
    finer = local_fdr(z, empirical_null(z), df=20)
    assert np.abs(finer - true).mean() < 0.01
    assert np.corrcoef(fdr, true)[0, 1] < np.corrcoef(finer, true)[0, 1]
    assert np.corrcoef(finer, true)[0, 1] > 0.99
    assert fdr.min() >= 0
    assert fdr.max() == 1


def test_local_fdr_bears_extreme_values_and_nan() -> None:
    z, _ = mixture(3)
    z[:3] = [500, -500, np.nan]
    fdr = local_fdr(z, empirical_null(z))
    assert fdr[:2].max() < 1e-6
    assert np.isnan(fdr[2])
    assert np.isfinite(fdr[3:]).all()


@pytest.mark.parametrize("spread", [30, 3000])
def test_local_fdr_where_the_density_runs_out(spread: float) -> None:
    """A few values far out on a small screen: the fitted density is 0 in all digits between them."""
    rng = np.random.default_rng(3)
    z = np.r_[rng.normal(size=300), rng.normal(0, spread, size=20)]
    fdr = local_fdr(z, empirical_null(z))
    assert ((fdr >= 0) & (fdr <= 1)).all()
    assert fdr[np.abs(z) < 1].min() > 0.5


def test_tail_area_equals_benjamini_and_hochberg() -> None:
    z, _ = mixture(4, 2000)
    null = EmpiricalNull(0.2, 1.3, 1.0)
    p = 2 * stats.norm.sf(np.abs(z - 0.2) / 1.3)
    np.testing.assert_allclose(tail_area_q(z, null), stats.false_discovery_control(p), rtol=1e-10)
    half = tail_area_q(z, EmpiricalNull(0.2, 1.3, 0.5))
    np.testing.assert_allclose(half[half < 0.5], 0.5 * stats.false_discovery_control(p)[half < 0.5], rtol=1e-10)
    # More than all cannot be null.
    np.testing.assert_array_equal(tail_area_q(z, EmpiricalNull(0.2, 1.3, 1.2)), tail_area_q(z, null))


def test_tail_area_keeps_shape_nan_and_ties() -> None:
    q = tail_area_q(np.array([[3.0, np.nan], [-3.0, 0.0]]), EmpiricalNull(0, 1, 1))
    assert np.isnan(q[0, 1])
    assert q[0, 0] == q[1, 0] == pytest.approx(2 * stats.norm.sf(3) * 3 / 2)


def test_as_many_false_calls_as_asked_for() -> None:
    wrong = []
    for seed in range(20):
        z, new = mixture(seed)
        called = tail_area_q(z, empirical_null(z)) <= 0.05
        wrong.append((called & ~new).sum() / called.sum())
        # It finds as many as if the null were known.
        known = tail_area_q(z, EmpiricalNull(0.2, 1.3, 0.95)) <= 0.05
        assert called[new].mean() == pytest.approx(known[new].mean(), abs=0.04)
    assert 0.02 <= np.mean(wrong) <= 0.07


# ---- classes


def test_classes() -> None:
    cases = {
        "buffering": [(1, 1, 1.5), (1, 1, 0), (1, 1, 2), (-1, -2, -0.5), (-1, -2, -3)],
        "synergistic": [(1, 1, 2.1), (-1, -1, -5)],
        "opposite": [(1, 1, -0.1), (-1, -1, 0.1)],
        "other": [(1, -1, 3), (0, 1, 5), (0, 0, 1)],
        "undefined": [(np.nan, 1, 1), (1, 1, np.nan)],
    }
    for kind, rows in cases.items():
        assert set(interaction_class(*np.transpose(rows))) == {kind}, kind
    assert interaction_class(np.ones((2, 3)), np.ones((2, 3)), np.zeros((2, 3))).shape == (2, 3)
    with pytest.raises(InputError, match="one shape"):
        interaction_class([1, 2], [1], [1, 2])


# ---- curves


def plain_curve(score: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The definition, depth by depth; scores without ties."""
    order = np.argsort(-score)
    points = []
    for depth in range(1, score.size + 1):
        top = truth[order[:depth]]
        points.append((1 - top.mean(), top.sum() / truth.sum()))
    points.sort()
    fdp = sorted({p for p, _ in points})
    best = [max(t for p, t in points if p <= limit) for limit in fdp]
    return np.interp(np.linspace(0, 1, 101), fdp, best, left=0)


def test_curve_equals_its_definition() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        truth = rng.random(60) < 0.2
        score = rng.normal(size=60) + truth
        fdp, tpr = interaction_curve(score, truth)
        np.testing.assert_array_equal(fdp, np.linspace(0, 1, 101))
        np.testing.assert_allclose(tpr, plain_curve(score, truth), atol=1e-12)
        assert average_precision(score, truth) == pytest.approx(average_precision_score(truth, score))


def test_curves_of_the_extremes() -> None:
    truth = np.array([True] * 5 + [False] * 15)
    assert (interaction_curve(np.arange(20)[::-1], truth)[1] == 1).all()
    # A score that says nothing: one depth, all of it.
    tpr = interaction_curve(np.ones(20), truth)[1]
    assert tpr[74] == 0
    assert tpr[75:].tolist() == [1.0] * 26
    assert average_precision(np.ones(20), truth) == 0.25
    rounded = np.round(np.random.default_rng(0).normal(size=20), 1)
    assert average_precision(rounded, truth) == pytest.approx(average_precision_score(truth, rounded))


# ---- bad input

TWO_PEAKS = np.random.default_rng(0).normal(size=2000) * 0.4 + np.repeat([-1, 1], 1000)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: empirical_null(np.arange(50.0)), "at least 100"),
        (lambda: empirical_null(np.zeros(200)), "no spread"),
        (lambda: empirical_null(np.append(np.zeros(200), np.inf)), "infinite"),
        (lambda: empirical_null(["a"]), "numbers"),
        (lambda: empirical_null(TWO_PEAKS, width=0.5), "no normal fits"),
        (lambda: local_fdr(np.arange(50.0), EmpiricalNull(0, 1, 1)), "a density takes"),
        (lambda: local_fdr(np.arange(500.0), EmpiricalNull(0, 1, 1), n_bins=5), "n_bins"),
        (lambda: tail_area_q([np.inf], EmpiricalNull(0, 1, 1)), "infinite entries"),
        (lambda: interaction_curve([1, 2], [True]), "same pairs"),
        (lambda: interaction_curve([1, np.nan], [True, False]), "NaN"),
        (lambda: interaction_curve([1, 2], [False, False]), "no pair"),
        (lambda: average_precision([1, 2], [0, 1]), "True or False"),
    ],
)
def test_bad_input(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
