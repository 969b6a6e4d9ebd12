"""Checks of arguments: what is right comes back, what is wrong is an error that names the argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sc_annotate._core import arguments
from sc_annotate.errors import InputError


@pytest.mark.parametrize(
    ("check", "value", "more"),
    [
        ("whole", 1, {"least": 1}),
        ("whole", np.int8(4), {"least": 0, "most": 4}),
        ("number", 0, {"low": 0}),
        ("number", np.float32(0.5), {"low": 0, "ends": "neither"}),
        ("number", 1, {"low": 0.5, "high": 1, "ends": "high"}),
        ("share", 0.5, {}),
        ("share", 0, {"ends": "both"}),
        ("boolean", np.True_, {}),
        ("one_of", "b", {"choices": ("a", "b")}),
        ("one_of", np.str_("b"), {"choices": ("a", "b")}),
        ("one_of", None, {"choices": ("a", None)}),
        ("one_of", False, {"choices": ("all", False)}),
        ("seed", 2**32 - 1, {}),
        ("seed", np.uint64(3), {}),
        ("parameters", {"a": 1}, {}),
    ],
)
def test_right_values_come_back(check: str, value: Any, more: dict[str, Any]):
    out = getattr(arguments, check)(value, "argument", **more)
    assert out == value
    assert not isinstance(out, np.number)


@pytest.mark.parametrize(
    ("check", "value", "more", "message"),
    [
        ("whole", True, {"least": 0}, "argument must be a whole number, 0 or more, not True"),
        ("whole", 1.0, {"least": 0}, "a whole number, 0 or more, not 1.0"),
        ("whole", 5, {"least": 0, "most": 4}, "a whole number, from 0 to 4, not 5"),
        ("number", "1", {}, "argument must be a number, not '1'"),
        ("number", np.nan, {}, "a number, not nan"),
        ("number", np.inf, {"low": 0}, "a number of at least 0, not inf"),
        ("number", 0, {"low": 0, "ends": "high"}, "a number above 0, not 0"),
        ("number", 2, {"low": 0.5, "high": 1, "ends": "high"}, "between 0.5 and 1, 0.5 excluded, not 2"),
        ("share", 1, {}, "argument must be a number between 0 and 1, both excluded, not 1"),
        ("share", True, {"ends": "both"}, "a number between 0 and 1, not True"),
        ("boolean", 1, {}, "argument must be True or False, not 1"),
        ("one_of", "c", {"choices": ("a", "b")}, "argument must be 'a' or 'b', not 'c'"),
        ("one_of", 0, {"choices": ("all", "topk", False)}, "argument must be 'all', 'topk' or False, not 0"),
        ("one_of", ["a"], {"choices": ("a",)}, r"argument must be 'a', not \['a'\]"),
        ("one_of", np.array(["a", "b"]), {"choices": ("a",)}, "argument must be 'a', not array"),
        ("seed", -1, {}, r"argument must be an integer from 0 to 2\*\*32 - 1 or a numpy.random.Generator, not -1"),
        ("seed", 0.0, {}, "argument must be an integer"),
        ("seed", None, {}, "argument must be an integer"),
        ("columns", 3, {}, "argument must be a list of columns of obs, not 3"),
        ("columns", {"a"}, {}, "argument must be a list of columns"),
        ("columns", ["a", 1], {"of": "methods"}, "argument must be a list of methods"),
        ("parameters", [1], {}, r"argument must be a dict of parameters, not \[1\]"),
    ],
)
def test_wrong_values_are_refused_by_name(check: str, value: Any, more: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        getattr(arguments, check)(value, "argument", **more)


def test_names_are_a_list():
    assert arguments.columns("donor", "key") == ["donor"]
    assert arguments.columns(iter(["a", np.str_("b")]), "key") == ["a", "b"]
    assert arguments.parameters(None) == {}
