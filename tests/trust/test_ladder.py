"""Calibration along what a cell shows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import softmax

from sc_annotate.errors import InputError
from sc_annotate.trust.ladder import Ladder

DEPTHS = (200, 60, 20, 6)


def steps(n: int = 600, seed: int = 0, units: int = 1) -> dict[str, np.ndarray]:
    """Cells of three types whose logits lose their signal, and tilt to one type, the less they show."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 3, n)
    parts = []
    for step, depth in enumerate(DEPTHS):
        signal = np.log1p(depth) / np.log1p(DEPTHS[0])
        z = random.normal(0, 2.0, (n, 3))
        z[np.arange(n), codes] += 7 * signal**2
        z[:, 0] += 3 * step
        at = np.log1p(random.poisson(depth, n))
        parts.append((softmax(z, axis=1).astype(np.float32), codes, at, np.full(n, step)))
    p, c, at, step_of = (np.concatenate(values) for values in zip(*parts, strict=True))
    return {"proba": p, "codes": c, "at": at, "step": step_of, "unit": np.tile(np.arange(n) % units, len(DEPTHS))}


def fitted(data: dict[str, np.ndarray], **params: object) -> Ladder:
    weight = np.ones(len(data["codes"]))
    return Ladder(**params).fit(*(data[k] for k in ("proba", "codes", "at", "step")), weight=weight, unit=data["unit"])


def test_confidence_is_that_of_new_cells_as_shallow() -> None:
    model, new = fitted(steps()), steps(seed=1)
    after = model.adjust(new["proba"], new["at"])
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-5)
    for step in range(1, len(DEPTHS)):
        here = new["step"] == step
        right = after[here].argmax(axis=1) == new["codes"][here]
        assert abs(after[here].max(axis=1).mean() - right.mean()) < 0.05
        before = new["proba"][here]
        assert right.mean() >= (before.argmax(axis=1) == new["codes"][here]).mean()


def test_cells_that_show_as_much_as_the_reference_are_left_alone() -> None:
    model, data = fitted(steps()), steps(seed=2)
    usual = data["at"] >= model.knots_[-1]
    after = model.adjust(data["proba"], data["at"])
    np.testing.assert_array_equal(after[usual], data["proba"][usual])
    assert (model.slopes_[-1], np.abs(model.biases_[-1]).max()) == (1, 0)
    np.testing.assert_array_equal(model.more(data["at"][usual], 0.9, 0.4), 0)


def test_labels_alone_in_their_sets_are_right_as_often_as_requested() -> None:
    model, new = fitted(steps(2000, units=2)), steps(2000, seed=3)
    after = model.adjust(new["proba"], new["at"])
    inside = 1 - after <= (0.3 + model.more(new["at"], 0.9, 0.3))[:, None]
    inside[np.arange(len(after)), after.argmax(axis=1)] = True
    for step in range(1, len(DEPTHS)):
        here = new["step"] == step
        alone = here & (inside.sum(axis=1) == 1)
        covered = inside[np.flatnonzero(here), new["codes"][here]].mean()
        assert covered > 0.87
        if alone.sum() > 100:
            assert (after[alone].argmax(axis=1) == new["codes"][alone]).mean() > 0.86


def test_below_the_lowest_step_nothing_is_known() -> None:
    model = fitted(steps())
    assert model.known(np.log1p([200, 6])).all()
    assert not model.known(np.log1p([0, 1])).any()


def test_a_ladder_of_whole_cells_only_changes_nothing() -> None:
    data = steps()
    whole = {name: values[data["step"] == 0] for name, values in data.items()}
    model = fitted(whole)
    assert model.knots_.size == 1
    np.testing.assert_array_equal(model.adjust(data["proba"], data["at"]), data["proba"])
    np.testing.assert_array_equal(model.more(data["at"], 0.9, 0.4), 0)
    assert not model.known(np.log1p([20.0])).any()


@pytest.mark.parametrize("score", ["lac", "aps", "raps"])
@pytest.mark.parametrize("biased", [True, False])
def test_what_is_stored_comes_back(score: str, biased: bool) -> None:
    data = steps(100)
    model = fitted(data, score=score, biased=biased)
    arrays, meta = model.to_arrays()
    again = Ladder.from_arrays(arrays, json.loads(json.dumps(meta)), 3)
    np.testing.assert_array_equal(model.adjust(data["proba"], data["at"]), again.adjust(data["proba"], data["at"]))
    np.testing.assert_array_equal(model.more(data["at"], 0.9, 0.2), again.more(data["at"], 0.9, 0.2))
    for name, bad in (
        ("knots", arrays["knots"][::-1].copy()),
        ("biases", arrays["biases"][:, :2]),
        ("slopes", -arrays["slopes"]),
    ):
        with pytest.raises(InputError):
            Ladder.from_arrays({**arrays, name: bad}, meta, 3)
    with pytest.raises(InputError):
        Ladder.from_arrays(arrays, {**meta, "score": "other"}, 3)
