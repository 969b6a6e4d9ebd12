"""The predictors that are one formula, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sc_annotate.predictors import Screen, leave_one_out, refits
from sc_annotate.predictors.additive import Additive
from sc_annotate.predictors.matching_mean import MatchingMean
from sc_annotate.predictors.mean import Mean
from sc_annotate.predictors.no_change import NoChange

CONTROL = np.array([1.0, 2.0])
MEAN = np.array([[2.0, 2.0], [1.0, 4.0], [3.0, 3.0], [0.0, 0.0]])
TARGETS = [("A",), ("B",), ("A", "C"), ("D",)]
CONTROLS = np.array([[1.0, 1.0], [0.0, 2.0], [1.0, 2.0], [2.0, 2.0]])


def screen(*, matched=False):
    return Screen(["A", "B"], CONTROL, MEAN, TARGETS, controls=CONTROLS if matched else None)


@pytest.mark.parametrize("matched", [False, True])
def test_by_hand(matched):
    s = screen(matched=matched)
    delta = MEAN - (CONTROLS if matched else CONTROL)
    asked = [("A", "B"), ("A", "X"), ("Y",), ("A",)]
    np.testing.assert_array_equal(NoChange().fit(s).predict(asked), np.tile(CONTROL, (4, 1)))
    np.testing.assert_allclose(Mean().fit(s).predict(asked), np.tile(CONTROL + delta.mean(axis=0), (4, 1)))
    with_control = Mean(include_control=True).fit(s)
    np.testing.assert_allclose(with_control.predict(asked), np.tile(CONTROL + delta.sum(axis=0) / 5, (4, 1)))
    additive = Additive().fit(s).predict(asked)
    np.testing.assert_allclose(additive[0], CONTROL + delta[0] + delta[1])
    np.testing.assert_allclose(additive[3], CONTROL + delta[0])
    assert np.isnan(additive[1:3]).all()
    matching = MatchingMean().fit(s).predict(asked)
    b = delta.mean(axis=0)
    expected = [(delta[0] + delta[1]) / 2, (delta[0] + b) / 2, b, delta[0]]
    np.testing.assert_allclose(matching, CONTROL + np.array(expected))


def test_additive_is_exact_where_effects_add():
    rng = np.random.default_rng(0)
    control, single = rng.normal(size=8), rng.normal(size=(3, 8))
    s = Screen([f"g{i}" for i in range(8)], control, control + single, [("A",), ("B",), ("C",)])
    asked = [("A", "B"), ("A", "C"), ("A", "B", "C")]
    truth = control + np.array([single[0] + single[1], single[0] + single[2], single.sum(axis=0)])
    np.testing.assert_allclose(Additive().fit(s).predict(asked), truth, atol=1e-12)


def test_reasons_of_additive():
    reasons = Additive().fit(screen()).why_not([("A", "B"), ("A", "X"), ("X", "Y"), ("C",), ()]).tolist()
    assert reasons == [
        "",
        "X alone is not among the training conditions, so its effect cannot be added",
        "X, Y alone are not among the training conditions, so their effects cannot be added",
        "C is not among the training conditions, and no sum of other effects gives it",
        "it has no target: this is the control",
    ]


def test_mean_says_whether_the_control_counts():
    assert "is not counted" in Mean().fit(screen()).notes_[0]
    assert "counts as one more" in Mean(include_control=True).fit(screen()).notes_[0]


@pytest.mark.parametrize(
    "model", [NoChange(), Mean(), Mean(include_control=True), Additive(), MatchingMean()], ids=repr
)
@pytest.mark.parametrize("matched", [False, True])
def test_without_one_condition(model, matched):
    s = screen(matched=matched)
    new = [("A", "B"), ("X",), ()]
    short = list(leave_one_out(model, s, new))
    plain = list(refits(lambda: type(model)(**model.params()), s, new, 0))
    assert len(short) == 4
    for (own, others), (own_again, others_again) in zip(short, plain, strict=True):
        np.testing.assert_allclose(own, own_again, atol=1e-12)
        np.testing.assert_allclose(others, others_again, atol=1e-12)
        assert others.shape == (3, 2)


def test_without_one_condition_of_a_stranger():
    class Stranger:
        def fit(self, screen, *, rng=0):
            self.n = len(screen.targets)
            return self

        def predict(self, targets):
            return np.full((len(targets), 2), float(self.n))

    stranger = Stranger()
    folds = list(leave_one_out(stranger, screen(), [("A",)]))
    assert [own.tolist() for own, _ in folds] == [[3.0, 3.0]] * 4
    assert not hasattr(stranger, "n")
