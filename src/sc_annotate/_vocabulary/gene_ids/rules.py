"""What a table of genes says of a name: ids, previous symbols and aliases, orthologs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._vocabulary.gene_ids.mapping import NewName, listed
from sc_annotate._vocabulary.gene_names import parts, strip_version
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

Rule = Callable[[str], NewName]

# As the complete set of HGNC, its custom downloads, and NCBI's gene_info call them.
CURRENT_COLUMNS = ("symbol", "Approved symbol", "Symbol")
PREVIOUS_COLUMNS = ("prev_symbol", "Previous symbols", "Previous symbol")
ALIAS_COLUMNS = ("alias_symbol", "Alias symbols", "Alias symbol", "Synonyms")
_HOMOLOGY = re.compile(r".*homology[ _.]?type", re.IGNORECASE)


def _pairs(old: Iterable[str], new: Iterable[str]) -> dict[str, list[str]]:
    """All new names of each old one, in the order of the table."""
    out: dict[str, dict[str, None]] = {}
    for a, b in zip(old, new, strict=True):
        if a and b:
            out.setdefault(a, {})[b] = None
    return {a: list(those) for a, those in out.items()}


def _bare(names: Iterable[str]) -> list[str]:
    return strip_version(np.array(list(names), dtype=str)).tolist()


def with_parts(rule: Rule) -> Rule:
    """The rule, applied also to the symbol and the id of a name that joins both (``CD79A_ENSG00000105369``)."""

    def of_parts(name: str) -> NewName:
        new = rule(name)
        for part in parts(name):
            if part and not (new.to or new.reason):
                found = rule(part)
                new = NewName(found.to, found.reason or f"by its part {part}", found.weak) if found.to else found
        return new

    return of_parts


def symbol_of_parts(name: str) -> NewName:
    """The symbol of a name that joins one with an id; other names stay."""
    symbol, _ = parts(name)
    return NewName(symbol, "its Ensembl id taken off") if symbol else NewName(name)


def ids_rule(old: Iterable[str], new: Iterable[str]) -> Rule:
    """One name to another; ids match without their Ensembl versions too."""
    new = list(new)
    table = _pairs(_bare(old), new)
    targets = set(new) - {""}

    def rule(name: str) -> NewName:
        found = table.get(_bare([name])[0], [])
        if len(found) > 1:
            return NewName(reason=f"means {len(found)} genes: {listed(found)}")
        if found:
            return NewName(found[0])
        return NewName(name if name in targets else "")

    return rule


def orthologs_rule(old: Iterable[str], new: Iterable[str], one2one: NDArray[np.bool_] | None, *, only: bool) -> Rule:
    """Genes of one species to those of another, one to one by the whole table, whichever of its genes are here.

    Without `only` several genes may lead to one; of several orthologs the one with the same name in capitals is meant.
    """
    old, new = _bare(old), list(new)
    table, back = _pairs(old, new), _pairs(new, old)
    stated_many = set() if one2one is None else {a for a, one in zip(old, one2one.tolist(), strict=True) if not one}

    def rule(name: str) -> NewName:
        bare = _bare([name])[0]
        found = table.get(bare, [])
        if not found:
            return NewName()
        if not only:
            same = [b for b in found if b.upper() == bare.upper()]
            found = same if len(same) == 1 else found
        if len(found) > 1:
            return NewName(reason=f"has {len(found)} orthologs: {listed(found)}")
        if only and len(back[found[0]]) > 1:
            return NewName(
                reason=f"{found[0]} is the ortholog of {len(back[found[0]])} genes: {listed(back[found[0]])}"
            )
        if only and bare in stated_many:
            return NewName(reason=f"not one-to-one by the table ({found[0]})")
        return NewName(found[0])

    return rule


def is_one2one(frame: pd.DataFrame) -> NDArray[np.bool_] | None:
    """Which rows the table itself calls one-to-one; None where it says nothing."""
    columns = [c for c in frame.columns.astype(str) if _HOMOLOGY.fullmatch(c)]
    if len(columns) != 1:
        return None
    said = frame[columns[0]].str.lower()
    return (said.str.contains("one2one|one-to-one") | (said == "")).to_numpy(dtype=bool)


def aliases_rule(frame: pd.DataFrame) -> Rule:
    """Symbols of today stay; previous ones become today's; aliases do where they are clear and nothing else claims the gene."""
    symbol = _column(frame, CURRENT_COLUMNS, "current symbols")
    frame = frame[(frame[symbol] != "") & ~frame[symbol].str.endswith("~withdrawn")]
    symbols = frame[symbol].tolist()
    current = set(symbols)
    previous = _several(frame, PREVIOUS_COLUMNS, symbols)
    alias = _several(frame, ALIAS_COLUMNS, symbols)
    if not previous and not alias:
        raise InputError(
            f"the table has no column of previous symbols ({', '.join(PREVIOUS_COLUMNS)}) nor of aliases "
            f"({', '.join(ALIAS_COLUMNS)}) with anything in it. A plain table of old and new names goes with kind='ids'."
        )

    def rule(name: str) -> NewName:
        if name in current:
            return NewName(name)
        for those, word in ((previous, "previous symbol"), (alias, "alias")):
            found = those.get(name, [])
            if len(found) > 1:
                return NewName(reason=f"{word} of {len(found)} genes: {listed(found)}")
            if found:
                return NewName(found[0], word, weak=word == "alias")
        return NewName()

    return rule


def _column(frame: pd.DataFrame, names: tuple[str, ...], what: str) -> str:
    for name in names:
        if name in frame:
            return name
    raise InputError(
        f"the table has no column of {what} ({', '.join(names)}); there are: {', '.join(map(repr, frame))}. Rename the one "
        "that holds them."
    )


def _several(frame: pd.DataFrame, names: tuple[str, ...], symbols: list[str]) -> dict[str, list[str]]:
    """Old names, several in a cell, with the symbols that they lead to."""
    column = next((name for name in names if name in frame), None)
    if column is None:
        return {}
    cells = [re.split(r"[|,]\s*", text.strip('"')) for text in frame[column].tolist()]
    old = [name.strip() for cell in cells for name in cell]
    new = [symbol for symbol, cell in zip(symbols, cells, strict=True) for _ in cell]
    return {name: those for name, those in _pairs(old, new).items() if name != "-"}
