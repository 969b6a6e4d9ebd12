"""Hostile pickles are refused by name and run nothing; arrays come out as they went in."""

from __future__ import annotations

import copyreg
import functools
import pickle
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sc_annotate.errors import ModelFileError
from sc_annotate.interop.pickles import description as restricted_pickle
from sc_annotate.interop.pickles import pickled_arrays

PROTOCOLS = range(3, pickle.HIGHEST_PROTOCOL + 1)


def permit(module: str, name: str) -> Any:
    if (module, name) == ("sklearn.linear_model._logistic", "LogisticRegression"):
        return "made"
    return pickled_arrays.permit(module, name)


def read(data: bytes) -> Any:
    return restricted_pickle.read(data, permit, what="'a.pkl'")


class Calls:
    """Pickled, it calls a function when it is loaded."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> Any:
        return self.function, self.args


def attacks(target: Path) -> dict[str, Any]:
    """Objects that create `target` when their pickle is loaded."""
    import os

    code = f"open({str(target)!r}, 'w').close()"
    np.save(target.with_suffix(".npy"), np.array([Calls(exec, code)], dtype=object), allow_pickle=True)
    reload = Calls(np.load, str(target.with_suffix(".npy")), None, True)
    return {
        "os.system": Calls(os.system, f"touch {target}"),
        "eval": Calls(eval, f"__import__('os').system('touch {target}')"),
        "exec": Calls(exec, code),
        "a method of a class": Calls(Path.touch, target),
        "partial": Calls(functools.partial(exec, code)),
        "subprocess": Calls(subprocess.check_call, ["touch", str(target)]),
        "numpy.load": reload,
        "an array of objects": np.array(["MS4A1", Calls(exec, code)], dtype=object),
        "an array of arrays": np.array([np.array([Calls(exec, code)], dtype=object), None], dtype=object),
        "in a list in a dict": {"x": [1, ("a", {"b": Calls(exec, code)})]},
    }


NAMES = [
    "os.system", "eval", "exec", "a method of a class", "partial", "subprocess", "numpy.load", "an array of objects",
    "an array of arrays", "in a list in a dict",
]  # fmt: skip


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", NAMES)
def test_attacks_are_refused_and_run_nothing(name: str, protocol: int, tmp_path: Path):
    target = tmp_path / "boom"
    found = attacks(target)
    assert sorted(found) == sorted(NAMES)
    data = pickle.dumps(found[name], protocol=protocol)
    with pytest.raises(ModelFileError, match=r"nothing in it was run"):
        read(data)
    assert not target.exists()
    try:
        pickle.loads(data)
    except TypeError:  # what `exec` returns is called in turn
        assert name == "partial"
    assert target.exists(), "the attack is a dud and proves nothing"


@pytest.mark.parametrize("name", ["os.system", "numpy.load", "exec"])
def test_the_refused_name_is_in_the_message(name: str, tmp_path: Path):
    found = {"os.system": "system", "numpy.load": "numpy.*load", "exec": "builtins.exec"}[name]
    with pytest.raises(ModelFileError, match=found):
        read(pickle.dumps(attacks(tmp_path / "boom")[name]))


LOGREG = b"csklearn.linear_model._logistic\nLogisticRegression\n"
NDARRAY, RECONSTRUCT, DTYPE = b"cnumpy\nndarray\n", b"cnumpy._core.multiarray\n_reconstruct\n", b"cnumpy\ndtype\n"
HAND_MADE = {
    "sets the state of a class": LOGREG + b"}b.",
    "sets attributes of a class": LOGREG + b"N}X\x01\x00\x00\x00aK\x01s\x86b.",
    "sets the state of a dict": b"}}b.",
    "sets a state twice": LOGREG + b")\x81}b}b.",
    "calls a class": LOGREG + b")R.",
    "calls what is no name": b"K\x01)R.",
    "calls with what is no tuple": DTYPE + b"]R.",
    "makes an array by its class": NDARRAY + b"K\x01\x85\x81.",
    "calls the class of arrays": NDARRAY + b"K\x01\x85R.",
    "calls an object": RECONSTRUCT + b")R)R.",
    "a class with keywords": LOGREG + b")}\x92.",
    "an attribute of a class": b"\x80\x04\x8c\x1esklearn.linear_model._logistic\x8c\x1bLogisticRegression.__init__\x93.",
    "a name that is no string": b"K\x01K\x02\x93.",
    "an attribute of numpy": b"cnumpy\nos\n.",
    "a private module": b"cnumpy.core.multiarray\nfromfile\n.",
    "numbers by address": b"Pabc\n.",
    "an extension": b"\x82\x01.",
    "an old instance": b"(inumpy\ndtype\n.",
    "an old object": b"(" + DTYPE + b"o.",
    "a buffer from elsewhere": b"\x80\x05\x97.",
    "a dict of tuples": b"}))s.",
    "items of an object": LOGREG + b")\x81K\x01K\x02s.",
    "appends to an object": LOGREG + b")\x81K\x01a.",
    "no object": b".",
    "two objects": b"K\x01K\x02.",
    "a set": b"\x8f.",
}


@pytest.mark.parametrize("name", HAND_MADE)
def test_instructions_that_no_model_needs(name: str):
    with pytest.raises(ModelFileError, match="refused; nothing in it was run"):
        read(HAND_MADE[name])


@pytest.mark.parametrize(
    "data", [b"", b"\x80\x04", b"K", b"K\x01", b"0.", b"t.", b"h\x07.", b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fab."]
)
def test_no_whole_pickle(data: bytes):
    with pytest.raises(ModelFileError, match="not a complete pickle"):
        read(data)


def test_named_modules_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "evil_module.py").write_text(f"open({str(tmp_path / 'boom')!r}, 'w').close()\nthing = print\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelFileError, match=r"evil_module\.thing"):
        read(b"cevil_module\nthing\n)R.")
    assert "evil_module" not in sys.modules
    assert not (tmp_path / "boom").exists()


def test_extension_codes_of_this_process_are_not_used():
    copyreg.add_extension("builtins", "print", 7)
    try:
        with pytest.raises(ModelFileError, match="EXT1"):
            read(b"\x82\x07X\x01\x00\x00\x00a\x85R.")
    finally:
        copyreg.remove_extension("builtins", "print", 7)


def test_nests_cost_neither_time_nor_memory():
    doubled = b")" + b"q\x00h\x00\x86" * 200
    found = read(doubled + b".")
    assert isinstance(found, tuple)
    with pytest.raises(ModelFileError, match="neither a string nor a small number"):
        read(b"}" + doubled + b"K\x01s.")


def test_numbers_of_one_hash_are_no_keys():
    """A dict of 100,000 of them would take hours."""
    prime = 2**61 - 1
    keys = b"".join(b"\x8a\x0a" + (prime * i).to_bytes(10, "little", signed=True) + b"N" for i in range(1, 100))
    with pytest.raises(ModelFileError, match="neither a string nor a small number"):
        read(b"\x80\x04}(" + keys + b"u.")
    assert read(pickle.dumps({0: 1, True: 2, None: 3, "a": 4, -7: 5})) == {0: 1, True: 2, None: 3, "a": 4, -7: 5}


def test_too_many_instructions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(restricted_pickle, "MAX_STEPS", 100)
    with pytest.raises(ModelFileError, match="more than 100 instructions"):
        read(b"(" + b"N" * 200 + b"t.")
    monkeypatch.setattr(restricted_pickle, "MAX_BYTES", 10)
    with pytest.raises(ModelFileError, match="at most 10"):
        read(b"N" * 11)


ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array([True, False]),
    np.arange(3, dtype=">i4"),
    np.array(["B cell", "CD4+/CD25 T Reg", "Zelle ä β 細胞"]),
    np.array(["B cell", "T"], dtype=object),
    np.empty((0, 4)),
    np.float64(0.1),
    np.int64(-3),
    np.array(7.0),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{type(a).__name__} {np.asarray(a).dtype} {np.shape(a)}")
def test_arrays_come_out_as_they_went_in(array: Any, protocol: int):
    back = pickled_arrays.value(read(pickle.dumps(array, protocol=protocol)))
    np.testing.assert_array_equal(back, array)
    assert np.asarray(back).dtype == np.asarray(array).dtype.newbyteorder("=")


def _array(shape: tuple[Any, ...], code: str, raw: Any) -> Any:
    """The description of an array, whatever is claimed of it."""

    def name(module: str, text: str) -> Any:
        return restricted_pickle.Name(module, text, "called")

    dtype = restricted_pickle.Thing(name("numpy", "dtype"), (code, False, True), (3, "<", None, None, None, -1, -1, 0))
    empty = (name("numpy", "ndarray"), (0,), b"b")
    return restricted_pickle.Thing(name("numpy._core.multiarray", "_reconstruct"), empty, (1, shape, dtype, False, raw))


@pytest.mark.parametrize(
    ("shape", "code", "raw"),
    [
        ((10**12,), "f8", b"12345678"),
        ((-1,), "f8", b"12345678"),
        ((2.0,), "f8", b"12345678"),
        ((1, 1, 1), "f8", b"12345678"),
        ((3,), "O8", ["a"]),
        ((10**12,), "O8", []),
        ((1,), "V8", b"12345678"),
        ((1,), "f8,O", b"12345678"),
        ((1,), "M8[ns]", b"12345678"),
        ((1,), "f8", "12345678"),
        ((1,), "f8", None),
    ],
)
def test_arrays_that_are_none(shape: tuple[Any, ...], code: str, raw: Any):
    with pytest.raises(ValueError, match="an array"):
        pickled_arrays.value(_array(shape, code, raw))


VALID = pickle.dumps({"x": np.arange(4.0), "y": np.array(["a", "b"], dtype=object), "z": [1, None, True, 0.5, b"b"]})


def nested(width: int, depth: int) -> np.ndarray:
    """An array of arrays of arrays; each level is in the file once."""
    out: Any = "a"
    for _ in range(depth):
        outer = np.empty(width, dtype=object)
        outer[:] = [None] * width
        for i in range(width):
            outer[i] = out
        out = outer
    return out


@pytest.mark.parametrize(("width", "depth"), [(10, 40), (1, 40), (1, 2)])
def test_arrays_in_arrays_are_not_followed(width: int, depth: int):
    found = read(pickle.dumps(nested(width, depth)))
    with pytest.raises(ValueError, match="neither numbers nor strings"):
        pickled_arrays.value(found)


def test_an_array_in_itself():
    array = np.empty(1, dtype=object)
    array[0] = array
    with pytest.raises(ValueError, match="neither numbers nor strings"):
        pickled_arrays.value(read(pickle.dumps(array)))


def test_scalars_in_an_array_are_read():
    array = np.array([np.float64(0.5), np.str_("b"), None, "c", 3], dtype=object)
    assert pickled_arrays.value(read(pickle.dumps(array))).tolist() == array.tolist()


def test_strings_of_what_is_no_character():
    with pytest.raises(ValueError, match="no character"):
        pickled_arrays.value(_array((1,), "U1", b"\xff\xff\xff\xff"))


@pytest.mark.parametrize("name", ["x" * 501, "\ud800", "a\0b"], ids=["long", "half a character", "zero byte"])
def test_names_that_no_array_or_file_can_hold(name: str):
    with pytest.raises(ValueError, match="500 characters|surrogates not allowed|zero byte"):
        pickled_arrays.texts(["MS4A1", name])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_files_are_model_file_errors(data: st.DataObject):
    """Whatever bytes change, it is read as something inert or refused."""
    changed = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(changed[: data.draw(st.integers(1, len(changed)))]))
    except ModelFileError:
        return
    assert type(found) in {dict, list, tuple, str, bytes, bytearray, int, float, bool, type(None),
                           restricted_pickle.Name, restricted_pickle.Thing}  # fmt: skip


def test_a_frame_of_its_own_length_is_no_matter():
    assert read(b"\x80\x04\x95" + struct.pack("<Q", 2) + b"K\x05.") == 5
