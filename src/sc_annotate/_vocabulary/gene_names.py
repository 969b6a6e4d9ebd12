"""Look at gene names: symbols or Ensembl ids, of which species, unique or not, and where other names are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from sc_annotate._core.codec import check_texts
from sc_annotate.errors import GeneError, InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

IdType = Literal["symbol", "ensembl", "ensembl_versioned", "mixed"]

# Columns where readers and archives keep the other name of a gene.
SYMBOL_COLUMNS = (
    "gene_symbols",
    "gene_symbol",
    "feature_name",
    "gene_name",
    "gene_names",
    "symbol",
    "Symbol",
    "symbols",
)
ID_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensembl_ids", "ensembl", "feature_id", "ensembl_gene_id")

_ENSEMBL = re.compile(r"ENS([A-Z]*)G\d{11}(\.\d+)?")
_JOINED = re.compile(r"(.+?)[_|](ENS[A-Z]*G\d{11}(?:\.\d+)?)")
_JOINED_BEFORE = re.compile(r"(ENS[A-Z]*G\d{11}(?:\.\d+)?)[_|](.+)")
_SPECIES = {
    "": "human",
    "MUS": "mouse",
    "RNO": "rat",
    "DAR": "zebrafish",
    "MMU": "macaque",
    "SSC": "pig",
    "GAL": "chicken",
}
# Symbols that only one of the two species has, in whatever case they are written.
_MOUSE_ONLY = re.compile(
    r"(\d{7}|[A-Z]\d{6})[A-Z]\d{2}RIK\d?|GM\d{3,5}|H2-[A-Z]{1,3}\d*|OLFR\d+|VMN[12]R\d+|(A[AIUW]|B[BC])\d{6}|"
    r"RP2[34]-\d+[A-Z]\d+\.\d+|ZFP\d{3}|TRP(53|63|73)\w*|LYZ[12]|LY6C[12]|KLRA\d+|KLRB1[A-F]|MS4A[46][BCD]|HB[AB]-[AB]\w*|"
    r"RP[LS]\d+[AXL]?-PS\d*"
)
_HUMAN_ONLY = re.compile(
    r"HLA-\w+|LINC\d+|RP(1?\d|2[0-2])-\w+\.\d+|CT[ABCD]-\w+\.\d+|C(\d+|X)ORF\d+|ZNF\d+|KIR[23]D[LS]\d\w?"
)
BOTH = "human and mouse"
"""The species of an object that holds genes of two."""
_PART = 0.1


@dataclass(frozen=True)
class GeneReport:
    """How the genes of an object are called."""

    id_type: IdType
    species: str
    n_genes: int
    n_duplicated: int
    duplicated: list[str]
    other_column: str | None
    examples: list[str]


def look(names: NDArray[np.str_], var: pd.DataFrame | None = None, gene_symbols: str | None = None) -> GeneReport:
    """Report on gene names; `gene_symbols` is the column of `var` that the user named."""
    spread = _some(names)
    matches = [_ENSEMBL.fullmatch(name) for name in spread]
    found = [m for m in matches if m]
    share = len(found) / max(1, len(spread))
    id_type: IdType = "symbol"
    if share >= 0.9:
        id_type = "ensembl_versioned" if any(m.group(2) for m in found) else "ensembl"
    elif share >= 0.1:
        id_type = "mixed"
    unique, counts = np.unique(names, return_counts=True)
    duplicated = unique[counts > 1]
    columns = [] if var is None else [c for _, c in _alternatives(var, gene_symbols)]
    return GeneReport(
        id_type=id_type,
        species=_species([m.group(1) for m in found], [n for n, m in zip(spread, matches, strict=True) if not m]),
        n_genes=len(names),
        n_duplicated=len(duplicated),
        duplicated=duplicated[:5].tolist(),
        other_column=columns[0] if columns else None,
        examples=names[:5].tolist(),
    )


def _some(names: NDArray[np.str_], most: int = 2000) -> NDArray[np.str_]:
    """Names from everywhere in the list; not every n-th, as tables that were joined may have every n-th of one kind."""
    return names if len(names) <= most else names[np.linspace(0, len(names) - 1, most).astype(np.intp)]


def is_ensembl(name: str) -> bool:
    """Whether a name is an Ensembl id of a gene, with or without a version."""
    return _ENSEMBL.fullmatch(name) is not None


def species_of(names: NDArray[np.str_]) -> str:
    """The species of genes by their names alone: ``human and mouse`` where both are there, else ``unknown`` if not clear."""
    spread = _some(names).tolist()
    matches = [_ENSEMBL.fullmatch(name) for name in spread]
    return _species([m[1] for m in matches if m], [name for name, m in zip(spread, matches, strict=True) if not m])


def _species(prefixes: list[str], symbols: list[str]) -> str:
    if prefixes:
        values, counts = np.unique(prefixes, return_counts=True)
        if min(prefixes.count(""), prefixes.count("MUS")) >= _PART * len(prefixes):
            return BOTH
        return _SPECIES.get(str(values[counts.argmax()]), "unknown")
    letters = [s for s in symbols if s[:1].isalpha() and len(s) > 2]
    if not letters:
        return "unknown"
    # Human symbols are written CD4, those of mouse and rat Cd4.
    upper = np.mean([s.upper() == s for s in letters])
    title = np.mean([s[0].isupper() and s[1:] == s[1:].lower() and any(c.isalpha() for c in s[1:]) for s in letters])
    if upper > 0.7:
        # Symbols of mouse in capitals are given away by those that human has not.
        mouse = sum(_MOUSE_ONLY.fullmatch(s) is not None for s in symbols)
        human = sum(_HUMAN_ONLY.fullmatch(s.upper()) is not None for s in symbols) if mouse > 1 else 0
        return "mouse" if mouse > max(1, human) else "human"
    if min(upper, title) >= _PART and upper + title > 0.9 and len(letters) >= 20:
        return BOTH
    return "mouse" if title > 0.7 else "unknown"


def _alternatives(var: pd.DataFrame, gene_symbols: str | None) -> list[tuple[NDArray[np.str_], str]]:
    """Other names of the genes, from the named column or from the customary ones."""
    columns = [gene_symbols] if gene_symbols is not None else [*SYMBOL_COLUMNS, *ID_COLUMNS]
    return [(texts(var[c]), c) for c in columns if c in var.columns]


def texts(column: pd.Series | pd.Index) -> NDArray[np.str_]:
    """A column or an index as strings; genes without a name there get "", which no gene of another object matches."""
    values = np.asarray(column, dtype=object)
    return np.where(np.asarray(column.isna(), dtype=bool), "", values.astype(str))


def named(
    names: NDArray[np.str_], var: pd.DataFrame | None, gene_symbols: str | None, *, what: str
) -> dict[str, NDArray[np.str_]]:
    """Every list of names that an object has for its genes: its index first, then columns of ``var``."""
    if gene_symbols is not None and (var is None or gene_symbols not in var.columns):
        have = ", ".join(map(repr, [] if var is None else var.columns)) or "none"
        raise InputError(f"{what}.var has no column {gene_symbols!r} (gene_symbols); there are: {have}.")
    lists = {"var_names": names}
    if var is not None and gene_symbols is not None:
        check_texts(var[gene_symbols].tolist(), f"{what}.var[{gene_symbols!r}] (gene_symbols)", GeneError)
    if var is not None:
        lists |= {f"var[{column!r}]": values for values, column in _alternatives(var, gene_symbols)}
    return lists


def parts(name: str) -> tuple[str, str]:
    """Symbol and Ensembl id of a name that joins both, ``CD79A_ENSG00000105369``, in either order; empty for others."""
    if found := _JOINED.fullmatch(name):
        return found[1], found[2]
    if found := _JOINED_BEFORE.fullmatch(name):
        # The copy of a gene on the Y chromosome, as GENCODE marks it, is no symbol.
        return ("" if found[2] == "PAR_Y" else found[2]), found[1]
    return "", ""


def n_joined(names: NDArray[np.str_]) -> int:
    """How many names join a symbol with an id."""
    return sum(bool(parts(name)[0]) for name in names.tolist())


def strip_version(names: NDArray[np.str_]) -> NDArray[np.str_]:
    """Ensembl ids without their version number; other names stay as they are."""
    return np.array([n.partition(".")[0] if _ENSEMBL.fullmatch(n) else n for n in names], dtype=str)
