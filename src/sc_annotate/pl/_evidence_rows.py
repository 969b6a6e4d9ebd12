"""Which groups of stored evidence are drawn, and their names and genes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


@dataclass(frozen=True)
class Rows:
    """Combinations of group and label to draw, and their genes; `ordered` if the caller chose the order."""

    pairs: list[tuple[str, str]]
    ordered: bool
    table: pd.DataFrame
    symbols: dict[str, str]

    def name(self, pair: tuple[str, str]) -> str:
        """The type; with groups, the group and the type."""
        group, kind = pair
        return kind if group == kind else f"{group}: {kind}"

    def genes(self, pair: tuple[str, str], direction: str, n: int) -> pd.DataFrame:
        """The first genes of a combination in one direction."""
        table = self.table
        rows = (table["group"] == pair[0]) & (table["type"] == pair[1]) & (table["direction"] == direction)
        return table[rows].nsmallest(n, "rank")

    def symbol(self, gene: str) -> str:
        return self.symbols.get(gene, gene)


def chosen_rows(stored: dict[str, Any], groups: str | Sequence[str] | None, symbols: dict[str, str]) -> Rows:
    """The requested groups or types, each once, in the requested order."""
    table = stored["table"]
    table = table.assign(**{c: table[c].astype(str).astype(object) for c in ("group", "type", "direction", "gene")})
    every = list(dict.fromkeys(zip(table["group"].tolist(), table["type"].tolist(), strict=True)))
    if groups is None:
        if not every:
            raise InputError("no gene contributed to any label: nothing can be drawn.")
        return Rows(every, False, table, symbols)
    requested = [groups] if isinstance(groups, str) else [str(one) for one in groups]
    pairs: list[tuple[str, str]] = []
    for one in requested:
        fits = [pair for pair in every if one == pair[0]] or [pair for pair in every if one == pair[1]]
        if not fits:
            names = sorted({name for pair in every for name in pair})
            raise InputError(
                f"there is no group or type {one!r} with evidence; there are: {', '.join(map(repr, names))}."
            )
        pairs += [pair for pair in fits if pair not in pairs]
    if not pairs:
        raise InputError("groups is empty; name at least one group or type, or leave it out for all.")
    return Rows(pairs, True, table, symbols)
