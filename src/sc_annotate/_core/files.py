"""Small things that whatever writes files needs."""

from __future__ import annotations

import errno
import os
import re
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

REPLACE = "pass overwrite=True"


def one_line(error: BaseException | str) -> str:
    return " ".join(str(error).split())


def shortened(text: str, most: int = 2000) -> str:
    """A message in which no name of a file, number or list is longer than anyone reads.

    Examples
    --------
    >>> shortened("there is no file " + "a" * 300)
    'there is no file aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...aaaaaaaaaaaaaaaaaaaa'
    """
    text = re.sub(r"\S{200,}", lambda word: f"{word[0][:60]}...{word[0][-20:]}", text)
    return text if len(text) <= most else f"{text[: most - 200]} ... {text[-190:]}"


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """Where to write what takes the place of `path` once it is whole; nothing of it stays otherwise."""
    # The file is made within `try`, so that it is removed whatever ends the writing.
    temporary = path.with_name(f".{secrets.token_hex(6)}{path.suffix}")
    try:
        temporary.touch()
        rights = temporary.stat().st_mode
        yield temporary
        # Some writers replace the file by one that only its owner may read.
        temporary.chmod(rights)
        temporary.replace(path)
    except OSError as error:
        raise InputError(not_written(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def output_file(
    path: str | os.PathLike[str], suffix: str, *, what: str, overwrite: bool = False, replace: str = REPLACE
) -> Path:
    """Where a file is to be written: `path`, or what it links to; an InputError where that cannot be.

    `what` names the file in the error ("a model file"), and `replace` says how to allow that a file is replaced.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"the path of {what} must be a string or a path, not {path!r}.")
    target = Path(path)
    try:
        if target.is_dir():
            raise InputError(
                f"{str(target)!r} is a folder; name a file in it, such as {str(target / ('name' + suffix))!r}."
            )
        if target.suffix != suffix:
            raise InputError(f"{what} ends in {suffix}, not {target.name!r}.")
        # A link stays, and the file that it names is written.
        target = target.resolve()
        if target.is_symlink():
            raise InputError(f"{str(path)!r} is a link that leads back to itself; choose another name.")
        if not target.parent.is_dir():
            raise InputError(f"the folder {str(target.parent)!r} does not exist; make it first.")
        if target.exists() and not overwrite:
            raise InputError(f"{str(path)!r} exists already; choose another name, or {replace} to replace it.")
        if target.exists() and not target.is_file():
            raise InputError(f"{str(path)!r} is no usual file; choose another name.")
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        # Circular links, zero bytes, names that are too long.
        raise InputError(not_written(path, error)) from error
    return target


def not_written(path: str | os.PathLike[str], error: BaseException) -> str:
    """Why a file could not be written, and what to do."""
    fixes = {
        errno.ENOSPC: "the disk is full. Free some space, or choose another folder",
        errno.EDQUOT: "the disk quota is used up. Free some space, or choose another folder",
        errno.ENAMETOOLONG: "the name is too long. Choose a shorter one",
        errno.EROFS: "the folder can only be read. Choose another folder",
        errno.EACCES: "the folder or file may not be written to. Choose another folder, or change its permissions",
        errno.EPERM: "the folder or file may not be written to. Choose another folder, or change its permissions",
    }
    shown = str(path) if len(str(path)) <= 200 else f"{str(path)[:200]}..."
    why = fixes.get(getattr(error, "errno", None) or 0, f"{one_line(error)[:300]}. Choose another name or folder")
    return f"{shown!r} was not written: {why}."
