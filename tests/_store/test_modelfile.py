"""Model files: whole or not at all, and nothing but a valid one gets through."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sc_annotate._store import modelfile
from sc_annotate.errors import InputError, ModelFileError

ARRAYS = {
    "means": np.linspace(0, 1, 5, dtype=np.float32),
    "a.coef": np.arange(6.0).reshape(2, 3),
    "scalar": np.float32(3),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 4), np.int64),
    "half": np.ones(3, np.float16),
}
META = {"classes": ["B cell", "CD4+/CD25 T Reg", "Übergang ∆"], "params": {"C": 0.1, "clip": None}, "counts": [3, 4, 5]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def valid(folder: Path) -> bytes:
    """A small one, since it is cut and broken at every byte."""
    return modelfile.save(folder / "valid.safetensors", {"x": np.ones((1, 2), np.float32)}, {"a": ["é"]}).read_bytes()


def _file(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def _with_text(text: str) -> bytes:
    """A sound safetensors file with any text where the description goes."""
    return _file(json.dumps({"__metadata__": {"sc_annotate": text}}).encode())


def _try(folder: Path, content: bytes, name: str = "any.safetensors") -> Any:
    """A refusal gives None; a load gives arrays and a description. Any other exception fails the test."""
    file = folder / name
    file.write_bytes(content)
    try:
        arrays, meta = modelfile.load(file)
    except ModelFileError as refused:
        message = str(refused)
    else:
        message = ""
    if message:
        assert repr(str(file)) in message
        return None
    assert all(isinstance(k, str) and isinstance(v, np.ndarray) for k, v in arrays.items())
    assert meta["format"] == modelfile.FORMAT
    return arrays, meta


# ---- writing


def test_round_trip(tmp_path: Path):
    arrays, meta = modelfile.load(modelfile.save(tmp_path / "m.safetensors", ARRAYS, META))
    assert meta == META | {"format": modelfile.FORMAT, "format_number": modelfile.FORMAT_NUMBER}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == np.shape(array)
        np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.arange(10)[::-2],
        np.arange(3, dtype=">f4"),
    ],
)
def test_arrays_in_any_order_of_memory(array: np.ndarray, tmp_path: Path):
    arrays, _ = modelfile.load(modelfile.save(tmp_path / "m.safetensors", {"x": array}, {}))
    np.testing.assert_array_equal(arrays["x"], array)


def test_a_path_may_be_text_and_the_file_replaced(tmp_path: Path):
    path = str(tmp_path / "m.safetensors")
    for value in (1, 2):
        assert modelfile.save(path, {}, {"value": value}, overwrite=True) == Path(path)
        assert modelfile.load(path)[1]["value"] == value
    assert os.listdir(tmp_path) == ["m.safetensors"]


def test_the_file_has_the_rights_of_any_new_file(tmp_path: Path):
    (tmp_path / "plain").touch()
    modelfile.save(tmp_path / "m.safetensors", {}, {})
    assert (tmp_path / "m.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = modelfile.save(tmp_path / "m.safetensors", ARRAYS, {"value": 1})

    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    with pytest.raises(InputError, match="no space left"):
        modelfile.save(file, ARRAYS, {"value": 2}, overwrite=True)
    assert os.listdir(tmp_path) == ["m.safetensors"]
    assert modelfile.load(file)[1]["value"] == 1


@pytest.mark.parametrize(
    ("name", "arrays", "meta", "message"),
    [
        ("m.pkl", {}, {}, r"ends in \.safetensors, not 'm.pkl'"),
        ("no/m.safetensors", {}, {}, "does not exist; make it first"),
        ("m.safetensors", {"names": np.array(["a"])}, {}, "'names' holds <U1"),
        ("m.safetensors", {"objects": np.array([None])}, {}, "'objects' holds object"),
        ("m.safetensors", {}, {"x": float("nan")}, "cannot be written as JSON"),
        ("m.safetensors", {}, {"x": np.float32(1)}, "cannot be written as JSON"),
    ],
)
def test_what_cannot_be_saved(name: str, arrays: Any, meta: Any, message: str, tmp_path: Path):
    with pytest.raises(InputError, match=message):
        modelfile.save(tmp_path / name, arrays, meta)
    assert os.listdir(tmp_path) == []


def test_a_path_is_text_or_a_path() -> None:
    with pytest.raises(InputError, match="must be a string or a path, not None"):
        modelfile.save(None, {}, {})  # type: ignore[arg-type]


def test_lone_surrogates_survive(tmp_path: Path):
    file = modelfile.save(tmp_path / "m.safetensors", {}, {"label": "\ud800"})
    assert modelfile.load(file)[1]["label"] == "\ud800"


# ---- reading what is no model


@pytest.mark.parametrize("name", ["absent.safetensors", ".", "x" * 5000, "nul\0byte", "valid.safetensors/below"])
def test_no_such_file(name: str, valid: bytes, folder: Path):
    with pytest.raises(ModelFileError):
        modelfile.load(folder / name)


class Bomb:
    """Pickled, it creates a file when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("name", ["model.pkl", "model.safetensors", "model"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_are_never_loaded(name: str, protocol: int, tmp_path: Path):
    target = tmp_path / "boom"
    content = pickle.dumps(Bomb(target), protocol=protocol)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFileError, match="pickle" if protocol >= 2 else "damaged"):
        modelfile.load(tmp_path / name)
    assert not target.exists()
    pickle.loads(content)  # the bomb is live
    assert target.exists()


def test_a_pickle_inside_is_never_loaded(tmp_path: Path):
    target = tmp_path / "boom"
    content = pickle.dumps(Bomb(target))
    with zipfile.ZipFile(tmp_path / "torch.pt", "w") as archive:
        archive.writestr("data.pkl", content)
    for file in ((tmp_path / "torch.pt").read_bytes(), _with_text(content.hex()), _file(b"{}", content)):
        assert _try(tmp_path, file) is None
    assert not target.exists()


def test_a_header_whose_length_looks_like_a_pickle(tmp_path: Path):
    """0x0280 and 0x0480 bytes of header start as pickles do; it is the brace that tells."""
    for length in (0x0280, 0x0380, 0x0480, 0x0580):
        text = json.dumps({"format": modelfile.FORMAT, "format_number": modelfile.FORMAT_NUMBER})
        header = json.dumps({"__metadata__": {"sc_annotate": text}}).encode()
        assert _try(tmp_path, _file(header.ljust(length))) is not None


def test_h5ad_says_what_to_do(tmp_path: Path):
    h5py.File(tmp_path / "a.h5ad", "w").close()
    with pytest.raises(ModelFileError, match="pass the AnnData"):
        modelfile.load(tmp_path / "a.h5ad")


def test_a_safetensors_file_of_somebody_else(tmp_path: Path):
    from safetensors.numpy import save_file

    save_file({"x": np.ones(3)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelFileError, match="not of sc_annotate"):
        modelfile.load(tmp_path / "a.safetensors")
    save_file({"x": np.ones(3)}, tmp_path / "b.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelFileError, match="not of sc_annotate"):
        modelfile.load(tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "damaged"),
        ("{", "damaged"),
        ("[" * 100_000, "damaged"),
        ('{"a":' * 100_000, "damaged"),
        ("9" * 10_000, "damaged"),
        ('{"format": "sc_annotate.model", "x": ' + "9" * 10_000 + "}", "damaged"),
        ("null", "does not describe"),
        ("[]", "does not describe"),
        ("NaN", "damaged"),
        ('{"format": "sc_annotate.model", "format_number": 1, "x": NaN}', "damaged"),
        ('{"format": "sc_annotate.model", "format_number": true}', "format number True"),
        ('"sc_annotate.model"', "does not describe"),
        ('{"format": ["sc_annotate.model"]}', "does not describe"),
        ('{"format": "sc_annotate.model"}', "format number None"),
        ('{"format": "sc_annotate.model", "format_number": 3}', "format number 3; this version reads 1 and 2"),
        ('{"format": "sc_annotate.model", "format_number": "1"}', "format number '1'"),
        ('{"format": "sc_annotate.model", "format_number": {"a": []}}', "format number"),
        ('{"format": "sc_annotate.model", "format_number": 1e999}', "format number inf"),
    ],
)
def test_hostile_descriptions(text: str, message: str, tmp_path: Path):
    (tmp_path / "m.safetensors").write_bytes(_with_text(text))
    with pytest.raises(ModelFileError, match=message):
        modelfile.load(tmp_path / "m.safetensors")


def _tensor(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe{}",
        b"{" * 10_000,
        b'{"a":' * 10_000,
        b'{"__metadata__": 3}',
        b'{"__metadata__": {"sc_annotate": 3}}',
        b'{"__metadata__": {"sc_annotate": {"format": "sc_annotate.model"}}}',
        b'{"__metadata__": [["sc_annotate", "{}"]]}',
        *(
            json.dumps({"x": tensor}).encode()
            for tensor in (
                None,
                [],
                _tensor(dtype="O"),
                _tensor(dtype=3),
                _tensor(shape="a"),
                _tensor(shape=[-1]),
                _tensor(shape=[2**40]),
                _tensor(shape=[2**63, 2**63]),
                _tensor(shape=[1e300]),
                _tensor(shape=[1] * 1000),
                _tensor(offsets=[4, 0]),
                _tensor(offsets=[0, 2**62]),
                _tensor(offsets=[-4, 0]),
                _tensor(offsets=[0]),
                _tensor(offsets=[0, 4, 8]),
                _tensor(dtype="BF16", shape=[2]),
                _tensor(dtype="F8_E4M3", shape=[4]),
                _tensor(dtype="F4", shape=[8]),
            )
        ),
    ],
)
def test_hostile_headers(header: bytes, tmp_path: Path):
    assert _try(tmp_path, _file(header, b"\0" * 4)) is None


@pytest.mark.parametrize("length", [0, 1, 7, 10**6, 10**8 + 1, 2**31, 2**63 - 1, 2**64 - 1])
def test_hostile_lengths(length: int, tmp_path: Path):
    assert _try(tmp_path, _file(b"{}", b"\0" * 4, length=length)) is None


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "C64", "U64", "BOOL"])
def test_strange_types_in_a_sound_file(dtype: str, tmp_path: Path):
    size = {"BF16": 2, "F8_E4M3": 1, "C64": 8, "U64": 8, "BOOL": 1}[dtype]
    text = json.dumps({"format": modelfile.FORMAT, "format_number": modelfile.FORMAT_NUMBER})
    header = {"__metadata__": {"sc_annotate": text}, "x": _tensor(dtype, [2], [0, 2 * size])}
    _try(tmp_path, _file(json.dumps(header).encode(), b"\7" * 2 * size))


def test_every_cut_is_noticed(valid: bytes, folder: Path):
    for stop in range(len(valid)):
        assert _try(folder, valid[:stop]) is None, stop
    assert _try(folder, valid) is not None
    assert _try(folder, valid + b"\0") is None


def test_flipped_bits_of_the_header(valid: bytes, folder: Path):
    n = 8 + struct.unpack("<Q", valid[:8])[0]
    for place in range(n):
        for bit in (place % 8, (place + 3) % 8):
            broken = bytearray(valid)
            broken[place] ^= 1 << bit
            _try(folder, bytes(broken))


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=300))
def test_random_bytes(content: bytes, folder: Path):
    assert _try(folder, content) is None


@settings(max_examples=100, deadline=None)
@given(header=st.binary(max_size=200), data=st.binary(max_size=20))
def test_random_headers(header: bytes, data: bytes, folder: Path):
    assert _try(folder, _file(header, data)) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["dtype", "shape", "data_offsets", "__metadata__", "sc_annotate", "format", "format_number", "x"]
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(header=st.dictionaries(KEYS, st.dictionaries(KEYS, JSON, max_size=4) | JSON, max_size=4))
def test_random_json_headers(header: dict[str, Any], folder: Path):
    assert _try(folder, _file(json.dumps(header).encode())) is None


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


@settings(max_examples=100, deadline=None)
@given(meta=JSON, number=st.sampled_from([1, 1.0, True, 2, 3, None]))
def test_random_descriptions(meta: Any, number: Any, folder: Path):
    """A file that says it is ours is loaded, whatever else it holds; any other is not."""
    if isinstance(meta, dict):
        meta = meta | {"format": modelfile.FORMAT, "format_number": number}
    loaded = _try(folder, _with_text(json.dumps(meta)))
    assert (loaded is not None) == (
        isinstance(meta, dict) and number in (1, 2) and number is not True and _is_json(meta)
    )


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_mutations(data: st.DataObject, valid: bytes, folder: Path):
    broken = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    _try(folder, bytes(broken))
