"""Named lists of names, as a GMT file holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.text_tables import enough_memory, lines, read_text
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import os


def read_sets(path: str | os.PathLike[str]) -> dict[str, list[str]]:
    """The names in each set of a GMT file, by its name."""
    file = str(path)
    with enough_memory(path, what="a GMT file"):
        sets: dict[str, list[str]] = {}
        for number, line in enumerate(lines(read_text(path, what="a GMT file")), start=1):
            if not line.strip():
                continue
            name, *rest = line.split("\t")
            if not rest or not name.strip():
                raise InputError(
                    f"line {number} of {file!r} is not of a GMT file: name, description and genes, separated by tabs."
                )
            if name.strip() in sets:
                raise InputError(f"{file!r} has two sets named {name.strip()!r}. Rename one of them.")
            genes = (field.partition(",")[0].strip() for field in rest[1:])
            sets[name.strip()] = list(dict.fromkeys(gene for gene in genes if gene))
        if not sets:
            raise InputError(f"{file!r} holds no gene sets.")
        return sets
