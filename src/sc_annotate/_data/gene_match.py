"""Find the genes that two objects have in common."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._vocabulary.gene_ids.releases import old_symbols
from sc_annotate._vocabulary.gene_names import look, n_joined, strip_version
from sc_annotate.errors import GeneError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MIN_SHARED_GENES = 50
MIN_SHARED_FRACTION = 0.1
"""Below either, the call is an error: with 9 genes in common other tools still name every cell."""
CLEARLY_MORE = 1.1
"""Two releases of Ensembl share many ids with their versions by chance, so that enough is not yet all there is."""


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
    """Shared genes by the most literal pair of name lists, unless a less literal one finds clearly more.

    Names that occur twice among ``var_names`` are an error; in other lists (a column of symbols, ids without
    their versions) a few always do, and those are left out, which ``how`` says.

    Raises
    ------
    GeneError
        Fewer than 50 genes (90 % of a smaller panel), or less than `min_fraction` of the smaller side, are
        shared; or a shared name occurs twice on one side.
    """
    smaller = min(len(query["var_names"]), len(reference["var_names"]))
    least = _least(smaller, min_fraction)
    best = _Pair("", np.array([], str), np.array([], str), set(), set())
    for pair in _pairs(query, reference):
        if len(pair.shared) > len(best.shared) * (CLEARLY_MORE if len(best.shared) >= least else 1):
            best = pair
        if len(best.shared) >= 0.9 * smaller:
            break
    if len(best.shared) < least:
        raise GeneError(_too_few(len(best.shared), least, query, reference, what))
    for side, ids in zip(what, (best.query, best.reference), strict=True):
        names = sorted(best.shared & _twice(ids))
        if names:
            raise GeneError(
                f"{len(names)} of the shared genes occur more than once in {side} (for example "
                f"{', '.join(names[:3])}). Sum or drop the duplicates; `{side}.var_names_make_unique()` keeps the first."
            )
    position = {gene: i for i, gene in enumerate(best.query.tolist())}
    r_index = np.array([i for i, gene in enumerate(best.reference.tolist()) if gene in best.shared], dtype=np.intp)
    q_index = np.array([position[gene] for gene in best.reference[r_index].tolist()], dtype=np.intp)
    note = f", {len(best.ambiguous)} ambiguous left out" if best.ambiguous else ""
    return GeneMatch(q_index, r_index, best.how + note)


@dataclass(frozen=True)
class _Pair:
    """Two lists of names, what they share, and what they share but one of them has twice."""

    how: str
    query: NDArray[np.str_]
    reference: NDArray[np.str_]
    shared: set[str]
    ambiguous: set[str]


def _twice(ids: NDArray[np.str_]) -> set[str]:
    return {gene for gene, n in Counter(ids.tolist()).items() if n > 1}


def _least(smaller: int, min_fraction: float) -> int:
    """How many shared genes are needed; a small panel needs nearly all of its own."""
    return max(min(MIN_SHARED_GENES, int(np.ceil(0.9 * smaller))), int(np.ceil(min_fraction * smaller)))


def _pairs(query: dict[str, NDArray[np.str_]], reference: dict[str, NDArray[np.str_]]) -> Iterator[_Pair]:
    """Lists of names to compare, the most literal first."""
    for strip, note in ((False, ""), (True, ", without Ensembl versions")):
        if strip:
            query, reference = ({k: strip_version(ids) for k, ids in side.items()} for side in (query, reference))
        for r_name, r_ids in reference.items():
            for q_name, q_ids in query.items():
                shared = (set(q_ids.tolist()) & set(r_ids.tolist())) - {""}
                literal = not strip and q_name == r_name == "var_names"
                ambiguous = set() if literal else shared & (_twice(q_ids) | _twice(r_ids))
                yield _Pair(f"{q_name} = {r_name}{note}", q_ids, r_ids, shared - ambiguous, ambiguous)


def _too_few(
    n: int,
    least: int,
    query: dict[str, NDArray[np.str_]],
    reference: dict[str, NDArray[np.str_]],
    what: tuple[str, str],
) -> str:
    q, r = query["var_names"], next(iter(reference.values()))
    mapped = f"{what[0]} = sca.pp.map_genes({what[0]}" if what[0].isidentifier() else "sca.pp.map_genes(adata"
    text = (
        f"{what[0]} and {what[1]} have {n} genes in common; at least {least} are needed. "
        f"{what[0]} has {len(q):,} such as {', '.join(q[:3])}; {what[1]} has {len(r):,} such as {', '.join(r[:3])}. "
    )
    same_but_case = len(np.intersect1d(np.char.upper(q), np.char.upper(r)))
    q_report, r_report = look(q), look(r)
    if same_but_case >= least:
        return text + (
            f"{same_but_case} differ in case only, as mouse (Cd4) and human (CD4) symbols do: "
            f"map the genes to the reference's species first, with `{mapped}, orthologs, kind='orthologs')`."
        )
    if q_report.id_type != r_report.id_type:
        return text + (
            f"One side uses {q_report.id_type.replace('_', ' ')} names, the other {r_report.id_type.replace('_', ' ')}: "
            f"name the var column that holds the other kind with gene_symbols=, or rename them with `{mapped}, table)`, where "
            "table leads from ids to symbols."
        )
    if q_report.species != r_report.species and "unknown" not in (q_report.species, r_report.species):
        return text + (
            f"{what[0]} has genes of {q_report.species}, {what[1]} of {r_report.species}: map them to the reference's species "
            f"first, with `{mapped}, orthologs, kind='orthologs')`."
        )
    joined, old = n_joined(q), old_symbols(q)
    if joined >= 0.1 * len(q):
        return (
            text + f"{joined:,} names of {what[0]} join a symbol with an Ensembl id: take them apart with `{mapped})`."
        )
    outdated = (
        f"Some symbols of {what[0]} are of an older release ({', '.join(old[:3])})" if old else "Where symbols are old"
    )
    return text + (
        "Keep all genes of both objects instead of variable genes only, or choose another reference. "
        f"{outdated}: `{mapped}, hgnc_table, kind='aliases')` brings them up to date."
    )
