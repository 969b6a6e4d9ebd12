"""Small files that unpack to a lot are refused before memory is taken, by an error of our own."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import subprocess
import sys
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import pytest

import sc_annotate as sca
from sc_annotate._core import text_tables, unpacked
from sc_annotate._core.text_tables import read_table, read_text
from sc_annotate.errors import InputError, ScAnnotateError

if TYPE_CHECKING:
    from pathlib import Path

MB = 10**6
READERS = {
    "ontology": (b"format-version: 1.2\n\n[Term]\nid: A:1\nname: x\ndef: ", b"x"),
    "gene sets": (b"A\tb\t", b"G"),
    "table": (b"old,new\n", b"x"),
}


def _read(what: str, path: Path) -> Any:
    if what == "ontology":
        return sca.pp.read_ontology(path)
    return sca.predictors.read_gmt(path) if what == "gene sets" else read_table(path, what="a table")


def _zip(content: bytes, **more: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), content, **{"compress_type": zipfile.ZIP_DEFLATED} | more)
    return out.getvalue()


PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zip": _zip}


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("what", READERS)
def test_what_unpacks_to_more_than_the_limit(
    what: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_tables, "MOST_BYTES", MB)
    start, more = READERS[what]
    path = tmp_path / f"a{kind}"
    path.write_bytes(PACK[kind](start + more * 2 * MB))
    assert path.stat().st_size < 20_000
    with pytest.raises(InputError, match="more than 1 MB of text"):
        _read(what, path)


CHILD = """
import resource, sys
import pandas
import sc_annotate as sca
from sc_annotate._core.text_tables import read_table
sca.predictors.read_gmt, sca.pp.read_ontology
read = {"ontology": sca.pp.read_ontology, "gene sets": sca.predictors.read_gmt, "table": lambda p: read_table(p, what="a table")}
now = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (now + int(sys.argv[3]) * 2**20,) * 2)
try:
    read[sys.argv[1]](sys.argv[2])
except sca.errors.InputError as error:
    print(error)
"""


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("what", "kind", "size", "memory"),
    [("ontology", ".gz", 120, 150), ("gene sets", ".zip", 60, 40), ("table", ".bz2", 40, 25)],
)
def test_memory_is_not_taken(what: str, kind: str, size: int, memory: int, tmp_path: Path) -> None:
    """Above the limit of size, and below it where the memory of the machine is too small."""
    start, more = READERS[what]
    path = tmp_path / f"a{kind}"
    path.write_bytes(PACK[kind](start + more * size * MB))
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, what, str(path), str(memory)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-500:]
    assert ("MB of text" if size > 100 else "not enough memory") in run.stdout


def test_archives_in_archives_are_not_followed(tmp_path: Path) -> None:
    for kind, pack in PACK.items():
        for inner in PACK.values():
            (tmp_path / f"a{kind}").write_bytes(pack(inner(b"A\tb\tG\n")))
            with pytest.raises(InputError, match="compressed again"):
                read_text(tmp_path / f"a{kind}", what="a table")


@pytest.mark.parametrize("stated", [10, 2**31])
def test_an_archive_that_lies_about_its_size(stated: int, tmp_path: Path) -> None:
    """In the list at its end, which is the one that is read."""
    content = bytearray(_zip(b"G" * 1000))
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", stated)
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(InputError, match="Bad CRC|MB of text"):
        read_text(tmp_path / "a.zip", what="a table")


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_of_blocks_of_any_size(kind: int, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(_zip(b"G" * 1000, compress_type=kind))
    with pytest.raises(InputError, match="compress it again with zip"):
        read_text(tmp_path / "a.zip", what="a table")


def test_a_large_dictionary(tmp_path: Path) -> None:
    """A file of xz says how much memory its reader needs."""
    made = lzma.LZMACompressor(filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 2**20}])
    small = made.compress(b"a") + made.flush()
    # The size of the dictionary is one byte of the header, which has a checksum behind it.
    header = bytearray(small[12 : 12 + (small[12] + 1) * 4])
    place = header.index(b"\x21\x01") + 2
    header[place] = 36  # 1 GiB
    header[-4:] = struct.pack("<I", zlib.crc32(bytes(header[:-4])))
    (tmp_path / "a.xz").write_bytes(small[:12] + bytes(header) + small[12 + len(header) :])
    with pytest.raises(InputError, match="Memory usage limit exceeded"):
        read_text(tmp_path / "a.xz", what="a table")


def test_streams_behind_each_other(tmp_path: Path) -> None:
    text = b"a,b\n" * 50_000
    for kind in (".gz", ".bz2", ".xz"):
        (tmp_path / f"a{kind}").write_bytes(PACK[kind](text) + PACK[kind](b"c,d\n"))
        assert read_text(tmp_path / f"a{kind}", what="a table") == (text + b"c,d\n").decode()
    (tmp_path / "a.xz").write_bytes(lzma.compress(text)[:-20])
    with pytest.raises(InputError, match="end-of-stream"):
        read_text(tmp_path / "a.xz", what="a table")


def test_more_objects_than_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line or a field of one character takes fifty bytes as an object."""
    monkeypatch.setattr(text_tables, "MOST_FIELDS", 1000)
    for text in ("\n" * 1001, "a\t" * 1001, "\r" * 1001):
        (tmp_path / "a.txt").write_text(text, newline="")
        with pytest.raises(InputError, match="lines and fields; at most 1,000"):
            read_text(tmp_path / "a.txt", what="a table")
    (tmp_path / "a.txt").write_text("a,b\n" + "," * 1001)
    with pytest.raises(InputError, match="1,002 fields"):
        read_table(tmp_path / "a.txt", what="a table")
    monkeypatch.setattr(text_tables, "MOST_COLUMNS", 5)
    (tmp_path / "a.txt").write_text("," * 5)
    with pytest.raises(InputError, match="6 columns"):
        read_table(tmp_path / "a.txt", what="a table")


def test_more_terms_than_any_ontology(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sc_annotate._vocabulary.terms.obo.MOST_TERMS", 3)
    (tmp_path / "a.obo").write_text("[Term]\nid: A:1\n\n" * 4)
    with pytest.raises(InputError, match="4 terms; at most 3"):
        sca.pp.read_ontology(tmp_path / "a.obo")


def test_lines_are_those_of_the_file() -> None:
    assert list(text_tables.lines("a\r\nb\rc\n\nd")) == ["a", "b", "c", "", "d", ""]
    assert issubclass(unpacked.TooLarge, ValueError)
    assert not issubclass(unpacked.TooLarge, ScAnnotateError)


@pytest.mark.parametrize("more", ["__MACOSX/._a.txt", "folder/"])
def test_what_is_no_file_of_an_archive_does_not_count(more: str, tmp_path: Path) -> None:
    """As macOS packs a file, and others a folder of one."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(more, b"" if more.endswith("/") else bytes(range(20)))
        archive.writestr("folder/a.txt", "CD4\tx\n")
    assert read_text(tmp_path / "a.zip", what="a table") == "CD4\tx\n"
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("b.txt", "CD8A")
    with pytest.raises(InputError, match="holds 2 files, not one"):
        read_text(tmp_path / "a.zip", what="a table")
