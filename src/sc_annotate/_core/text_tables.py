"""Read text, tables of text (CSV, or with tabs), and lines of gene sets: plain or compressed, never more than a limit."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from sc_annotate._core.files import one_line
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import pandas as pd

MOST_BYTES = 2**28
"""Of uncompressed text: a small file can unpack to more than the memory holds."""

_COMPRESSED = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".xz": b"\xfd7zXZ", ".zip": b"PK\x03\x04"}
"""Endings of compressed files, and how these begin."""


def read_text(path: str | os.PathLike[str], *, what: str) -> str:
    """The UTF-8 text of a file, plain or compressed (gzip, bzip2, xz, or a zip of one file); `what` it should be, for errors.

    Raises
    ------
    InputError
        No such file, a damaged one, no UTF-8 text, or too much of it.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"there is no file {str(file)!r}; the path of {what} is needed.")
    try:
        raw = _unpacked(file)
        if len(raw) > MOST_BYTES:
            raise ValueError(f"it holds more than {MOST_BYTES // 2**20} MiB of text")
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(file, what, f"not UTF-8 text at byte {error.start}") from error
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise _unreadable(file, what, one_line(error)) from error


def read_table(
    path: str | os.PathLike[str],
    *,
    what: str,
    separator: str | None = None,
    is_header: Callable[[list[str]], bool] | None = None,
) -> pd.DataFrame:
    """A table in which every field is the string that the file has ("NA" may be a gene), "" where it is empty.

    Parameters
    ----------
    path
        The file, as :func:`read_text` takes it.
    what
        What it should be, for errors: ``"a table of genes"``.
    separator
        None: tab, comma or semicolon, whichever the first line has most of.
    is_header
        Whether the fields of the first line name the columns; by default they do. Without names columns are numbered.

    Raises
    ------
    InputError
        As in :func:`read_text`, or rows of different lengths.
    """
    import pandas as pd

    text = read_text(path, what=what)
    first = re.split(r"\r\n?|\n", text, maxsplit=1)[0]
    separator = separator or max("\t,;", key=first.count)
    header = is_header is None or is_header([field.strip().strip('"') for field in first.split(separator)])
    try:
        with warnings.catch_warnings():
            # Rows that are longer than the header would lose their ends.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.StringIO(text, newline=""),
                sep=separator,
                header=0 if header else None,
                dtype=str,
                keep_default_na=False,
                index_col=False,
            )
    except (ValueError, pd.errors.ParserWarning) as error:
        raise _unreadable(Path(path), what, one_line(error)) from error


def _unpacked(file: Path) -> bytes:
    """At most one byte more than the limit."""
    with file.open("rb") as opened:
        start = opened.read(6)
    kind = next((k for k, magic in _COMPRESSED.items() if start.startswith(magic)), None)
    if kind is None:
        kind = file.suffix.lower()
    if kind not in _COMPRESSED:
        with file.open("rb") as plain:
            return plain.read(MOST_BYTES + 1)
    if kind == ".zip":
        with zipfile.ZipFile(file) as archive:
            if len(archive.namelist()) != 1:
                raise ValueError(f"the archive holds {len(archive.namelist())} files, not one")
            with archive.open(archive.namelist()[0]) as member:
                return member.read(MOST_BYTES + 1)
    if kind == ".gz":
        with gzip.open(file) as packed:
            return packed.read(MOST_BYTES + 1)
    if kind == ".bz2":
        with bz2.open(file) as packed:
            return packed.read(MOST_BYTES + 1)
    with lzma.open(file) as packed:
        return packed.read(MOST_BYTES + 1)


def _unreadable(file: Path, what: str, reason: str) -> InputError:
    return InputError(f"{str(file)!r} cannot be read as {what} ({reason[:200]}).")
