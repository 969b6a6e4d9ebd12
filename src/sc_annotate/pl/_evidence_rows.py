"""Which groups of stored evidence are drawn, and their names and genes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sc_annotate._core.arguments import boolean
from sc_annotate._core.order import natural, natural_key
from sc_annotate._store.reading import var_of
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

_MITO_RIBO = re.compile(
    r"mt[-.].+|rp(?:[ls]\d+(?:ax|al|[axyl]|y\d|l\d)?(?:-?ps?\d+)?|lp\d(?:-?ps?\d+)?|sa)", flags=re.IGNORECASE
)
_WITH_ID = re.compile(r"[-_.:|](?:ENS[A-Z]*G\d+)(?:\.\d+)?$", flags=re.IGNORECASE)


@dataclass(frozen=True)
class Rows:
    """Combinations of group and label to draw, and their genes; `ordered` if the caller chose the order."""

    pairs: list[tuple[str, str]]
    ordered: bool
    table: pd.DataFrame
    symbols: dict[str, str]
    n_left: int = 0
    """Mitochondrial and ribosomal genes that are not drawn."""
    unit: str = "log-odds"
    """Of the contributions."""
    how: tuple[str, ...] = ()
    """How they were computed, and what deleting the genes costs, for the title."""

    @property
    def note(self) -> list[str]:
        """What is left out, for the title."""
        s = "" if self.n_left == 1 else "s"
        return [f"without {self.n_left} mitochondrial or ribosomal gene{s}"] if self.n_left else []

    def name(self, pair: tuple[str, str]) -> str:
        """The type; with groups, the group and the type."""
        group, kind = pair
        return kind if group == kind else f"{group}: {kind}" if kind else group

    def genes(self, pair: tuple[str, str], direction: str, n: int) -> pd.DataFrame:
        """The first genes of a combination in one direction."""
        table = self.table
        rows = (table["group"] == pair[0]) & (table["type"] == pair[1]) & (table["direction"] == direction)
        return table[rows].nsmallest(n, "rank")

    def symbol(self, gene: str) -> str:
        return self.symbols.get(gene, gene)


def is_mito_ribo(gene: str) -> bool:
    """Whether a symbol, of human or mouse, is that of a mitochondrial gene or a ribosomal protein.

    Kinases of ribosomal proteins (RPS6KA1) are neither. An id of Ensembl may follow the symbol, as in ``RPS19_ENSG00000105372``.
    """
    return _MITO_RIBO.fullmatch(_WITH_ID.sub("", gene)) is not None


def symbols_of(adata: AnnData, gene_symbols: str | None) -> dict[str, str]:
    """Names of the genes to write, from a column of ``var``."""
    if gene_symbols is None:
        return {}
    if gene_symbols not in adata.var:
        raise InputError(
            f"adata.var has no column {gene_symbols!r} (gene_symbols); there are: "
            f"{', '.join(map(repr, adata.var)) or 'none'}."
        )
    column = var_of(adata)[gene_symbols]
    return {str(g): str(s) for g, s in column.dropna().items()}


def chosen_rows(
    stored: dict[str, Any], groups: str | Sequence[str] | None, symbols: dict[str, str], *, mito_ribo: bool
) -> Rows:
    """The requested groups or types, each once, in the requested order."""
    table = stored["table"]
    table = table.assign(**{c: table[c].astype(str).astype(object) for c in ("group", "type", "direction", "gene")})
    every = sorted(
        set(zip(table["group"].tolist(), table["type"].tolist(), strict=True)),
        key=lambda pair: [*map(natural_key, pair)],
    )
    if groups is None:
        if not every:
            raise InputError("no gene contributed to any label: nothing can be drawn.")
        return _without_mito_ribo(Rows(every, False, table, symbols, **_computed(stored)), mito_ribo)
    requested = [groups] if isinstance(groups, str) else [str(one) for one in groups]
    pairs: list[tuple[str, str]] = []
    for one in requested:
        fits = [pair for pair in every if one == pair[0]] or [pair for pair in every if one == pair[1]]
        if not fits:
            names = natural({name for pair in every for name in pair})
            raise InputError(
                f"there is no group or type {one!r} with evidence; there are: {', '.join(map(repr, names))}."
            )
        pairs += [pair for pair in fits if pair not in pairs]
    if not pairs:
        raise InputError("groups is empty; name at least one group or type, or leave it out for all.")
    return _without_mito_ribo(Rows(pairs, True, table, symbols, **_computed(stored)), mito_ribo)


def _computed(stored: dict[str, Any]) -> dict[str, Any]:
    """The unit and the words for the title; older results have none."""
    how = [str(stored["how"])] if "how" in stored else []
    found = stored.get("faithfulness")
    if isinstance(found, dict):
        before = float(found["before"])
        left = {name: before - float(found[name]) for name in ("drop", "random_drop", "highest_drop")}
        m = int(found["n_deleted"])
        how += [
            f"confidence {before:.2f}; the cell's first {m} genes deleted: {left['drop']:.2f}",
            f"{m} random genes deleted: {left['random_drop']:.2f}, its {m} highest: {left['highest_drop']:.2f}",
        ]
    return {"unit": str(stored.get("unit", "log-odds")), "how": tuple(how)}


def _without_mito_ribo(rows: Rows, mito_ribo: bool) -> Rows:
    if boolean(mito_ribo, "mito_ribo"):
        return rows
    table = rows.table
    drawn = table[[pair in set(rows.pairs) for pair in zip(table["group"], table["type"], strict=True)]]
    genes = set(drawn["gene"])
    left = {gene for gene in genes if is_mito_ribo(rows.symbol(gene)) or is_mito_ribo(gene)}
    if genes and left == genes:
        raise InputError(
            "all genes of the evidence are mitochondrial or ribosomal, which are not drawn by default. Pass mito_ribo=True to "
            "draw them, or run sca.tl.evidence with more genes (n_genes)."
        )
    return replace(rows, table=table[~table["gene"].isin(left).to_numpy()], n_left=len(left))
