"""Bytes of a file, plain or compressed: never more than a limit, whatever a small file unpacks to."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BLOCK = 2**16
_COMPRESSED = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".xz": b"\xfd7zXZ", ".zip": b"PK\x03\x04"}
"""Endings of compressed files, and how these begin."""
_XZ_MEMORY = 2**27
"""For the dictionary, whose size a file of xz chooses; its highest preset needs 68 MB."""


class TooLarge(ValueError):
    """A file, or what it unpacks to, is larger than the limit."""


def unpacked(file: Path, most: int) -> bytearray:
    """The bytes of a file of at most `most`; gzip, bzip2, xz or a zip of one file are unpacked.

    Raises
    ------
    TooLarge
        There are more, packed or unpacked.
    OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile
        The file is damaged, or is no archive of one file.
    """
    if file.stat().st_size > most:
        raise TooLarge(_larger(most))
    with file.open("rb") as opened:
        start = opened.read(6)
        opened.seek(0)
        kind = _kind(start) or file.suffix.lower()
        if kind == ".zip":
            return _of_zip(opened, most)
        readers: dict[str, Callable[[IO[bytes]], io.IOBase]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": _Xz}
        if kind not in readers:
            return _read(opened, most)
        with readers[kind](opened) as packed:
            return _once(_read(packed, most))


def _kind(start: bytes | bytearray) -> str | None:
    return next((kind for kind, magic in _COMPRESSED.items() if start.startswith(magic)), None)


def _larger(most: int) -> str:
    return f"it holds more than {most // 10**6} MB of text; keep only the rows and columns that are needed"


def _read(packed: IO[bytes] | io.IOBase, most: int) -> bytearray:
    """All bytes, block by block, as their number is unknown."""
    found = bytearray()
    while block := packed.read(_BLOCK):
        found += block
        if len(found) > most:
            raise TooLarge(_larger(most))
    return found


def _once(found: bytearray) -> bytearray:
    if kind := _kind(found[:6]):
        raise ValueError(f"what is in it is compressed again ({kind}); unpack it once")
    return found


def _of_zip(opened: IO[bytes], most: int) -> bytearray:
    with zipfile.ZipFile(opened) as archive:
        # Folders, and what macOS adds to each file.
        files = [each for each in archive.infolist() if not (each.is_dir() or each.filename.startswith("__MACOSX/"))]
        if len(files) != 1:
            raise ValueError(f"the archive holds {len(files)} files, not one")
        # The stated size may be wrong; where it is too large, nothing is read.
        if files[0].file_size > most:
            raise TooLarge(_larger(most))
        # The other kinds unpack whole blocks at a time, of any size.
        if files[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("the archive is compressed in an unusual way; compress it again with zip")
        with archive.open(files[0]) as member:
            return _once(_read(member, most))


class _Xz(io.RawIOBase):
    """A stream of xz with a limit for the memory of its dictionary, which `lzma.open` lacks."""

    def __init__(self, opened: IO[bytes]) -> None:
        self._opened = opened
        self._unpacker = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def read(self, size: int = _BLOCK) -> bytes:
        while True:
            if self._unpacker.eof:
                # Several streams may follow each other, with zeros between them.
                rest = self._unpacker.unused_data.lstrip(b"\0") or self._opened.read(_BLOCK).lstrip(b"\0")
                if not rest:
                    return b""
                self._unpacker = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
            elif self._unpacker.needs_input:
                rest = self._opened.read(_BLOCK)
                if not rest:
                    raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            else:
                rest = b""
            if found := self._unpacker.decompress(rest, size):
                return found
