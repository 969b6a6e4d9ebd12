"""Strict decoding by annotations: what fits comes back as it is, anything else is a ValueError that names the part."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sc_annotate._core.codec import sanitize, table, to_json
from sc_annotate._core.decode import decode
from sc_annotate._core.schema import Columns, Count, Frame, Keys, Length, Name, Share, Storable, Text
from sc_annotate._core.stored_arrays import Stored, check_arrays


class Inner(TypedDict):
    name: Name
    share: NotRequired[Share]


@dataclass(frozen=True)
class Base:
    name: Text


@dataclass(frozen=True)
class Whole(Base):
    kind: Literal["a", "b"] | None
    counts: list[Count]
    inner: Inner
    scores: Annotated[Frame, Columns({"method": "text", "score": "float", "n": "int"}, least=1)]
    other: Annotated[Frame, Columns({"x": "bool"}, optional=True)]
    pairs: tuple[int, ...] = ()
    params: Annotated[dict[str, Any], Keys({"kwargs": dict[str, Any]})] = field(default_factory=lambda: {"kwargs": {}})
    versions: Annotated[dict[str, Text], Storable()] = field(default_factory=dict)
    free: object = None
    flag: bool = False
    number: float = 0.0
    texts: Annotated[list[Name], Length(1, 3)] = field(default_factory=lambda: ["x"])
    made: int = field(init=False, default=3)


def _good() -> dict[str, Any]:
    scores = table({"method": ["a", "b"], "score": [0.5, np.nan], "n": [1, 2]})
    return json.loads(
        json.dumps(
            {
                "name": "é\n",
                "kind": "a",
                "counts": [0, 5],
                "inner": {"name": "x"},
                "scores": to_json(scores),
                "other": {},
                "pairs": [1, 2],
                "params": {"kwargs": {"C": 1.0, "tree": {"type": ["a/b"]}}, "more": None},
                "free": {"a/b": [1, "x", [None]]},
                "number": 1,
            }
        )
    )


def test_what_fits_comes_back() -> None:
    found = decode(Whole, _good())
    assert isinstance(found, Whole)
    assert (found.name, found.kind, found.counts, found.inner, found.other) == ("é\n", "a", [0, 5], {"name": "x"}, {})
    assert found.pairs == (1, 2)
    assert found.made == 3
    assert isinstance(found.scores, pd.DataFrame)
    assert found.scores["score"].isna().tolist() == [False, True]
    assert found.free == {"a/b": [1, "x", [None]]}
    sanitize(found.params)


WRONG: list[tuple[tuple[Any, ...], Any, str]] = [
    (("name",), 3, r"value.name is 3, not a text"),
    (("name",), "x" * 100_001, "text of 100,001 characters"),
    (("name",), "\ud800", "lone surrogate"),
    (("name",), "a\0", "zero byte"),
    (("kind",), "c", "not one of 'a', 'b'"),
    (("kind",), True, "not one of"),
    (("counts",), {}, "not a list"),
    (("counts", 1), -1, r"counts\[1\] is -1, which is not between 0"),
    (("counts", 1), True, r"counts\[1\] is True, not a whole number"),
    (("counts", 1), 1.0, "not a whole number"),
    (("counts", 1), 2**70, "64 bits"),
    (("counts",), [2**70], "64 bits"),
    (("inner",), [], "not an object"),
    (("inner", "share"), 1.5, "between 0 and 1"),
    (("inner", "unknown"), 1, "lacks or does not know 'unknown'"),
    (("unknown" * 1000,), 1, "does not know 'unknown"),
    (("scores",), {}, "not a table"),
    (("scores", "dtypes", "n"), "float", "other columns than method, score, n"),
    (("scores", "columns", "n"), [1], "differ in length"),
    (("scores", "columns", "n"), [1, 2**70], "no table"),
    (("scores", "columns", "score"), [1, "x"], "text among its numbers"),
    (("scores", "columns", "score"), [1, 1e300], "usual size"),
    (("scores", "columns", "method"), ["a", "\ud800"], "lone surrogate"),
    (("scores", "columns", "method"), ["a", None], "not a text"),
    (("scores", "columns"), {"method": [], "score": [], "n": []}, "0 rows"),
    (("other",), None, "not a table"),
    (("params",), {}, "'kwargs'"),
    (("params", "kwargs"), 3, "not an object"),
    (("params", "a/b"), 3, "cannot hold '/'"),
    (("params", "more"), [1, "x"], "mixed values"),
    (("params", "more"), 1e999, "finite"),
    (("params", "more"), [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]], "too deep"),
    (("versions",), {"a/b": "1"}, "cannot hold '/'"),
    (("versions",), {"a": 1}, "not a text"),
    (("free",), [float("nan")], "finite"),
    (("free",), {"\ud800": 1}, "a key of"),
    (("flag",), 1, "not true or false"),
    (("number",), 1e300, "usual size"),
    (("number",), float("nan"), "usual size"),
    (("number",), "1", "not a number"),
    (("texts",), [], "length 0"),
    (("texts",), ["a", "b", "c", "d"], "length 4"),
    (("texts",), ["x" * 10_001], "length 10,001"),
    (("texts",), ["x", "a\0"], r"texts\[1\]"),
    (("made",), 4, "does not know 'made'"),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG)
def test_what_does_not_is_named(path: tuple[Any, ...], value: Any, message: str) -> None:
    stored = _good()
    holder: Any = stored
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    with pytest.raises(ValueError, match=message) as caught:
        decode(Whole, stored)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("name", ["name", "kind", "counts", "inner", "scores", "other"])
def test_what_is_absent_is_named(name: str) -> None:
    stored = _good()
    del stored[name]
    with pytest.raises(ValueError, match=f"lacks or does not know '{name}'"):
        decode(Whole, stored)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(stored=JSON, at=st.sampled_from(["", *_good()]))
def test_any_json_is_decoded_or_a_value_error(stored: Any, at: str) -> None:
    try:
        decode(Whole, {**_good(), at: stored} if at else stored)
    except ValueError:
        return
    assert at


DECLARED = {
    "coef": Stored("f4", ("types", "genes")),
    "codes": Stored("i4", ("cells",), low=-1, below="types"),
    "scale": Stored("f8", (2,), low=0.5, high=2),
}


def _arrays() -> dict[str, Any]:
    return {
        "coef": np.ones((2, 3), np.float32),
        "codes": np.array([0, 1, -1], np.int32),
        "scale": np.array([0.5, 2.0]),
    }


def test_arrays_as_declared() -> None:
    assert check_arrays(_arrays(), DECLARED, types=2).keys() == DECLARED.keys()


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("coef", np.ones((2, 3)), "'coef' holds float64"),
        ("coef", np.ones(3, np.float32), r"of shape \(3,\)"),
        ("coef", np.ones((3, 3), np.float32), "does not fit"),
        ("coef", np.ones((2, 0), np.float32), "does not fit"),
        ("coef", np.full((2, 3), np.nan, np.float32), "not between -1e"),
        ("coef", np.full((2, 3), 3e38, np.float32), "not between -1e"),
        ("codes", np.array([2], np.int32), "not between -1 and 1"),
        ("codes", np.array([-2], np.int32), "not between -1 and 1"),
        ("scale", np.array([0.4, 1.0]), "not between 0.5 and 2"),
        ("scale", np.ones(3), "does not fit"),
        ("more", np.ones(3), "'more' are missing or unknown"),
        ("coef", None, "'coef' are missing or unknown"),
    ],
)
def test_arrays_that_are_not(name: str, array: Any, message: str) -> None:
    arrays = {k: v for k, v in (_arrays() | {name: array}).items() if v is not None}
    with pytest.raises(ValueError, match=message):
        check_arrays(arrays, DECLARED, types=2)
