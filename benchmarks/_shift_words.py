"""Tables in plain text and in markdown, signed differences, and a requirement that holds or fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Bar:
    """A requirement; `holds` is None for a figure that is shown alone."""

    name: str
    holds: bool | None
    words: str

    def __str__(self) -> str:
        return f"{ {True: 'holds', False: 'FAILS', None: '  -  '}[None if self.holds is None else bool(self.holds)] } {self.name}: {self.words}"


def plain(head: str, rows: Iterable[Iterable[object]]) -> str:
    lines = [head.split("|"), *([str(x) for x in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(x.ljust(w) for x, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def markdown(head: str, rows: Iterable[Iterable[object]]) -> str:
    columns = head.split("|")
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def signed(found: tuple[float, float, float]) -> str:
    return f"{found[0]:+.3f} [{found[1]:+.3f}, {found[2]:+.3f}]"
