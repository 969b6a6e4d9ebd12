"""Look at gene names, and find the genes that two objects have in common."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate.errors import GeneError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

IdType = Literal["symbol", "ensembl", "ensembl_versioned", "mixed"]

MIN_SHARED_GENES = 50
MIN_SHARED_FRACTION = 0.1
"""Below either, the call is an error: with 9 genes in common other tools still name every cell."""

# Columns where readers and archives keep the other name of a gene.
SYMBOL_COLUMNS = ("gene_symbols", "gene_symbol", "feature_name", "gene_name", "gene_names", "symbol", "Symbol", "symbols")
ID_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensembl_ids", "ensembl", "feature_id", "ensembl_gene_id")

_ENSEMBL = re.compile(r"ENS([A-Z]*)G\d{11}(\.\d+)?")
_SPECIES = {"": "human", "MUS": "mouse", "RNO": "rat", "DAR": "zebrafish", "MMU": "macaque", "SSC": "pig", "GAL": "chicken"}


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

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def look(names: NDArray[np.str_], var: pd.DataFrame | None = None, gene_symbols: str | None = None) -> GeneReport:
    """Report on gene names; `gene_symbols` is the column of `var` that the user named."""
    spread = names[:: max(1, len(names) // 2000)]
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


def _species(prefixes: list[str], symbols: list[str]) -> str:
    if prefixes:
        values, counts = np.unique(prefixes, return_counts=True)
        return _SPECIES.get(str(values[counts.argmax()]), "unknown")
    letters = [s for s in symbols if s[:1].isalpha() and len(s) > 2]
    if not letters:
        return "unknown"
    # Human symbols are written CD4, those of mouse and rat Cd4.
    upper = np.mean([s.upper() == s for s in letters])
    title = np.mean([s[0].isupper() and s[1:] == s[1:].lower() and any(c.isalpha() for c in s[1:]) for s in letters])
    return "human" if upper > 0.7 else "mouse" if title > 0.7 else "unknown"


def _alternatives(var: pd.DataFrame, gene_symbols: str | None) -> list[tuple[NDArray[np.str_], str]]:
    """Other names of the genes, from the named column or from the customary ones."""
    columns = [gene_symbols] if gene_symbols is not None else [*SYMBOL_COLUMNS, *ID_COLUMNS]
    return [(np.asarray(var[c].astype(str), dtype=str), c) for c in columns if c in var.columns]


def named(
    names: NDArray[np.str_], var: pd.DataFrame | None, gene_symbols: str | None, *, what: str
) -> dict[str, NDArray[np.str_]]:
    """Every list of names that an object has for its genes: its index first, then columns of ``var``."""
    if gene_symbols is not None and (var is None or gene_symbols not in var.columns):
        have = ", ".join(map(repr, [] if var is None else var.columns)) or "none"
        raise InputError(f"{what}.var has no column {gene_symbols!r} (gene_symbols); there are: {have}.")
    lists = {"var_names": names}
    if var is not None:
        lists |= {f"var[{column!r}]": values for values, column in _alternatives(var, gene_symbols)}
    return lists


def strip_version(names: NDArray[np.str_]) -> NDArray[np.str_]:
    """Ensembl ids without their version number; other names stay as they are."""
    return np.array([n.partition(".")[0] if _ENSEMBL.fullmatch(n) else n for n in names], dtype=str)


@dataclass(frozen=True)
class GeneMatch:
    """Columns that two objects share, in the order of the reference."""

    query: NDArray[np.intp]
    reference: NDArray[np.intp]
    how: str


def match(
    query: dict[str, NDArray[np.str_]],
    reference: dict[str, NDArray[np.str_]],
    *,
    what: tuple[str, str] = ("adata", "reference"),
    min_fraction: float = MIN_SHARED_FRACTION,
) -> GeneMatch:
    """Shared genes by the first pair of name lists that reaches the floor, else by the best pair.

    Raises
    ------
    GeneError
        Fewer than 50 genes (90 % of a smaller panel), or less than `min_fraction` of the smaller side, are
        shared; or a shared name occurs twice on one side.
    """
    floor = _floor(min(len(query["var_names"]), len(reference["var_names"])), min_fraction)
    n, how, q_ids, r_ids = -1, "", np.array([], str), np.array([], str)
    for pair in _pairs(query, reference):
        found = len(np.intersect1d(pair[1], pair[2]))
        if found > n:
            n, (how, q_ids, r_ids) = found, pair
        if n >= floor:
            break
    if n < floor:
        raise GeneError(_too_few(n, floor, query, reference, what))
    shared = np.intersect1d(q_ids, r_ids)
    for ids, name in ((q_ids, what[0]), (r_ids, what[1])):
        values, counts = np.unique(ids, return_counts=True)
        twice = np.intersect1d(values[counts > 1], shared)
        if len(twice):
            raise GeneError(
                f"{len(twice)} of the shared genes occur more than once in {name} (for example "
                f"{', '.join(twice[:3])}). Sum or drop the duplicates; `{name}.var_names_make_unique()` keeps the first."
            )
    position = {gene: i for i, gene in enumerate(q_ids.tolist())}
    in_shared = np.isin(r_ids, shared)
    r_index = np.flatnonzero(in_shared)
    return GeneMatch(np.array([position[g] for g in r_ids[r_index].tolist()], dtype=np.intp), r_index, how)


def _floor(smaller: int, min_fraction: float) -> int:
    """How many shared genes are needed; a small panel needs nearly all of its own."""
    return max(min(MIN_SHARED_GENES, int(np.ceil(0.9 * smaller))), int(np.ceil(min_fraction * smaller)))


def _pairs(
    query: dict[str, NDArray[np.str_]], reference: dict[str, NDArray[np.str_]]
) -> Iterator[tuple[str, NDArray[np.str_], NDArray[np.str_]]]:
    """Lists of names to compare, the most literal first."""
    for change, note in ((None, ""), (strip_version, ", without Ensembl versions")):
        for r_name, r in reference.items():
            for q_name, q in query.items():
                yield f"{q_name} = {r_name}{note}", *((q, r) if change is None else (change(q), change(r)))


def _too_few(
    n: int, floor: int, query: dict[str, NDArray[np.str_]], reference: dict[str, NDArray[np.str_]], what: tuple[str, str]
) -> str:
    q, r = query["var_names"], next(iter(reference.values()))
    text = (
        f"{what[0]} and {what[1]} have {n} genes in common; at least {floor} are needed. "
        f"{what[0]} has {len(q):,} such as {', '.join(q[:3])}; {what[1]} has {len(r):,} such as {', '.join(r[:3])}. "
    )
    same_but_case = len(np.intersect1d(np.char.upper(q), np.char.upper(r)))
    q_report, r_report = look(q), look(r)
    if same_but_case >= floor:
        return text + (
            f"{same_but_case} differ in case only, as mouse (Cd4) and human (CD4) symbols do: "
            "map the genes to the reference's species first."
        )
    if q_report.id_type != r_report.id_type:
        return text + (
            f"One side uses {q_report.id_type.replace('_', ' ')} names, the other {r_report.id_type.replace('_', ' ')}: "
            "name the var column that holds the other kind with gene_symbols=."
        )
    return text + "Keep all genes of both objects instead of variable genes only, or choose another reference."
