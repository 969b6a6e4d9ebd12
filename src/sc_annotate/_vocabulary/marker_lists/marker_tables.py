"""Tables of marker genes as people publish them: which column is what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sc_annotate._core import text_tables
from sc_annotate._core.files import one_line
from sc_annotate._core.text_sets import read_sets
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

CANDIDATES: Final = {
    "type": ("type", "cell_type", "celltype", "cl_celltype", "cell_name", "cellname", "label", "source", "group"),
    "gene": ("gene", "marker", "gene_symbol", "symbol", "official_gene_symbol", "target", "gene_name", "names"),
    "weight": ("weight", "specificity"),
    "sign": ("marker_type", "sign", "direction"),
    "id": (
        "cl_id",
        "term_id",
        "cell_ontology_term_id",
        "cell_type_ontology_term_id",
        "ontology_term_id",
        "cell_ontology_id",
        "ontology_id",
        "cellontology_id",
    ),
}
"""Names that a column may have for each role, the first that is there; written in any case, with spaces or "_"."""

_SIGNS: Final = dict.fromkeys(("positive", "pos", "+", "up", "1", "1.0"), 1.0) | dict.fromkeys(
    ("negative", "neg", "-", "down", "-1", "-1.0"), -1.0
)


def read_dict(path: Path) -> dict[str, Any] | None:
    """Genes of each type of a GMT or JSON file (``.gmt``, ``.json``), plain or compressed; None for a file of another name."""
    endings = {s.lower() for s in path.suffixes}
    if ".gmt" in endings:
        return dict(read_sets(path))
    if ".json" not in endings:
        return None
    what = "a JSON file of markers"
    try:
        found = json.loads(text_tables.read_text(path, what=what))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{str(path)!r} cannot be read as {what} ({one_line(error)}). Get or save it again."
        ) from error
    if not isinstance(found, dict):
        raise InputError(
            f'{str(path)!r} must hold the genes of each type, as {{"B cell": ["CD79A", "MS4A1"], ...}}, not a '
            f"{type(found).__name__}."
        )
    return found


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file, or one with tabs (``.tsv``, ``.txt``), plain or compressed."""
    endings = [s.lower() for s in path.suffixes]
    separator = "\t" if {".tsv", ".txt"} & set(endings) else ","
    return text_tables.read_table(
        path, what="a table of markers, CSV or with tabs and a name in .tsv", separator=separator
    )


def from_table(table: pd.DataFrame, columns: Mapping[str, str | None], *, what: str, notes: list[str]) -> pd.DataFrame:
    """Columns ``type``, ``gene``, ``weight`` (signed) and ``term_id``, one row a statement."""
    import pandas as pd

    if twice := sorted({str(c) for c in table.columns[table.columns.duplicated()]}):
        raise InputError(f"{what} has several columns named {', '.join(map(repr, twice))}. Rename all but one.")
    place = {role: _column(table, role, columns.get(role), what) for role in CANDIDATES}
    for role in ("type", "gene"):
        if place[role] is None:
            raise InputError(
                f"{what} has no column of {role}s ({', '.join(CANDIDATES[role][:4])}, ...); it has: "
                f"{_some(table)}. Name it with {role}_column='...'."
            )
    # What is alike in every column is one statement.
    table = table.loc[~table.astype(str).duplicated()]
    out = pd.DataFrame({role: _texts(table[place[role]]) for role in ("type", "gene")})
    weight = np.ones(len(out))
    if place["weight"] is not None:
        weight = pd.to_numeric(table[place["weight"]], errors="coerce").to_numpy(dtype=float)
        if not np.isfinite(weight).all():
            raise InputError(
                f"the column {place['weight']!r} of {what} holds no finite number in {int((~np.isfinite(weight)).sum())} rows. "
                "Correct them, or leave the column out."
            )
    if place["sign"] is not None:
        words = _texts(table[place["sign"]]).str.lower()
        signs = words.map(_SIGNS)
        if signs.isna().any():
            raise InputError(
                f"the column {place['sign']!r} of {what} should say positive or negative, not "
                f"{', '.join(map(repr, words[signs.isna()].unique()[:3]))}. Correct it, or rename the column."
            )
        weight = weight * signs.to_numpy(dtype=float)
    out["weight"] = weight
    out["term_id"] = "" if place["id"] is None else _texts(table[place["id"]])
    # "-CD8A" speaks against a type, here as in a dict.
    against = out["gene"].str.startswith("-").to_numpy(dtype=bool)
    out.loc[against, "weight"] *= -1
    out.loc[against, "gene"] = out.loc[against, "gene"].str[1:]
    named = ((out["type"] != "") & (out["gene"] != "")).to_numpy(dtype=bool)
    if not named.all():
        notes.append(f"{int((~named).sum())} rows of {what} lack a type or a gene, and were left out")
    return out[named].reset_index(drop=True)


def _texts(column: Any) -> pd.Series:
    """A column as plain strings; what is missing is ""."""
    import pandas as pd

    values = [("" if missing else str(v).strip()) for v, missing in zip(column, column.isna(), strict=True)]
    return pd.Series(values, dtype=object)


def _some(table: pd.DataFrame, most: int = 12, longest: int = 40) -> str:
    """Names of columns, for errors: a file of another format is one column with a name of thousands of characters."""
    names = [repr(n if len(n) <= longest else f"{n[:longest]}...") for n in map(str, table.columns[:most])]
    return ", ".join([*names, *(["..."] if table.shape[1] > most else [])]) or "none"


def _column(table: pd.DataFrame, role: str, named: str | None, what: str) -> Any:
    """The column for a role: the one that was named, else the first candidate that is there."""
    if named is not None:
        if named not in table.columns:
            raise InputError(f"{what} has no column {named!r} ({role}_column); it has: {_some(table)}.")
        return named
    spelled = {str(c).strip().lower().replace(" ", "_"): c for c in reversed(list(table.columns))}
    return next((spelled[name] for name in CANDIDATES[role] if name in spelled), None)
