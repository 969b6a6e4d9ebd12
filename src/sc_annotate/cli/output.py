"""Files that commands write: all are checked before any work, and written only when all of it is done."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sc_annotate._core.files import not_written, output_file, usual_rights
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

FORCE = "pass --force"


@dataclass
class Outputs:
    """Files of one command: where each goes, what it was read from, and what has been written already."""

    force: bool
    inputs: tuple[str | None, ...] = ()
    done: list[str] = field(default_factory=list)
    named: dict[Path, str] = field(default_factory=dict)
    """Paths as they were given, by what they lead to."""

    def file(self, path: str, suffix: str, what: str) -> Path:
        """Where a file is to be written; refused if it cannot be."""
        found = output_file(path, suffix, what=what, overwrite=True, replace=FORCE)
        if found.exists() and any(found.samefile(p) for p in self.inputs if p and Path(p).exists()):
            raise InputError(f"the output {path!r} is an input; choose another name.")
        found = output_file(path, suffix, what=what, overwrite=self.force, replace=FORCE)
        self.named[found] = path
        return found

    def folder(self, path: str, names: Iterable[str]) -> Path:
        """Where files of these names are to be written; the folder is made where it is missing."""
        folder = Path(path)
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{path!r} is a file; name a folder.")
        if not folder.parent.is_dir():
            raise InputError(f"the folder {str(folder.parent)!r} does not exist; make it first.")
        there = [name for name in names if (folder / name).exists()]
        if there and not self.force:
            raise InputError(
                f"{str(folder / there[0])!r} exists already; choose another folder, or {FORCE} to replace it."
            )
        return folder

    def text(self, path: Path, content: str) -> None:
        """Write a text; the file appears whole or not at all."""
        try:
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
        except OSError as error:
            raise InputError(not_written(path, error)) from error
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as opened:
                opened.write(content)
            usual_rights(temporary)
            temporary.replace(path)
        except OSError as error:
            raise InputError(not_written(path, error)) from error
        finally:
            temporary.unlink(missing_ok=True)
        self.wrote(path)

    def table(self, path: Path, table: Any, *, index: bool) -> None:
        """Write a DataFrame as CSV."""
        self.text(path, table.to_csv(index=index))

    def wrote(self, path: Any) -> None:
        """Say that a file was written."""
        name = self.named.get(path, str(path)) if isinstance(path, Path) else str(path)
        self.done.append(name)
        print(f"written to {name}")
