"""What is stored in uns survives h5ad and zarr; what would not is refused by name."""

from __future__ import annotations

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

from sc_annotate._core.codec import sanitize
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


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_any_value_is_made_plain_or_refused_and_plain_ones_stay(value: Any):
    try:
        out = sanitize(value)
    except StorageError:
        return
    np.testing.assert_equal(sanitize(out), out)
