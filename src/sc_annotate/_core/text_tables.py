"""Read text, tables of text (CSV, or with tabs), and lines of gene sets: plain or compressed, never more than a limit."""

from __future__ import annotations

import io
import lzma
import os
import re
import warnings
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sc_annotate._core.files import one_line
from sc_annotate._core.unpacked import unpacked
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

MOST_BYTES = 100 * 10**6
"""Of uncompressed text: a small file can unpack to more than the memory holds. The largest ontologies have half of it."""
MOST_FIELDS = 10_000_000
"""Lines and fields: each becomes an object, which is larger than its text."""
MOST_COLUMNS = 50_000


def read_text(path: str | os.PathLike[str], *, what: str) -> str:
    """The UTF-8 text of a file, plain or compressed (gzip, bzip2, xz, or a zip of one file); `what` it should be, for errors.

    Raises
    ------
    InputError
        No such file, a damaged one, no UTF-8 text, or too much of it.
    """
    file = Path(path)
    # Path.is_file raises where a name is too long.
    if not os.path.isfile(file):
        raise InputError(f"there is no file {str(file)!r}; the path of {what} is needed.")
    try:
        raw = unpacked(file, MOST_BYTES)
        text = raw.decode("utf-8-sig")
        del raw
        if (n := text.count("\n") + text.count("\r") + text.count("\t")) > MOST_FIELDS:
            raise ValueError(f"it holds {n:,} lines and fields; at most {MOST_FIELDS:,} are read")
        return text
    except UnicodeDecodeError as error:
        raise _unreadable(file, what, f"not UTF-8 text at byte {error.start}") from error
    except MemoryError as error:
        raise _unreadable(file, what, "there is not enough memory for it") from error
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise _unreadable(file, what, one_line(error)) from error


def lines(text: str) -> Iterator[str]:
    """The lines of a text, one after the other: a list of millions of them takes more memory than the text."""
    for found in re.finditer(r"([^\r\n]*)(?:\r\n?|\n|\Z)", text):
        yield found[1]


@contextmanager
def enough_memory(path: str | os.PathLike[str], *, what: str) -> Iterator[None]:
    """Report a lack of memory while a text is parsed as an error of its file."""
    try:
        yield
    except MemoryError as error:
        raise _unreadable(Path(path), what, "there is not enough memory for it") from error


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
    columns, fields = first.count(separator) + 1, text.count(separator)
    if columns > MOST_COLUMNS or fields > MOST_FIELDS:
        raise _unreadable(Path(path), what, f"it holds {columns:,} columns and {fields:,} fields")
    header = is_header is None or is_header([field.strip().strip('"') for field in first.split(separator)])
    try:
        with enough_memory(path, what=what), warnings.catch_warnings():
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


def _unreadable(file: Path, what: str, reason: str) -> InputError:
    return InputError(f"{str(file)!r} cannot be read as {what} ({reason[:200]}).")
