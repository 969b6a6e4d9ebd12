"""Names of conditions as sets of targets."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate._vocabulary.conditions import as_targets, check_control, names_of, parse, targets_of
from sc_annotate.errors import InputError


def read(name: object, **how: object) -> tuple[str, ...]:
    (found,) = parse([name], control=how.pop("control", "control"), **how)  # type: ignore[arg-type]
    assert not found.problem
    return found.targets


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("control", ()),
        ("KLF1", ("KLF1",)),
        ("KLF1+GATA1", ("GATA1", "KLF1")),
        ("GATA1+KLF1", ("GATA1", "KLF1")),
        ("KLF1+ctrl", ("KLF1",)),
        ("ctrl+KLF1", ("KLF1",)),
        ("KLF1 + control", ("KLF1",)),
        ("KLF1+KLF1", ("KLF1",)),
        ("A+B+C", ("A", "B", "C")),
        ("HLA-DRA", ("HLA-DRA",)),
        ("NT", None),
        ("ctrl", None),
        ("KLF1+", None),
        ("+", None),
        (np.nan, None),
        (None, None),
        (pd.NA, None),
    ],
)
def test_one_name(name: object, targets: tuple[str, ...] | None) -> None:
    (found,) = parse([name], control="control")
    if targets is None:
        assert found.problem
        assert not found.targets
    else:
        assert (found.targets, found.problem) == (targets, "")


def test_separators_and_guides() -> None:
    assert read("KLF1_GATA1", separator="_") == ("GATA1", "KLF1")
    assert read("KLF1;GATA1", separator=["+", ";"]) == ("GATA1", "KLF1")
    assert read("STAT2g3", guide_suffix=r"g\d+") == ("STAT2",)
    assert read("KLF1_2+GATA1_1", guide_suffix=r"_\d+") == ("GATA1", "KLF1")
    # A gene that ends in a number keeps it where the pattern asks for more.
    assert read("STAT2", guide_suffix=r"g\d+") == ("STAT2",)
    # Non-targeting guides are the control.
    assert read("non-targeting_g2", control="non-targeting", guide_suffix=r"_g\d+") == ()
    assert "joins targets" in parse(["A+B_C"], control="control", separator="_")[0].problem
    assert parse(["g1"], control="control", guide_suffix=r"g\d+")[0].problem


@pytest.mark.parametrize(
    "how", [{"separator": ""}, {"separator": []}, {"separator": 3}, {"guide_suffix": "("}, {"guide_suffix": 3}]
)
def test_arguments_that_cannot_be(how: dict[str, object]) -> None:
    with pytest.raises(InputError):
        parse(["A"], control="control", **how)  # type: ignore[arg-type]


def test_control_names_near_ones() -> None:
    assert check_control(["A", "ctrl"], "ctrl", where="x") == "ctrl"
    with pytest.raises(InputError, match=r"Did you mean 'control'"):
        check_control(["A", "control"], "contrl", where="obs['perturbation']")
    with pytest.raises(InputError, match=r"Did you mean 'non-targeting'"):
        check_control(["A", "non-targeting"], "control", where="obs['perturbation']")
    with pytest.raises(InputError, match="must be the name"):
        check_control(["A"], None, where="x")


def test_what_a_caller_names() -> None:
    assert as_targets(["B+A", ["C"], ("A", "B")]) == [("A", "B"), ("C",)]
    assert names_of([("A", "B"), ("C",)]).tolist() == ["A+B", "C"]
    assert targets_of(["", "A+B"]) == [(), ("A", "B")]
    for wrong in ("A", 3, [], [""], ["A+"], [3], [[]]):
        with pytest.raises(InputError):
            as_targets(wrong)


def test_table_for_users() -> None:
    table = sca.pp.parse_conditions(["ctrl", "A+ctrl", "A+ctrl", "B+A", None], control="ctrl")
    assert table["name"].tolist() == ["ctrl", "A+ctrl", "B+A", ""]
    assert table["condition"].tolist() == ["", "A", "A+B", ""]
    assert table["n_targets"].tolist() == [0, 1, 2, 0]
    assert table["problem"].tolist() == ["", "", "", "the name is missing"]
