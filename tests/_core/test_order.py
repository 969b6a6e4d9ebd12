"""The order of names."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sc_annotate._core.order import natural, natural_key, shown_order


@pytest.mark.parametrize(
    "names",
    [
        ["0", "1", "2", "9", "10", "11", "100"],
        ["B cell", "T cell", "type 2", "type 10", "type 10a", "type 10b"],
        ["L2/3 IT", "L5 ET", "L5/6 NP", "L6 CT"],
        ["", "CD4", "CD8", "CD19", "naïve", "Ω3", "Ω20"],
    ],
)
def test_numbers_count_by_their_value(names: list[str]) -> None:
    shuffled = random.Random(0).sample(names, len(names))
    assert natural(shuffled) == names


def test_numbers_of_thousands_of_digits() -> None:
    assert natural(["9" * 6000, "8" * 6000, "7"]) == ["7", "8" * 6000, "9" * 6000]


@given(st.lists(st.text(), unique=True))
def test_any_names_have_one_order(names: list[str]) -> None:
    assert natural(names) == natural(reversed(names))
    assert len({natural_key(name) for name in names}) == len(names)


def test_an_order_that_someone_chose_stays() -> None:
    assert shown_order(["1", "10", "2"]) == ["1", "2", "10"]
    assert shown_order(["late", "early", "10", "9"]) == ["late", "early", "10", "9"]
