"""Where the new names of genes come from: a table, a column of ``var``, or the old names themselves."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from sc_annotate._core.arguments import Request, boolean, default, one_of
from sc_annotate._core.codec import check_texts
from sc_annotate._vocabulary.gene_ids import gene_tables
from sc_annotate._vocabulary.gene_ids import rules as gene_rules
from sc_annotate._vocabulary.gene_ids.affixes import undecorated
from sc_annotate._vocabulary.gene_ids.gene_tables import Kind
from sc_annotate._vocabulary.gene_ids.mapping import Merge, NewName
from sc_annotate._vocabulary.gene_names import SYMBOL_COLUMNS, look, n_joined, texts
from sc_annotate.errors import GeneError, InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._vocabulary.gene_ids.rules import Rule


@dataclass(frozen=True, kw_only=True)
class GeneMapRequest(Request):
    """Which names genes get, and what becomes of those without one."""

    kind: Kind = default("ids")
    column: str | None = default(None)
    from_column: str | None = default(None)
    to_column: str | None = default(None)
    one_to_one: bool = default(True)
    merge: Merge = default("sum")
    drop_unknown: bool = default(False)

    def check(self) -> None:
        one_of(self.kind, "kind", get_args(Kind))
        one_of(self.merge, "merge", get_args(Merge))
        boolean(self.one_to_one, "one_to_one")
        boolean(self.drop_unknown, "drop_unknown")
        for name in ("column", "from_column", "to_column"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise InputError(f"{name} must be the name of a column, not {value!r}.")
        if self.kind != "ids":
            self.refuse(
                "column",
                why=f"it names the column of adata.var with the new names, for kind='ids', not {self.kind!r}. Leave it out.",
            )
        if self.kind == "aliases":
            self.refuse(
                "from_column", "to_column", why="columns of a table of kind 'ids' or 'orthologs'; leave them out."
            )
        if self.kind != "orthologs":
            self.refuse("one_to_one", why="it is for kind='orthologs'; leave it out.")
        elif not self.drop_unknown:
            self.refuse(
                "drop_unknown",
                why="genes without an ortholog are always left out, or they could be taken for genes of the other species. Leave it out.",
            )

    def check_table(self, table: Any) -> None:
        """Refuse arguments that a table, or its absence, leaves without a meaning."""
        if table is None:
            if self.kind != "ids":
                what = "HGNC's complete set"
                if self.kind == "orthologs":
                    what = "a table of both species' genes, such as BioMart exports"
                raise InputError(
                    f"kind={self.kind!r} needs a table: {what}, as a DataFrame or the path of a CSV or TSV."
                )
            self.refuse("from_column", "to_column", why="columns of a table, and there is none; leave them out.")
        else:
            self.refuse(
                "column", why="it names the column of adata.var with the new names, in place of a table; choose one."
            )


@dataclass(frozen=True)
class NewNames:
    """Where new names come from: a rule for each name, and in words; or a column, by place."""

    rule: Rule
    how: str
    absent: str
    column: str | None = None
    size: int = 0

    def of(self, names: NDArray[np.str_], var: pd.DataFrame, *, drop: bool) -> list[NewName]:
        """One for each gene: by its place where there is a column, since a name that occurs twice may have two new ones.

        A name that has something around it gets what the rule says of it, else of what is inside; where the rule says
        nothing of either, that itself, unless unknown genes are dropped.
        """
        if self.column is not None and self.column in var:
            return [NewName(new) for new in _bare(texts(var[self.column])).tolist()]
        bare = undecorated(names)
        if bare is None:
            return [self.rule(name) for name in names.tolist()]
        affixes = [f"without {affix}" for affix in bare.affixes]
        return [
            self.rule(name) if of < 0 else self._inside(name, core, affixes[of], drop=drop)
            for name, core, of in zip(names.tolist(), bare.names.tolist(), bare.of.tolist(), strict=True)
        ]

    def _inside(self, name: str, core: str, without: str, *, drop: bool) -> NewName:
        new = self.rule(name) if self.size else NewName()
        if new.to or new.reason:
            return new
        found = self.rule(core)
        if found.to:
            return replace(found, reason="; ".join(filter(None, [without, found.reason])))
        return found if found.reason or drop else NewName(core, f"{without}; {self.absent}")


def _bare(names: NDArray[np.str_]) -> NDArray[np.str_]:
    found = undecorated(names)
    return names if found is None else found.names


def new_names(adata: AnnData, names: NDArray[np.str_], table: Any, request: GeneMapRequest) -> NewNames:
    """New names by a table, by a column of ``var``, or out of the old ones."""
    request.check_table(table)
    if table is None:
        column = _column(adata.var, names, request.column)
        if column is None:
            bare = undecorated(names)
            joined = bare is None or n_joined(bare.names)
            done = ["splitting symbols and Ensembl ids"] if joined else []
            done += [] if bare is None else [f"removing {bare}"]
            return NewNames(gene_rules.symbol_of_parts, " and ".join(done), "nothing to remove")
        check_texts(adata.var[column].tolist(), f"adata.var[{column!r}]", GeneError)
        # The rule is for genes of raw, which need not have the column.
        rule = gene_rules.ids_rule(names.tolist(), texts(adata.var[column]).tolist())
        return NewNames(rule, f"var[{column!r}]", "no name there", column, len(names))
    if isinstance(table, str) and table in adata.var and not os.path.isfile(table):
        raise InputError(f"{table!r} is a column of adata.var, not a table: write column={table!r}.")
    names = _bare(names)
    frame = gene_tables.read_table(table, names)
    of = f" of {Path(table).name}" if isinstance(table, str) or hasattr(table, "__fspath__") else ""
    absent = "not in the table"
    if request.kind == "aliases":
        gene_tables.check_columns(frame)
        how, rule = f"previous symbols and aliases{of}", gene_rules.aliases_rule(frame)
    else:
        old, new = gene_tables.pair_of_columns(frame, names, request.kind, request.from_column, request.to_column)
        columns = frame[old].tolist(), frame[new].tolist()
        how = f"{old!r} to {new!r}{of}"
        if request.kind == "ids":
            rule = gene_rules.ids_rule(*columns)
        else:
            rule = gene_rules.orthologs_rule(*columns, gene_rules.is_one2one(frame), only=request.one_to_one)
            how = f"{'one-to-one ' if request.one_to_one else ''}orthologs, {how}"
            absent = "no ortholog in the table"
    return NewNames(gene_rules.with_parts(rule), how, absent, size=len(frame))


def _column(var: pd.DataFrame, names: NDArray[np.str_], column: str | None) -> str | None:
    """The column of ``var`` with the new names; by default a customary one of symbols, or None where names hold them."""
    have = ", ".join(map(repr, var)) or "none"
    if column is None:
        customary = next((name for name in SYMBOL_COLUMNS if name in var), None)
        bare = _bare(names)
        if customary is not None and look(bare).id_type.startswith("ensembl"):
            return customary
        if n_joined(bare) or (bare != names).any():
            return None
        raise InputError(
            "map_genes needs new names: pass a table (DataFrame, dict, or path of a CSV or TSV), or name with column= the "
            f"column of adata.var that has them. There are: {have}."
        )
    if column not in var:
        raise InputError(f"adata.var has no column {column!r} (column); there are: {have}.")
    if getattr(var[column], "ndim", 1) != 1:
        raise InputError(f"adata.var has several columns named {column!r} (column). Rename all but one.")
    return column
