"""The names by which the genes of marker lists are found, and why few are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.settings import logger
from sc_annotate._data.gene_match import MOST
from sc_annotate._vocabulary.gene_names import look

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.other_names import Other
    from sc_annotate._data.read import Input
    from sc_annotate._vocabulary.marker_lists.lists import MarkerLists

FEW = 0.25
"""Below this share of the smaller side, other columns of ``var`` are tried."""


@dataclass(frozen=True)
class MarkerNames:
    """The lists and the names of the matrix as they are compared, and `how` that is; what else could be meant."""

    lists: MarkerLists
    names: NDArray[np.str_]
    how: str
    notes: list[str] = field(default_factory=list)
    other: Other | None = None


def marker_names(lists: MarkerLists, found: Input, *, gene_symbols: str | None) -> MarkerNames:
    """By the list of names with the most markers; where it has few, by another text column, or without affixes."""
    genes = np.unique(lists.genes)
    wanted = set(genes.tolist())
    shared = {label: len(wanted & set(names.tolist())) for label, names in found.names.items()}
    how = max(shared, key=lambda label: shared[label])
    usual = MarkerNames(lists, found.names[how], how)
    smaller, n = min(len(genes), found.source.n_columns), shared[how]
    if n >= MOST * smaller:
        return usual
    from sc_annotate._data.other_names import MARKERS, other_names

    whose, what = {"names": genes}, ("adata", f"the {MARKERS}")
    other = other_names(found.names, whose, (None, None), what=what, n_shared=n, least=n)
    if not other.notes and n < FEW * smaller:
        # A column that shares a few words with the lists by chance does not hold genes.
        least = max(2 * n + 1, int(np.ceil(FEW * smaller)))
        table = found.source.var if gene_symbols is None else None
        other = other_names(found.names, whose, (table, None), what=what, n_shared=n, least=least)
    for note in other.notes:
        logger.info(note)
    if not other.notes:
        return replace(usual, other=other)
    label, names = next(iter(other.query.items()), (how, usual.names))
    if other.reference:
        new = dict(zip(genes.tolist(), next(iter(other.reference.values())).tolist(), strict=True))
        lists = replace(lists, genes=np.array([new[gene] for gene in lists.genes.tolist()], dtype=str))
    return MarkerNames(lists, names, label, other.notes, other)


def why_few(by: MarkerNames, found: Input, n_shared: int) -> str:
    """What keeps the markers from being found, and what to do."""
    lists, names, other = by.lists, by.names, by.other
    said = "" if other is None else "".join(f"{text}. " for text in [*other.problems, *other.affixes])
    if other is not None and other.hints:
        return (
            f"{said}By other names more are found: {'; '.join(other.hints)}. Say with gene_symbols= which column of adata.var has "
            "the right names."
        )
    if other is not None and other.bare[0] is not None:
        names = other.bare[0]
    if text := other_case(lists.genes, names, n_shared):
        return said + text
    if found.genes is not None and found.genes.id_type != "symbol":
        return said + (
            "adata has Ensembl ids: name the var column that holds symbols with gene_symbols=, or use sca.pp.map_genes."
        )
    return said + "Keep all genes of adata, use longer lists, or lower min_genes."


def other_case(markers: NDArray[np.str_], names: NDArray[np.str_], n_shared: int) -> str:
    """What to say where most markers are among the names in another case; else nothing."""
    own = {name.upper(): name for name in reversed(names.tolist())}
    there = [gene for gene in dict.fromkeys(markers.tolist()) if gene.upper() in own]
    differ = [gene for gene in there if own[gene.upper()] != gene]
    if len(differ) <= 2 * n_shared or len(there) < 3:
        return ""
    gene = differ[0]
    of_lists, of_adata = look(markers).species, look(names).species
    case = "upper" if own[gene.upper()].isupper() else "capitalize"
    species = f"{of_lists} and {of_adata}" if of_lists != of_adata and "unknown" not in (of_lists, of_adata) else ""
    return (
        f"{len(differ)} of the markers are among the genes of adata in another case ({gene} in the lists, {own[gene.upper()]} in "
        f"adata){', as symbols of ' + species + ' are' if species else ''}. Take lists of the species of adata, or bring adata to "
        "that of the lists with sca.pp.map_genes(adata, orthologs, kind='orthologs'). If the species is the same and only the case "
        f"differs, write {{name: [gene.{case}() for gene in genes] for name, genes in markers.items()}}."
    )
