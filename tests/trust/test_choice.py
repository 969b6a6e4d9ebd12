"""Cross-fitting, the calibrator that is kept, batches that count alike, and weighted thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from probabilities import simulate
from sc_annotate.errors import InputError
from sc_annotate.trust import Conformal, Temperature, Uncalibrated, cross_fit
from sc_annotate.trust.choice import choose, unit_weights, weighted_log_loss
from sc_annotate.trust.nonconformity import weighted_quantile


def draws(n: int, power: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    p = random.dirichlet([0.5] * 4, n)
    codes = (p.cumsum(axis=1) < random.random((n, 1))).sum(axis=1)
    sharp = p**power
    return (sharp / sharp.sum(axis=1, keepdims=True)).astype(np.float32), codes


@pytest.mark.parametrize("name", ["auto", "temperature", "isotonic", "venn_abers"])
@pytest.mark.parametrize("power", [1.0, 3.0])
@pytest.mark.parametrize("n", [24, 400])
def test_what_is_kept_is_no_worse_than_none(name: str, power: float, n: int) -> None:
    p, codes = draws(n, power)
    fold, weight = np.arange(n) % 4, unit_weights(np.where(np.arange(n) < n // 3, "a", "b"), n)
    found = choose(name, p, codes, fold, weight)
    assert weighted_log_loss(found.proba, codes, weight) <= weighted_log_loss(p, codes, weight) + 1e-9
    assert (found.name == "none") == (found.calibrated > found.uncalibrated)
    if power == 3 and n == 400:
        assert found.name == ("temperature" if name == "auto" else name)
    if found.name == "none":
        assert isinstance(found.calibrator, Uncalibrated)
        np.testing.assert_array_equal(found.calibrator.transform(p), p)


def test_every_batch_counts_alike() -> None:
    batch = np.array(["large"] * 90 + ["small"] * 10)
    weight = unit_weights(batch, 100)
    assert weight.sum() == pytest.approx(1)
    assert weight[batch == "small"].sum() == pytest.approx(0.5)
    # Temperature scaling with weights is the one of cells that are repeated.
    (p, codes), (q, more) = draws(90, 3.0), draws(10, 1.0, seed=1)
    one = Temperature(prior=None).fit(np.vstack([p, q]), np.append(codes, more), weight)
    many = Temperature(prior=None).fit(np.vstack([p, *[q] * 9]), np.concatenate([codes, *[more] * 9]))
    assert one.temperature_ == pytest.approx(many.temperature_, rel=1e-4)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_equal_weights_give_the_plain_quantile(coverage: float) -> None:
    for n in (5, 9, 19, 20, 100):
        scores = np.sort(np.random.default_rng(n).random(n))
        rank = int(np.ceil((n + 1) * coverage - 1e-9))
        plain = scores[rank - 1] if rank <= n else np.inf
        assert weighted_quantile(scores, np.full(n, 0.3), coverage) == plain


def test_weighted_thresholds_are_those_of_repeated_cells() -> None:
    random = np.random.default_rng(0)
    scores, times = np.sort(random.random(300)), random.integers(1, 5, 300)
    found = weighted_quantile(scores, times.astype(float), 0.9)
    by_hand = next(
        s for s, share in zip(scores, np.cumsum(times) / times.sum(), strict=True) if share >= 0.9 * 301 / 300
    )
    assert found == by_hand


def test_sets_do_not_jump_from_one_type_to_all() -> None:
    """One batch of four is wrong and sure of it: no threshold short of all types would include its types."""
    random = np.random.default_rng(0)
    n, k = 400, 5
    codes = random.integers(0, k, n)
    batch = np.arange(n) % 4
    wrong = (batch == 0) & (random.random(n) < 0.6)
    label = np.where(wrong, (codes + 1) % k, codes)
    sure = np.where(wrong, 0.9999, random.uniform(0.8, 1, n))
    p = random.dirichlet([1.0] * k, n) * (1 - sure)[:, None]
    p[np.arange(n), label] += sure
    new, weight = p[batch != 0], unit_weights(batch.astype(str), n)
    plain = Conformal().fit(p, codes, weight=weight)
    bounded = Conformal().fit(p, codes, weight=weight, bounded=True)
    sizes = {c: bounded.sets(new, c).sum(axis=1).mean() for c in (0.7, 0.8, 0.85, 0.9, 0.95)}
    assert plain.sets(new, 0.9).sum(axis=1).mean() > 1.5 * sizes[0.9]
    assert list(sizes.values()) == sorted(sizes.values())
    assert sizes[0.9] - sizes[0.8] < 1
    again = Conformal.from_arrays(*bounded.to_arrays())
    np.testing.assert_array_equal(again.sets(new, 0.9), bounded.sets(new, 0.9))
    np.testing.assert_array_equal(again.p_values(new), bounded.p_values(new))


def test_weights_that_are_none_are_refused() -> None:
    p, codes = draws(20, 1.0)
    for weight in (np.ones(3), np.zeros(20), np.full(20, np.nan)):
        with pytest.raises(InputError, match="weight must be one positive number"):
            Conformal().fit(p, codes, weight=weight)


def test_cross_fit_leaves_each_fold_out() -> None:
    proba, codes = simulate(120)
    fold = np.array(["b", "a", "c"])[np.arange(120) % 3]
    out = cross_fit(Temperature, proba, codes, fold)
    for f in "abc":
        here = fold == f
        np.testing.assert_array_equal(out[here], Temperature().fit(proba[~here], codes[~here]).transform(proba[here]))
    with pytest.raises(InputError, match="only one fold"):
        cross_fit(Temperature, proba, codes, np.zeros(120))
    with pytest.raises(InputError, match="one entry"):
        cross_fit(Temperature, proba, codes, fold[:5])
