"""What is stored in uns survives h5ad and zarr; what would not is refused by name."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sc_annotate._core.arguments import Request, default
from sc_annotate._core.codec import brief, from_json, sanitize, table, to_json
from sc_annotate.errors import StorageError


class Number(enum.IntEnum):
    ONE = 1


class Word(enum.StrEnum):
    HELLO = "hello"


class Thing(enum.Enum):
    PAIR = (1, 2)


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (-(2**63), -(2**63)),
        (2**63 - 1, 2**63 - 1),
        (0.5, 0.5),
        (float("inf"), float("inf")),
        ("a/b ∆", "a/b ∆"),
        (Text("a"), "a"),
        (np.str_("b"), "b"),
        (np.int8(3), 3),
        (np.uint64(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64(0.25), 0.25),
        (np.longdouble(0.5), 0.5),
        (np.bool_(True), True),
        (Number.ONE, 1),
        (Word.HELLO, "hello"),
        (PurePosixPath("a/b"), "a/b"),
        (Path("a"), "a"),
        (np.array("text", dtype=object), "text"),
        (np.array(None, dtype=object), None),
    ],
)
def test_scalars_become_plain(value: Any, plain: Any):
    out = sanitize(value)
    assert out == plain
    assert type(out) is type(plain)
    json.dumps(out)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, 2), [1, 2]),
        ([1, 2.5], [1.0, 2.5]),
        ([True, False], [True, False]),
        (["b", "a"], ["b", "a"]),
        ({10, 2, 1}, [1, 2, 10]),
        (frozenset({"b", "a"}), ["a", "b"]),
        (range(3), [0, 1, 2]),
        ((np.int64(3), 4), [3, 4]),
        (Thing.PAIR, [1, 2]),
        ([], []),
        (set(), []),
        (np.array(["a", "b"], dtype=object), ["a", "b"]),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array(3.0), 3.0),
    ],
)
def test_lists_become_arrays(value: Any, plain: Any):
    out = sanitize(value)
    assert isinstance(out, np.ndarray)
    assert out.tolist() == plain


def test_nothing_is_shared_with_what_was_given():
    array, table = np.arange(3), pd.DataFrame({"a": [1]})
    given_ = {"array": array, "table": table, "inner": {"array": array}}
    out = sanitize(given_)
    out["array"][0] = out["inner"]["array"][0] = 7
    out["table"].loc[0, "a"] = 7
    out["inner"]["more"] = 1
    assert array.tolist() == [0, 1, 2]
    assert table["a"].tolist() == [1]
    assert list(given_["inner"]) == ["array"]


def test_mappings():
    out = sanitize(OrderedDict({"b": (1,), 1: {"x": None}, Word.HELLO: 2, Number.ONE.name: 3}))
    assert type(out) is dict
    assert list(out) == ["b", "1", "hello", "ONE"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2**63, r"where holds the integer 9223372036854775808"),
        ([1, 2**64], "does not fit 64 bits"),
        (1j, "holds a complex"),
        (b"abc", "holds a bytes"),
        (bytearray(b"abc"), "holds a bytearray"),
        (print, "holds a builtin_function"),
        (object(), "holds a object"),
        (pd.Series([1]), "holds a Series"),
        (np.datetime64("2020-01-01T00:00:00.000000001"), "holds a datetime64"),
        (np.array([1j]), "holds a complex"),
        (np.ma.masked_array([1, 2], [True, False]), "holds a MaskedArray"),
        ([1, "a"], "list of mixed values"),
        ([True, 1], "list of mixed values"),
        ([None, "a"], "list of mixed values"),
        ({1, "a"}, "list of mixed values"),
        ([[1], [2, 3]], "list of mixed values"),
        ({"a/b": 1}, "the key 'a/b'"),
        ({"": 1}, "the key ''"),
        ({".": 1}, "the key '.'"),
        ({1: "a", "1": "b"}, "keys that are the same as text: 1, '1'"),
        ({"a": {"b": [object()]}}, r"where\['a'\]\['b'\] holds a object"),
    ],
)
def test_refused(value: Any, message: str):
    with pytest.raises(StorageError, match=message):
        sanitize(value, where="where")


EVERYTHING = {
    "none": None,
    "flag": np.bool_(True),
    "number": np.int8(3),
    "share": np.longdouble(0.25),
    "enum": Number.ONE,
    "word": Word.HELLO,
    "path": Path("a/b"),
    "tuple": (1, 2.5),
    "set": {"b", "a/ ∆"},
    "flags": [True, False],
    "empty": [],
    "texts": np.array(["x", "y"]),
    "objects": np.array(["x", "y"], dtype=object),
    "table": pd.DataFrame({"method": ["a", "b"], "score": [0.1, np.nan]}),
    "inner": {1: {"deep": (1,)}},
}


def _same(a: Any, b: Any) -> None:
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            _same(a[key], b[key])
    elif isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, check_dtype=False, check_index_type=False, check_column_type=False)
    elif isinstance(a, np.ndarray):
        assert a.dtype.kind == b.dtype.kind or {a.dtype.kind, b.dtype.kind} <= set("UOT")
        assert a.tolist() == list(b.tolist())
    else:
        assert a == b


@pytest.mark.parametrize("form", ["h5ad", "zarr"])
def test_everything_survives_files(form: str, tmp_path: Path):
    adata = ad.AnnData(np.ones((2, 2), np.float32), uns={"x": sanitize(EVERYTHING)})
    getattr(adata, f"write_{form}")(tmp_path / f"a.{form}")
    back = getattr(ad, f"read_{form}")(tmp_path / f"a.{form}")
    _same(adata.uns["x"], back.uns["x"])
    # What has come back can be stored again.
    _same(sanitize(back.uns["x"]), adata.uns["x"])


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | st.sampled_from([Number.ONE, Word.HELLO, Thing.PAIR, np.float16(1), object()]),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=15,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_any_value_is_made_plain_or_refused_and_plain_ones_stay(value: Any):
    try:
        out = sanitize(value)
    except StorageError:
        return
    np.testing.assert_equal(sanitize(out), out)


@dataclasses.dataclass
class Scores:
    split: str
    per_type: pd.DataFrame
    classes: list[str]
    loss: float = 0.0
    left_out: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampling(Request):
    max_cells: int | None = default(None)


def _scores() -> Scores:
    per_type = table(
        {
            "type": np.array(["B", "T"]),
            "n": [3, np.int64(4)],
            "f1": [0.5, None],
            "ratio": np.array([np.inf, -np.inf]),
            "rare": [True, False],
            "note": ["few", None],
            "none": [None, None],
        }
    )
    return Scores("5 folds", per_type, ["B", "T"], loss=np.nan)


def test_a_table_goes_to_json_and_back():
    text = json.dumps(to_json(_scores()), allow_nan=False)
    back = from_json(json.loads(text))
    pd.testing.assert_frame_equal(back["per_type"], _scores().per_type)
    assert to_json(back) == to_json(_scores())


@pytest.mark.parametrize("form", ["h5ad", "zarr"])
def test_a_dataclass_goes_to_uns(form: str, tmp_path: Path):
    stored = sanitize(dataclasses.replace(_scores(), per_type=_scores().per_type.drop(columns=["note"])))
    adata = ad.AnnData(np.ones((2, 2), np.float32), uns={"x": stored})
    getattr(adata, f"write_{form}")(tmp_path / f"a.{form}")
    back = getattr(ad, f"read_{form}")(tmp_path / f"a.{form}").uns["x"]
    assert set(back) == {"split", "per_type", "classes", "loss", "left_out"}
    _same(back["per_type"], stored["per_type"])


def test_a_request_is_stored_without_what_was_written():
    assert sanitize({"sampling": Sampling(max_cells=3)}) == {"sampling": {"max_cells": 3}}


def test_tables_keep_the_types_of_their_columns():
    found = _scores().per_type
    kinds = {name: column.dtype.kind for name, column in found.items()}
    assert kinds == {"type": "O", "n": "i", "f1": "f", "ratio": "f", "rare": "b", "note": "O", "none": "f"}
    assert found.index.tolist() == ["0", "1"]
    assert table([{"a": 1}, {"a": 2.5}])["a"].tolist() == [1.0, 2.5]
    assert table({"a": [1, None]})["a"].dtype == np.float64
    assert list(table([], texts=["cell"])) == ["cell"]
    for empty in (
        table({"cell": [], "p": []}, texts=["cell"]),
        from_json(to_json(table({"cell": []}, texts=["cell"]))),
    ):
        assert empty["cell"].dtype == object


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="differ in length: a 1, b 2"):
        table({"a": [1], "b": [1, 2]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["per_type"]["columns"]["n"].pop(), "differ in length"),
        (lambda d: d["per_type"]["columns"].pop("n"), "other columns than dtypes"),
        (lambda d: d["per_type"]["dtypes"].update(n="text"), "'n' of a table does not hold values of type text"),
        (lambda d: d["per_type"]["columns"].update(n=[True, 2]), "'n' of a table does not hold values of type int"),
        (lambda d: d["per_type"].update(columns=3), "a table has other columns"),
        (lambda d: d["per_type"]["columns"].update(f1=["1.5", None]), "'f1' of a table holds a text among its numbers"),
    ],
)
def test_what_is_not_whole_is_a_value_error(change: Any, message: str):
    stored = json.loads(json.dumps(to_json(_scores())))
    change(stored)
    with pytest.raises(ValueError, match=message):
        from_json(stored)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({1: (1, 2.5)}, {"1": [1, 2.5]}),
        ({"b", "a"}, ["a", "b"]),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        (np.array(["a", None], dtype=object), ["a", None]),
        (float("inf"), None),
        (Number.ONE, 1),
        (Path("a"), "a"),
        (np.bool_(False), False),
    ],
)
def test_json(value: Any, plain: Any):
    out = to_json(value)
    assert out == plain
    assert json.loads(json.dumps(out, allow_nan=False)) == plain
    assert from_json(out) == plain


@pytest.mark.parametrize(
    "value", [print, b"a", {1: 0, "1": 0}, pd.DataFrame({"a": [1j]}), pd.DataFrame({"a": [1, "a"]})]
)
def test_what_json_cannot_hold_is_refused(value: Any):
    with pytest.raises(StorageError, match="^here"):
        to_json(value, where="here")


def test_parameters_in_brief():
    params = {"k": 3, "tree": dict.fromkeys(range(21)), "screen": _scores(), "small": {"a": (1,)}, "f": print}
    out = brief(params)
    assert out.pop("small")["a"].tolist() == [1]
    assert out == {"k": 3, "tree": "<dict of 21>", "screen": "<Scores>", "f": "<builtin_function_or_method>"}
