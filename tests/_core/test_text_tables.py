"""Text of files: plain or compressed, whole or refused with the reason."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zipfile
from typing import TYPE_CHECKING

import pytest

from sc_annotate._core import text_tables
from sc_annotate._core.text_tables import read_table, read_text
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

TEXT = 'gene,"type, fine"\r\nNA,\r\nCD3E,"T, CD4"\r\n'


def _zip(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, TEXT)


@pytest.mark.parametrize("kind", ["plain", "gz", "gz without the ending", "bz2", "xz", "zip"])
def test_plain_and_compressed_files_are_read_alike(tmp_path: Path, kind: str):
    path = tmp_path / ("a.csv" if " " in kind or kind == "plain" else f"a.csv.{kind}")
    if kind == "zip":
        _zip(path, "a.csv")
    else:
        pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}.get(kind[:3].strip(), bytes)
        path.write_bytes(pack(TEXT.encode("utf-8-sig")))
    assert read_text(path, what="a table") == TEXT
    frame = read_table(path, what="a table")
    assert list(frame) == ["gene", "type, fine"]
    assert frame.to_numpy().tolist() == [["NA", ""], ["CD3E", "T, CD4"]]


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_the_separator_is_that_of_the_first_line(tmp_path: Path, separator: str):
    (tmp_path / "a.txt").write_text(f"a{separator}b\n1{separator}2\n", encoding="utf-8")
    assert list(read_table(tmp_path / "a.txt", what="a table", is_header=lambda fields: fields == ["a", "b"])) == [
        "a",
        "b",
    ]
    assert len(read_table(tmp_path / "a.txt", what="a table", is_header=lambda _: False)) == 2


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"a,b\n1,2,3\n4,5,6\n", "Length of header"),
        ("b.csv", b"a,b\n1,2\n3,4,5\n", "Expected 2 fields"),
        ("c.csv", b"", "No columns"),
        ("d.csv", b"\xff\xfe\x00\x01", "not UTF-8 text at byte 0"),
        ("e.csv.gz", b"a,b\n1,2\n", "Not a gzipped file"),
        ("f.csv.gz", gzip.compress(b"a,b\n" * 99, mtime=0)[:-9], "end-of-stream"),
        ("g.csv.xz", b"a,b\n1,2\n", "not supported"),
        ("h.csv.zip", b"a,b\n1,2\n", "not a zip file"),
        ("i.csv", b"PK\x03\x04nonsense", "not a zip file"),
        ("j.csv.bz2", b"BZhnonsense", "Invalid data stream"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path: Path, name: str, content: bytes, reason: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{re.escape(name)}' cannot be read as a table \(.*{reason}"):
        read_table(tmp_path / name, what="a table")


def test_an_archive_of_several_files_is_refused(tmp_path: Path):
    _zip(tmp_path / "a.zip", "a.csv", "b.csv")
    with pytest.raises(InputError, match="the archive holds 2 files, not one"):
        read_text(tmp_path / "a.zip", what="a table")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_no_more_than_the_limit_is_unpacked(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_tables, "MOST_BYTES", 10**6)
    text = b"a,b\n" * 250_000
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    assert len(read_text(tmp_path / name, what="a table")) == 10**6
    (tmp_path / name).write_bytes(gzip.compress(text + b"1") if name.endswith("gz") else text + b"1")
    with pytest.raises(InputError, match="more than 1 MB of text"):
        read_text(tmp_path / name, what="a table")


def test_no_file(tmp_path: Path):
    for absent in (tmp_path, tmp_path / "a.csv", "nowhere.csv", f"{'x' * 5000}.csv"):
        with pytest.raises(InputError, match="there is no file .*; the path of a table is needed"):
            read_text(absent, what="a table")
