"""Files that commands write: all are checked before any work, and written only when all of it is done."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sc_annotate._core.files import not_written, output_file, temporary_file
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

FORCE = "pass --force"


def printable(text: str) -> str:
    """A text that no terminal takes for a command, whatever a file calls its cells or a user a file.

    Examples
    --------
    >>> chr(27) in printable(f"a{chr(27)}[31m b")
    False
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def say(text: object) -> None:
    """Print to stdout."""
    print(printable(str(text)))


@dataclass
class Outputs:
    """Files of one command: where each goes, what it was read from, and what has been written already."""

    force: bool
    inputs: tuple[str, ...] = ()
    done: list[str] = field(default_factory=list)
    named: dict[Path, str] = field(default_factory=dict)
    """Paths as they were given, by what they lead to."""

    def file(self, path: str, suffix: str, what: str) -> Path:
        """Where a file is to be written; refused if it cannot be."""
        found = output_file(path, suffix, what=what, overwrite=True, replace=FORCE)
        if found.exists() and any(_same(found, each) for each in self.inputs):
            raise InputError(f"the output {path!r} is an input; choose another name.")
        output_file(path, suffix, what=what, overwrite=self.force, replace=FORCE)
        self._plan(found, path)
        return found

    def folder(self, path: str, names: Iterable[str]) -> Path:
        """Where files of these names are to be written; the folder is made where it is missing."""
        folder = Path(path)
        try:
            target = folder.resolve()
            if target.is_dir():
                names = list(names)
                there = [name for name in names if (folder / name).exists()]
                if there and not self.force:
                    raise InputError(
                        f"{str(folder / there[0])!r} exists already; choose another folder, or {FORCE} to replace it."
                    )
                for name in names:
                    self.file(str(folder / name), Path(name).suffix, "a picture")
                return folder
            if target.exists():
                raise InputError(f"{path!r} is a file; name a folder.")
            if folder.is_symlink():
                raise InputError(f"{path!r} is a link that leads nowhere; choose another name.")
            if not target.parent.is_dir():
                raise InputError(f"the folder {str(target.parent)!r} does not exist; make it first.")
        except (OSError, ValueError, RuntimeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(not_written(path, error)) from error
        self._plan(target, path)
        return folder

    def _plan(self, target: Path, path: str) -> None:
        """Refuse a name that another output has, and a folder that nothing can be written to."""
        if target in self.named or any(_same(target, each) for each in self.named):
            raise InputError(f"{path!r} is named for two outputs; choose another name for one of them.")
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise InputError(not_written(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES))))
        self.named[target] = path

    def text(self, path: Path, content: str) -> None:
        """Write a text; the file appears whole or not at all."""
        with temporary_file(path) as temporary:
            # What no file can hold, half of a character, is written as its number.
            temporary.write_text(content, encoding="utf-8", errors="backslashreplace", newline="")
        self.wrote(path)

    def table(self, path: Path, table: Any, *, index: bool) -> None:
        """Write a DataFrame as CSV."""
        self.text(path, table.to_csv(index=index))

    def wrote(self, path: Any) -> None:
        """Say that a file was written."""
        name = self.named.get(path, str(path)) if isinstance(path, Path) else str(path)
        self.done.append(name)
        say(f"written to {name}")


def _same(one: Path, other: Path | str) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False  # one of them is not there
