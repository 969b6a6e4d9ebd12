"""Tables of gene names, from a file, a DataFrame or a dict: read them, and find the columns that are meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core import text_tables
from sc_annotate._core.codec import check_texts
from sc_annotate._vocabulary.gene_ids.mapping import listed
from sc_annotate._vocabulary.gene_names import look, strip_version
from sc_annotate.errors import GeneError, InputError

if TYPE_CHECKING:
    import os

    import pandas as pd
    from numpy.typing import NDArray

    Table = pd.DataFrame | Mapping[str, str] | str | os.PathLike[str]

Kind = Literal["ids", "aliases", "orthologs"]
ALSO = 0.1
"""A column that shares this part of the names that the best one shares could be meant as well; mouse and human have some ten
symbols in common."""

_SYMBOLS = re.compile(r"(.*\b|.*_)?((gene|feature)[ _.]?)?(names?|symbols?)", re.IGNORECASE)
_IDS = re.compile(r"(.*\b|.*_)?(stable[ _.]?id|ensembl([ _.]?gene)?([ _.]?ids?)?|gene[ _.]?ids?)", re.IGNORECASE)
_NOT_GENES = re.compile(r"version|transcript|protein|peptide|chromosome|description|type", re.IGNORECASE)


def read_table(table: Any, names: NDArray[np.str_]) -> pd.DataFrame:
    """A table as text, its blanks empty; a file whose first line holds genes of `names` has no header."""
    import pandas as pd

    if isinstance(table, Mapping):
        if not all(isinstance(v, str) and isinstance(k, str) for k, v in table.items()):
            raise InputError("a table that is a dict must map names to names, both strings.")
        frame = pd.DataFrame({"from": list(table), "to": list(table.values())}, dtype=object)
    elif isinstance(table, pd.DataFrame):
        # An index of names is a column like the others; row numbers are none.
        frame = table if table.index.dtype.kind in "iu" else table.reset_index()
        frame = frame.astype(object).where(frame.notna(), "").astype(str)
    elif isinstance(table, str) or hasattr(table, "__fspath__"):
        have = set(names.tolist())
        frame = text_tables.read_table(
            table, what="a table of genes, CSV or TSV", is_header=lambda fields: not have.intersection(fields)
        )
    else:
        raise InputError(f"table must be a DataFrame, a dict, or the path of a CSV or TSV, not {type(table).__name__}.")
    if frame.empty or frame.shape[1] < 2:
        raise InputError(
            f"the table of genes has {frame.shape[0]} rows and {frame.shape[1]} columns ({', '.join(map(str, frame))}); at "
            "least two columns are needed, old names and new ones."
        )
    for column in frame:
        check_texts([column, *frame[column].tolist()], "the table of genes", GeneError)
    frame = frame.apply(lambda column: column.str.strip())
    return frame.set_axis([str(c).strip() for c in frame], axis=1)


def check_columns(frame: pd.DataFrame, **named: str | None) -> None:
    """Refuse columns that the table does not have."""
    for argument, column in named.items():
        if column is not None and column not in frame.columns:
            raise InputError(
                f"the table has no column {column!r} ({argument}); there are: {', '.join(map(repr, frame))}."
            )
    if len(set(frame.columns)) < frame.shape[1]:
        raise InputError(f"columns of the table have the same name: {', '.join(map(str, frame))}. Rename them.")


def pair_of_columns(
    frame: pd.DataFrame, names: NDArray[np.str_], kind: Kind, from_column: str | None, to_column: str | None
) -> tuple[str, str]:
    """The column with the object's names, and the column with the names that they are to get."""
    check_columns(frame, from_column=from_column, to_column=to_column)
    columns = frame.columns.astype(str).tolist()
    if {"from", "to"} <= set(columns):
        from_column, to_column = from_column or "from", to_column or "to"
    if from_column is None:
        from_column = _old_names(frame, names, [c for c in columns if c != to_column])
    if to_column is None:
        rest = [c for c in columns if c != from_column]
        if len(rest) > 1:
            ensembl = look(frame[from_column].to_numpy(dtype=str)).id_type.startswith("ensembl")
            wanted = _SYMBOLS if ensembl == (kind == "ids") else _IDS
            rest = [c for c in rest if wanted.fullmatch(c) and not _NOT_GENES.search(c)]
        if len(rest) != 1:
            raise InputError(
                f"the names of adata are in the column {from_column!r} of the table; say with to_column= which one has the "
                f"new names. There are: {', '.join(map(repr, frame))}."
            )
        to_column = rest[0]
    if from_column == to_column:
        raise InputError(f"from_column and to_column are both {to_column!r}; name two columns.")
    return from_column, to_column


def _old_names(frame: pd.DataFrame, names: NDArray[np.str_], columns: list[str]) -> str:
    """The column with the object's names; where two could be it, a wrong guess would turn the table round."""
    have = set(strip_version(names).tolist())
    bare = {c: strip_version(frame[c].to_numpy(dtype=str)) for c in columns}
    shared = {c: len(have.intersection(values.tolist())) for c, values in bare.items()}
    best = max(columns, key=lambda c: shared[c])
    if not shared[best]:
        raise GeneError(
            f"no column of the table ({', '.join(map(repr, columns))}) holds any gene of adata ({listed(names.tolist())}). Is it "
            "a table of another species, or of other ids?"
        )
    also = [c for c in columns if shared[c] >= ALSO * shared[best] and not np.array_equal(bare[c], bare[best])]
    if also:
        raise InputError(
            f"names of adata are in several columns of the table: {best!r} has {shared[best]:,}, "
            f"{', '.join(f'{c!r} {shared[c]:,}' for c in also)}. Say with from_column= which one has the old names."
        )
    return best
