"""Find the genes of marker lists among those of an AnnData."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.settings import counted
from sc_annotate.annotation.markers.marker_names import marker_names, other_case, why_few
from sc_annotate.errors import GeneError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate._data.read import Input
    from sc_annotate._vocabulary.marker_lists.lists import MarkerLists
    from sc_annotate.annotation.markers.marker_names import MarkerNames


@dataclass(frozen=True)
class Matched:
    """The lists that have enough genes here, as weights over all genes of the matrix."""

    types: NDArray[np.str_]
    term_ids: NDArray[np.str_]
    weights: NDArray[np.float64]
    """Genes of the matrix x lists."""
    how: str
    n_genes: int
    n_shared: int
    table: pd.DataFrame
    """One row a type of the lists, those that were left out too."""
    notes: list[str]
    problems: list[str]
    """Problems of the labels: types that no cell can get."""


def matched(lists: MarkerLists, found: Input, *, min_genes: int, gene_symbols: str | None = None) -> Matched:
    """The lists with at least `min_genes` genes with a positive weight among those of the matrix.

    Of the lists of names that the matrix has for its genes, the one with the most markers counts; where that has few, any
    text column of ``var``, or names without their affixes.
    """
    import pandas as pd

    by = marker_names(lists, found, gene_symbols=gene_symbols)
    lists, names, how = by.lists, by.names, by.how
    wanted = set(lists.genes.tolist())
    twice = {gene for gene, n in Counter(names.tolist()).items() if n > 1} & wanted
    if twice and how == "var_names":
        raise GeneError(
            f"{len(twice)} of the marker genes occur more than once in adata (for example {', '.join(sorted(twice)[:3])}). "
            "Sum or drop the duplicates; `adata.var_names_make_unique()` keeps the first."
        )
    place = {gene: i for i, gene in enumerate(names.tolist()) if gene in wanted and gene not in twice}
    column = np.array([place.get(gene, -1) for gene in lists.genes.tolist()], dtype=np.intp)
    here = column >= 0
    weights = np.zeros((len(names), len(lists.types)))
    weights[column[here], lists.type_of[here]] = lists.weights[here]
    n_for = (weights > 0).sum(axis=0)
    used = n_for >= min_genes
    n_shared = len(place)
    problems = [text] if (text := other_case(lists.genes, names, n_shared)) else []
    problems += _left_out(lists.types[~used].tolist(), lists.source, min_genes)
    if used.sum() < 2:
        raise GeneError(_too_few(by, found, int(used.sum()), int(here.sum()), min_genes))
    order = [np.flatnonzero(lists.type_of == j) for j in range(len(lists.types))]
    table = pd.DataFrame(
        {
            "type": pd.Series(lists.types.tolist(), dtype=object),
            "term_id": pd.Series(lists.term_ids.tolist(), dtype=object),
            "used": used,
            "n_genes": np.array([len(o) for o in order], dtype=np.int64),
            "n_genes_in_adata": np.array([int(here[o].sum()) for o in order], dtype=np.int64),
            "genes": pd.Series([" ".join(_signed(lists, o[here[o]])) for o in order], dtype=object),
        }
    )
    table.index = table.index.astype(str)
    return Matched(
        types=lists.types[used],
        term_ids=lists.term_ids[used],
        weights=weights[:, used],
        how=how,
        n_genes=len(wanted),
        n_shared=len(place),
        table=table,
        notes=[*lists.notes, *by.notes],
        problems=problems,
    )


def _left_out(types: list[str], source: str, min_genes: int) -> list[str]:
    """The types that no cell can get."""
    if not types:
        return []
    one, few = len(types) == 1, "none" if min_genes == 1 else f"fewer than min_genes={min_genes}"
    return [
        f"{len(types)} list{' was' if one else 's were'} left out, as {few} of {'its' if one else 'their'} genes "
        f"{'is' if min_genes == 1 else 'are'} in adata: {', '.join(map(repr, types[:10]))}"
        f"{', ...' if len(types) > 10 else ''} ({source}); cells of {'this type' if one else 'these types'} go to other types"
    ]


def _signed(lists: MarkerLists, rows: NDArray[np.intp]) -> list[str]:
    """Genes by weight, with a "-" before negative markers."""
    ordered = rows[np.argsort(-lists.weights[rows], kind="stable")]
    return [f"{'-' if lists.weights[i] < 0 else ''}{lists.genes[i]}" for i in ordered.tolist()]


def _too_few(by: MarkerNames, found: Input, n_types: int, n_shared: int, min_genes: int) -> str:
    lists, names = by.lists, by.names
    return (
        f"{lists.source} has {counted(n_types, 'type')} with {counted(min_genes, 'gene')} or more in adata; at least two are needed. Of "
        f"{len(lists.genes):,} markers such as {', '.join(lists.genes[:3])}, {n_shared:,} are among the {len(names):,} genes "
        f"of adata, such as {', '.join(names[:3])}. {why_few(by, found, n_shared)}"
    )
