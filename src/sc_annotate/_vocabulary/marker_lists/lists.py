"""Read lists of marker genes: a dict, a table, a file, or a packaged list."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sc_annotate._core.codec import check_texts
from sc_annotate._vocabulary.marker_lists.marker_tables import from_table, read_dict, read_table
from sc_annotate._vocabulary.marker_lists.packaged import LISTS, packaged
from sc_annotate.errors import GeneError, InputError, LabelError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


MAX_WEIGHT: Final = 1e6
"""Sums of squares of larger weights lose the smaller ones, or overflow."""


@dataclass(frozen=True)
class MarkerLists:
    """Genes that speak for (weight above 0) or against a type; one entry a type and gene.

    ``type_of`` gives the place of each gene's type in ``types``; ``term_ids`` is "" where a list names no term.
    """

    types: NDArray[np.str_]
    term_ids: NDArray[np.str_]
    type_of: NDArray[np.intp]
    genes: NDArray[np.str_]
    weights: NDArray[np.float64]
    n_rows: NDArray[np.int64]
    source: str
    notes: list[str]

    def by_rows(self) -> MarkerLists:
        """The same lists, with weights that grow with the number of rows that name a gene, not with its logarithm."""
        return replace(self, weights=self.weights / np.log2(1 + self.n_rows) * self.n_rows)


def read_markers(markers: Any, *, min_support: int = 1, columns: Mapping[str, str | None] | None = None) -> MarkerLists:
    """Marker lists of whatever a user gave.

    Rows of a table that repeat a type and gene (several sources that agree) are its support: fewer than `min_support`
    rows leave the gene out, and the weight grows with log2(1 + rows). `columns` names columns of a table by their role:
    type, gene, weight, sign, id.
    """
    import pandas as pd

    notes: list[str] = []
    if isinstance(markers, Mapping):
        table, source = _from_mapping(markers), "a dict"
    elif isinstance(markers, pd.DataFrame):
        table, source = from_table(markers, columns or {}, what="the table of markers", notes=notes), "a table"
    elif isinstance(markers, str) and packaged(markers) is not None:
        table, source = pd.DataFrame(packaged(markers)), f"the packaged list {markers!r}"
    elif isinstance(markers, str | os.PathLike):
        path = Path(markers)
        if not os.path.isfile(path):  # pathlib's raises where a name is too long
            near = difflib.get_close_matches(str(markers), LISTS, n=1, cutoff=0.6)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise InputError(
                f"markers={str(markers)!r} is neither a packaged list ({', '.join(map(repr, LISTS))}) nor a file. {hint}"
                "Pass the path of a CSV file with a column of types and one of genes, or of a GMT or JSON file."
            )
        lists, what = read_dict(path), f"the file {path.name!r}"
        if lists is not None and (named := [f"{role}_column" for role, name in (columns or {}).items() if name]):
            raise InputError(
                f"{', '.join(named)}: names a column of a table of markers, and {what} is no table. Leave it out."
            )
        table = (
            _from_mapping(lists)
            if lists is not None
            else from_table(read_table(path), columns or {}, what=what, notes=notes)
        )
        source = f"the file {path.name!r}"
    else:
        raise InputError(
            "markers must be a dict of genes by type, a DataFrame, the path of a CSV, GMT or JSON file or the name of a packaged "
            f"list ({', '.join(map(repr, LISTS))}), not {type(markers).__name__}."
        )
    return _lists(table, source, min_support, notes)


def _from_mapping(markers: Mapping[Any, Any]) -> pd.DataFrame:
    """One row a type and gene; "-CD8A" or a negative weight speaks against a type."""
    import pandas as pd

    rows: list[tuple[str, str, float, str]] = []
    for name, genes in markers.items():
        if not isinstance(name, str) or not name.strip():
            raise LabelError(f"the types of markers must be names, not {name!r}.")
        if isinstance(genes, str) or not hasattr(genes, "__iter__"):
            raise InputError(
                f"the markers of {name!r} must be a list of genes, or a dict of weights, not {genes!r}. Write [{genes!r}]."
            )
        weighted = isinstance(genes, Mapping)
        for gene, weight in genes.items() if weighted else ((gene, 1.0) for gene in genes):
            if not isinstance(gene, str) or not gene.strip().lstrip("-"):
                raise InputError(f"the markers of {name!r} hold {gene!r}, which is no name of a gene.")
            if isinstance(weight, bool) or not isinstance(weight, int | float | np.number) or not np.isfinite(weight):
                raise InputError(f"the weight of {gene!r} for {name!r} must be a finite number, not {weight!r}.")
            text = gene.strip()
            rows.append((name, text.removeprefix("-"), -float(weight) if text.startswith("-") else float(weight), ""))
    # Strings of pandas 3 cannot hold half of a character either.
    check_texts((row[0] for row in rows), "a dict", LabelError)
    check_texts((row[1] for row in rows), "a dict", GeneError)
    table = pd.DataFrame(rows, columns=["type", "gene", "weight", "term_id"])
    # A dict is written by hand: a gene that is there twice is no second source.
    return table.drop_duplicates()


def _lists(table: pd.DataFrame, source: str, min_support: int, notes: list[str]) -> MarkerLists:
    """Joins the rows of each type and gene."""
    if not len(table):
        raise InputError(f"{source} holds no markers: give at least two types with genes.")
    check_texts(table["type"].tolist(), source, LabelError)
    check_texts(table["gene"].tolist(), source, GeneError)
    table = table[table["weight"] != 0]
    if not len(table):
        raise InputError(f"all weights of {source} are 0: give those of markers that speak for or against a type.")
    if (wide := table["weight"].abs().max()) > MAX_WEIGHT:
        raise InputError(
            f"a weight of {source} is {wide:g}; sizes of at most {MAX_WEIGHT:g} are taken. Divide them all."
        )
    rows = table.assign(towards=table["weight"] > 0, size=table["weight"].abs())
    votes = rows.groupby(["type", "gene", "towards"], sort=True)["size"].agg(["size", "mean"]).reset_index()
    votes = votes.sort_values(["type", "gene", "size"], kind="stable")
    most = votes.groupby(["type", "gene"])["size"].transform("max")
    best = votes[votes["size"] == most]
    torn = best.duplicated(["type", "gene"], keep=False)
    if torn.any():
        some = best.loc[torn, "gene"].drop_duplicates()
        notes.append(
            f"{int(torn.sum()) // 2} markers are named for and against the same type equally often, and were left out, "
            f"such as {', '.join(some.iloc[:3])}"
        )
    best = best[~torn & (best["size"] >= min_support)]
    if not len(best):
        raise InputError(f"no marker of {source} is named in min_support={min_support} rows. Ask for fewer.")
    types = np.unique(best["type"].to_numpy(dtype=str))
    sign = np.where(best["towards"].to_numpy(dtype=bool), 1.0, -1.0)
    return MarkerLists(
        types=types,
        term_ids=_term_ids(table, types, notes),
        type_of=np.searchsorted(types, best["type"].to_numpy(dtype=str)).astype(np.intp),
        genes=best["gene"].to_numpy(dtype=str),
        weights=sign * best["mean"].to_numpy(dtype=float) * np.log2(1 + best["size"].to_numpy(dtype=float)),
        n_rows=best["size"].to_numpy(dtype=np.int64),
        source=source,
        notes=notes,
    )


def _term_ids(table: pd.DataFrame, types: NDArray[np.str_], notes: list[str]) -> NDArray[np.str_]:
    """The ontology id of each type; a wrong one is worse than none, so that two of them make none."""
    ids = table.loc[table["term_id"] != "", ["type", "term_id"]].drop_duplicates()
    several = ids.loc[ids.duplicated("type", keep=False), "type"].unique()
    if len(several):
        notes.append(f"types with more than one ontology id, which got none: {', '.join(map(str, several[:5]))}")
    one = ids[~ids["type"].isin(several)].set_index("type")["term_id"]
    return np.array([str(one.get(name, "")) for name in types.tolist()], dtype=str)
