"""Pickles that ask for more memory than their size explains are refused by counting, before it is taken."""

from __future__ import annotations

import io
import pickle
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate.errors import ModelFileError
from sc_annotate.interop.pickles import description, pickled_arrays

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once


def read(data: bytes) -> Any:
    return description.read(data, pickled_arrays.permit, what="'a.pkl'")


def text(content: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(content)) + content


def raw(content: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(content)) + content


DTYPE = b"cnumpy\ndtype\n"
SCALAR = b"cnumpy._core.multiarray\nscalar\n"
ARRAY = b"cnumpy._core.multiarray\n_reconstruct\n"
FROM_BUFFER = b"cnumpy._core.numeric\n_frombuffer\n"


def dtype(code: str) -> bytes:
    return DTYPE + text(code.encode()) + b"\x89\x88\x87R"


def scalars(n: int, size: int = 90_000) -> bytes:
    """A list of scalars that all are made of the same bytes."""
    start = dtype(f"U{size}") + b"q\x00" + b"0" + raw(b"a\0\0\0" * size) + b"q\x01" + b"0" + SCALAR + b"q\x02" + b"0"
    return start + b"](" + b"h\x02h\x00h\x01\x86R" * n + b"e."


def buffers(n: int, size: int = 10**6) -> bytes:
    start = raw(b"\0" * size) + b"q\x01" + b"0" + dtype("i1") + b"q\x00" + b"0" + FROM_BUFFER + b"q\x02" + b"0"
    one = b"h\x02(h\x01h\x00" + b"J" + struct.pack("<i", size) + b"\x85" + text(b"C") + b"tR"
    return start + b"](" + one * n + b"e."


def arrays(n: int, size: int = 10**6) -> bytes:
    start = raw(b"\0" * size) + b"q\x01" + b"0" + dtype("i1") + b"q\x00" + b"0" + ARRAY + b"q\x02" + b"0"
    one = b"h\x02)R(K\x01" + b"J" + struct.pack("<i", size) + b"\x85" + b"h\x00\x89h\x01tb"
    return start + b"](" + one * n + b"e."


GREEDY = {
    "scalars of the same bytes": scalars(3000),
    "arrays of the same bytes": arrays(3000),
    "buffers of the same bytes": buffers(3000),
    "lists": b"](" + b"]" * 2_000_000 + b"e.",
    "dicts": b"](" + b"}" * 2_000_000 + b"e.",
    "marks": b"(" * 2_500_000,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", GREEDY)
def test_what_would_take_far_more_memory(name: str) -> None:
    with pytest.raises(ModelFileError, match="more memory than its size explains|instructions"):
        read(GREEDY[name])


@pytest.mark.slow
def test_what_is_explained_is_read() -> None:
    """Names of genes and types, which take some ten times their bytes, and arrays of all sizes."""
    genes = [f"G{i}" for i in range(60_000)]
    held = {
        "a": np.array(genes, dtype=object),
        "b": genes,
        "c": np.zeros((50, 6000)),
        "d": {g: i for i, g in enumerate(genes)},
    }
    for protocol in range(3, pickle.HIGHEST_PROTOCOL + 1):
        found = read(pickle.dumps(held, protocol=protocol))
        assert pickled_arrays.texts(pickled_arrays.value(found["a"])).tolist() == genes
        assert pickled_arrays.value(found["c"]).shape == (50, 6000)


def test_a_string_referred_to_often_is_no_large_array() -> None:
    """A million names of one long string would be an array of two gigabytes."""
    long = "x" * 500
    with pytest.raises(ValueError, match=r"names of up to 500 characters"):
        pickled_arrays.texts([long] * 200_000)
    with pytest.raises(ValueError, match="more than 1,000,000 names"):
        pickled_arrays.texts([long] * 1_000_001)
    with pytest.raises(ValueError, match="more than 1,000,000 names"):
        pickled_arrays.texts(np.zeros(1_000_001, dtype=np.int8))


def test_what_is_there_several_times_is_made_once() -> None:
    start = SCALAR + dtype("U100") + raw(b"a\0\0\0" * 100) + b"\x86Rq\x05"
    found = read(b"](" + start + b"h\x05" * 999 + b"e.")
    object_array = description.Thing(
        description.Name("numpy._core.multiarray", "_reconstruct", "called"),
        (description.Name("numpy", "ndarray", "named"),),
        (1, (1000,), read(dtype("O8") + b"."), False, found),
    )
    made = pickled_arrays.value(object_array)
    assert made[0] == "a" * 100
    assert len({id(item) for item in made}) == 1


NESTS = {
    "lists": b"]" * 400_000 + b"a" * 399_999 + b".",
    "tuples": b")" + b"\x85" * 400_000 + b".",
    "dicts": b"}" + b"X\x01\x00\x00\x00a}" * 100_000 + b"s" * 100_000 + b".",
    "objects": b")" + (b"q\x000" + ARRAY + b"h\x00R\x85") * 60_000 + b".",
}
CHILD = """
import resource, sys
from sc_annotate.errors import ModelFileError
from sc_annotate.interop.celltypist_model import from_file
import numpy
from pathlib import Path
now = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (now + 300 * 2**20,) * 2)
for path in sys.argv[1:]:
    try:
        from_file(Path(path))
    except ModelFileError as error:
        print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_deep_nests_and_greedy_files_in_little_memory(tmp_path: Path) -> None:
    """Also when they are given away again, which goes down the nest; in a process that has 300 MB more."""
    paths = []
    for number, data in enumerate([*NESTS.values(), *GREEDY.values()]):
        paths.append(tmp_path / f"{number}.pkl")
        paths[-1].write_bytes(data)
    run = subprocess.run([sys.executable, "-c", CHILD, *map(str, paths)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-800:]
    lines = run.stdout.splitlines()
    assert len(lines) == len(paths)
    assert [line for line in lines[: len(NESTS)] if "not of a CellTypist model" not in line] == []
    assert all("more memory" in line or "instructions" in line for line in lines[len(NESTS) :])


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.",  # a frame of exabytes: its length is not used
        b"\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",  # bytearray8
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",  # binunicode8
        b"\x8b\xff\xff\xff\x7f.",  # long4
        b"X\xff\xff\xff\xffa.",
        b"B\xff\xff\xff\x7fa.",
    ],
)
def test_lengths_that_are_not_there(data: bytes) -> None:
    if data.startswith(b"\x80"):
        assert read(data) is None
        return
    with pytest.raises(ModelFileError, match="not a complete pickle"):
        read(data)


@pytest.mark.parametrize("shape", [(2**60,), (2**31, 2**31), (10**30, 1), (2**70, 0)])
def test_shapes_that_are_not_there(shape: tuple[int, ...]) -> None:
    array = read(ARRAY + b")R.")
    array.args = (description.Name("numpy", "ndarray", "named"),)
    array.state = (1, shape, read(dtype("f8") + b"."), False, b"12345678" if 0 not in shape else b"")
    with pytest.raises((ValueError, OverflowError)):
        pickled_arrays.value(array)


def _model(**more: Any) -> bytes:
    from sklearn.linear_model import SGDClassifier
    from sklearn.preprocessing import StandardScaler

    X, y = np.abs(np.random.default_rng(0).normal(size=(30, 4))), np.array(list("abc") * 10)
    model = SGDClassifier(loss="log_loss", random_state=0).fit(X, y)
    model.features = np.array(["A", "B", "C", "D"], dtype=object)
    for name, value in more.items():
        setattr(model, name, value)
    return pickle.dumps({"Model": model, "Scaler_": StandardScaler().fit(X), "description": {"date": "now"}})


def test_a_value_that_would_be_endless_in_words(tmp_path: Path) -> None:
    """Tuples of the same tuples, whose text has no end, in the place of the loss."""
    nest: Any = ()
    for _ in range(200):
        nest = (nest, nest)
    (tmp_path / "m.pkl").write_bytes(_model(loss=nest))
    with pytest.raises(ModelFileError, match="its loss is None, not logistic"):
        sca.tl.convert_celltypist(tmp_path / "m.pkl", trust_pickle=True)
    (tmp_path / "m.pkl").write_bytes(_model(multi_class=nest, solver=nest, _sklearn_version=nest))
    assert sca.tl.convert_celltypist(tmp_path / "m.pkl", trust_pickle=True).classes.tolist() == list("abc")


def test_files_of_joblib(tmp_path: Path) -> None:
    import joblib

    for compress in (("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)):
        joblib.dump({"x": np.arange(9)}, tmp_path / "m.pkl", compress=compress)
        with pytest.raises(ModelFileError, match="compressed, as joblib does it"):
            sca.tl.convert_celltypist(tmp_path / "m.pkl", trust_pickle=True)
    (tmp_path / "m.pkl").write_bytes(zlib.compress(b"\0" * 10**7))
    with pytest.raises(ModelFileError, match="compressed"):
        sca.tl.convert_celltypist(tmp_path / "m.pkl", trust_pickle=True)
    out = io.BytesIO()
    joblib.dump({"x": np.arange(9)}, out)
    with pytest.raises(ModelFileError, match="joblib.numpy_pickle"):
        read(out.getvalue())
