"""The conformance check passes what is right and names what is wrong."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest

from sc_annotate.predictors import Predictor
from sc_annotate.predictors.linear import Linear
from sc_annotate.predictors.mean import Mean
from sc_annotate.testing import check_predictor, easy_screen
from sc_annotate.testing._predictor_checks import PredictorChecks


class Duck:
    """Derives from nothing of ours; the median profile, of targets that are genes."""

    def fit(self, screen, *, rng=0):
        self.genes, self.profile = screen.genes.tolist(), np.median(screen.mean, axis=0)
        return self

    def why_not(self, targets):
        texts = [", ".join(f"{t} is no gene" for t in each if t not in self.genes) for each in targets]
        return np.array(texts, dtype=np.str_)

    def predict(self, targets):
        out = np.tile(self.profile, (len(targets), 1))
        out[self.why_not(targets) != ""] = np.nan
        return out


class OnCells:
    """Trains on cells, and says so."""

    inputs = "cells"

    def fit(self, screen, *, rng=0):
        perturbed = screen.cells.condition >= 0
        self.profile = np.asarray(screen.cells.X[perturbed].mean(axis=0), dtype=np.float64).ravel()
        return self

    def why_not(self, targets):
        return np.full(len(targets), "")

    def predict(self, targets):
        return np.tile(self.profile, (len(targets), 1))


def failures(cls, **params):
    with pytest.raises(AssertionError) as caught:
        check_predictor(cls, **params)
    lines = str(caught.value).splitlines()[1:]
    return {name for line in lines for name in line.strip().partition(":")[0].split(", ")}


@pytest.mark.parametrize("cls", [Duck, OnCells])
def test_ducks_pass(cls):
    assert check_predictor(cls) is None


def break_(name):
    """Mean with one thing wrong."""

    class Broken(Mean):
        inputs = "log" if name == "declarations" else "profiles"
        if name == "hyperparameters_are_fields":
            slope: float = 1.0

        def params(self):
            own = super().params()
            return own | {"include_control": not own["include_control"]} if name == "params_rebuild" else own

        def fit(self, screen, *, rng=0):
            before = getattr(self, "effect_", 0.0)
            if name == "input_not_modified":
                screen.mean[0, 0] += 1
            if name == "global_random_state_untouched":
                np.random.rand()  # noqa: NPY002
            if name == "no_warnings":
                warnings.warn("leaked", UserWarning, stacklevel=2)
            if name == "two_conditions" and len(screen.targets) == 2:
                raise RuntimeError("too few")
            if name == "training_targets_that_are_no_genes":
                _ = [screen.control[screen.genes.tolist().index(g)] for each in screen.targets for g in each]
            if name == "profiles_without_cells" and screen.cells is None:
                raise RuntimeError("no cells")
            super().fit(screen, rng=rng)
            if name == "fitting_again_forgets":
                self.effect_ = self.effect_ + before
            if name == "same_rng_same_result":
                self.effect_ = self.effect_ + np.random.default_rng().random() * 1e-9
            return None if name == "fit_returns_self" else self

        def why_not(self, targets):
            texts = super().why_not(targets).astype(object)
            for i, each in enumerate(targets):
                if name == "reasons" and len(each) == 2:
                    texts[i] = "no reason at all"
                if name == "a_reason_names_the_target" and each == ("ABSENT",):
                    texts[i] = "cannot"
            return texts.astype(np.str_)

        def predict(self, targets):
            if name == "no_conditions" and not targets:
                raise IndexError("nothing asked")
            if name != "bad_input_refused":
                super().predict(targets)
            out = np.tile(self.control_ + self.effect_, (len(targets), 1))
            if name == "a_reason_names_the_target":
                out[[each == ("ABSENT",) for each in targets]] = np.nan
            if name == "profiles_are_not_changes":
                out -= self.control_
            if name == "order_of_targets_does_not_matter":
                out += np.array([len(each) > 1 and each[0] > each[-1] for each in targets])[:, None]
            if name == "a_condition_alone":
                out += len(targets)
            return out

        def leave_one_out(self, screen, targets=(), *, rng=0):
            for own, others in super().leave_one_out(screen, targets, rng=rng):
                yield own + (name == "leave_one_out"), others

    return Broken


CHECKS = [name.removeprefix("check_") for name in dir(PredictorChecks) if name.startswith("check_")]


@pytest.mark.parametrize("name", [c for c in CHECKS if c != "profiles"])
def test_each_check_finds_its_fault(name):
    found = failures(break_(name))
    assert name in found
    # What is wrong in `fit` or `predict` can show in other checks as well, which call them.
    also = {
        "bad_input_refused",
        "params_rebuild",
        "leave_one_out",
        "input_not_modified",
        "same_rng_same_result",
        "fitting_again_forgets",
    }
    assert found - {name} <= also


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda Y: Y[:, :-1], "shape"),
        (lambda Y: Y.astype(np.float32), "not float64"),
        (lambda Y: Y.tolist(), "not a numpy array"),
        (lambda Y: Y * np.inf, "infinite"),
        (lambda Y: Y * np.nan, "every condition came back as NaN"),
        (lambda Y: np.where(np.arange(40) == 3, np.nan, Y), "NaN in part"),
    ],
)
def test_what_no_prediction_may_be(change, message):
    class Odd(Duck):
        def predict(self, targets):
            return change(super().predict(targets))

    with pytest.raises(AssertionError, match=f"profiles.*: .*{message}"):
        check_predictor(Odd)


@pytest.mark.parametrize("strict", [True, False])
def test_targets_that_were_not_read_out(strict):
    class Lookup(Duck):
        """Needs the control's expression of at least one target."""

        def fit(self, screen, *, rng=0):
            row = {g: i for i, g in enumerate(screen.genes)}
            found = [screen.control[row[g]] for each in screen.targets for g in each if strict or g in row]
            if not found:
                raise ValueError("no target is a gene")
            return super().fit(screen, rng=rng)

    which = "some targets are" if strict else "no target is"
    with pytest.raises(AssertionError, match=f"fit fails where {which} among the genes"):
        check_predictor(Lookup)


def test_a_predictor_without_its_decorator():
    class Median(Predictor):
        scale: float = 1.0

        def learn(self, screen, rng):
            self.profile_ = screen.control + self.scale * np.median(screen.delta, axis=0)

        def reason(self, targets):
            return ""

        def predict_profiles(self, targets):
            return np.tile(self.profile_, (len(targets), 1))

    with pytest.raises(
        AssertionError, match=r"fields: scale of Median cannot be set, .* write @dataclass directly above"
    ):
        check_predictor(Median)
    assert check_predictor(dataclass(Median), scale=0.5) is None


def test_nan_without_a_reason():
    class Silent(Duck):
        def why_not(self, targets):
            return np.full(len(targets), "")

        def predict(self, targets):
            out = np.tile(self.profile, (len(targets), 1))
            out[[t == ("ABSENT",) for t in targets]] = np.nan
            return out

    with pytest.raises(AssertionError, match="is NaN, and why_not gives no reason"):
        check_predictor(Silent)


def test_the_screen_of_the_checks_is_what_it_says():
    train = easy_screen().train
    assert (len(train.targets), len(train.genes), train.cells.X.shape) == (18, 40, (390, 40))
    for i in (0, 17):
        mean = train.cells.X[train.cells.condition == i].mean(axis=0)
        np.testing.assert_allclose(np.asarray(mean).ravel(), train.mean[i], atol=1e-6)
    assert check_predictor(Linear, n_components=3, tune=False) is None
