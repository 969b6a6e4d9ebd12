"""Settings of trust: one object, a word, or None."""

from __future__ import annotations

from typing import Any

import pytest

import sc_annotate as sca
from sc_annotate._core.arguments import default
from sc_annotate._data.gene_match import MIN_SHARED_FRACTION
from sc_annotate.errors import InputError
from sc_annotate.trust import Options
from sc_annotate.trust.options import as_options

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "calibration": ({"calibration": "platt"}, "choose auto, temperature"),
    "scheme": ({"scheme": "loo"}, "trust.scheme must be"),
    "set_score": ({"set_score": "mahalanobis"}, "trust.set_score must be"),
    "sets_by": ({"sets_by": "batch"}, "trust.sets_by must be"),
    "a rate of 0": ({"false_positive_rate": 0}, "trust.false_positive_rate must be a number between 0 and 1"),
    "a rate in words": ({"false_positive_rate": "low"}, "trust.false_positive_rate must be"),
    "quality in words": ({"check_quality": "yes"}, "trust.check_quality must be True, False or None"),
    "confidence in percent": ({"min_confidence": 50}, "trust.min_confidence must be a number between 0 and 1"),
    "overlap in percent": ({"min_overlap": 50}, "trust.min_overlap must be"),
    "another alignment": ({"align": "mean"}, "trust.align must be"),
    "sets without calibration": ({"calibration": None, "set_score": "aps"}, "set_score need held-out cells"),
    "quality without calibration": ({"calibration": None, "check_quality": True}, "check_quality need held-out cells"),
    "a rate without calibration": (
        {"calibration": None, "false_positive_rate": 0.1},
        "false_positive_rate need held-out cells",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_settings_are_refused_by_name(name: str) -> None:
    values, message = WRONG[name]
    with pytest.raises(InputError, match=message):
        Options(**values)


def test_settings_know_what_was_written() -> None:
    assert Options().written == frozenset()
    assert Options(set_score="lac").written == {"set_score"}
    assert Options(set_score="lac") == Options()


def test_a_word_is_the_calibration_and_none_is_off() -> None:
    assert as_options("isotonic") == Options(calibration="isotonic")
    assert as_options(None).calibration is None
    assert as_options(None).written == {"calibration"}
    assert as_options(default("auto")).written == frozenset()
    mine = Options(sets_by="label")
    assert as_options(mine) is mine


def test_options_are_public_and_print_what_they_hold() -> None:
    assert sca.trust.Options is Options
    assert repr(Options(sets_by="label")).startswith("Options(calibration='auto', scheme='folds', ")


def test_overlap_is_that_of_matching_genes() -> None:
    assert Options().min_overlap == MIN_SHARED_FRACTION


@pytest.mark.parametrize("trust", [True, {"sets_by": "label"}, 0.9])
def test_other_kinds_are_refused_with_the_way_to_say_it(trust: Any) -> None:
    with pytest.raises(InputError, match=r"sca\.trust\.Options"):
        as_options(trust)
