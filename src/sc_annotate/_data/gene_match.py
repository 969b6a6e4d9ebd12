"""Find the genes that two objects have in common."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._vocabulary.gene_ids.releases import dates, may_become_date
from sc_annotate._vocabulary.gene_names import strip_version
from sc_annotate.errors import GeneError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    Lists = dict[str, NDArray[np.str_]]

MIN_SHARED_GENES = 50
MIN_SHARED_FRACTION = 0.1
"""Below either, the call is an error: with 9 genes in common other tools still name every cell."""
CLEARLY_MORE = 1.1
"""Two releases of Ensembl share many ids with their versions by chance, so that enough is not yet all there is."""

MOST = 0.9
"""With this share of the smaller side, no other names are tried."""


@dataclass(frozen=True)
class GeneMatch:
    """Columns that two objects share, in the order of the reference, and by which names.

    ``names`` are the lists of both, with those that were found in other columns or by leaving out affixes before the usual
    ones; ``notes`` and ``problems`` say what was found so.
    """

    query: NDArray[np.intp]
    reference: NDArray[np.intp]
    how: str
    names: tuple[Lists, Lists]
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def match(
    query: Lists,
    reference: Lists,
    *,
    what: tuple[str, str] = ("adata", "reference"),
    min_fraction: float = MIN_SHARED_FRACTION,
    tables: tuple[pd.DataFrame | None, pd.DataFrame | None] = (None, None),
) -> GeneMatch:
    """Shared genes by the most literal pair of name lists, unless a less literal one finds clearly more.

    Names that occur twice among ``var_names`` are an error; in other lists (a column of symbols, ids without
    their versions) a few always do, and those are left out, which ``how`` says. Where the lists share few genes, the text
    columns of `tables` are tried, and names without constant affixes.

    Raises
    ------
    GeneError
        Fewer than 50 genes (90 % of a smaller panel), or less than `min_fraction` of the smaller side, are
        shared; or a shared name occurs twice on one side.
    """
    smaller = min(len(query["var_names"]), len(reference["var_names"]))
    least = _least(smaller, min_fraction)
    best = _best(query, reference, smaller, least)
    other = None
    if len(best.shared) < MOST * smaller:
        from sc_annotate._data.other_names import other_names

        other = other_names(query, reference, tables, what=what, n_shared=len(best.shared), least=least)
        if other.notes:
            query, reference = {**other.query, **query}, {**other.reference, **reference}
            best = _best(query, reference, smaller, least)
    if len(best.shared) < least:
        from sc_annotate._data.too_few_genes import too_few

        sides = query["var_names"], next(iter(reference.values()))
        raise GeneError(too_few(len(best.shared), least, sides, what, other))
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
    notes, problems = ([], []) if other is None else (other.notes, other.problems)
    problems = [*problems, *_lost_to_dates(best, what)]
    return GeneMatch(q_index, r_index, best.how(what), (query, reference), notes, problems)


@dataclass(frozen=True)
class _Pair:
    """Two lists of names, what they share, and what they share but one of them has twice."""

    labels: tuple[str, str]
    stripped: bool
    query: NDArray[np.str_]
    reference: NDArray[np.str_]
    shared: set[str]
    ambiguous: set[str]

    def how(self, what: tuple[str, str]) -> str:
        """By which names the genes were matched, in words."""
        q, r = self.labels
        text = f"{q} on both sides" if q == r else f"{q} of {what[0]}, {r} of {what[1]}"
        text += ", without Ensembl versions" if self.stripped else ""
        return text + (f", {len(self.ambiguous)} ambiguous left out" if self.ambiguous else "")


def _best(query: Lists, reference: Lists, smaller: int, least: int) -> _Pair:
    best = _Pair(("var_names", "var_names"), False, np.array([], str), np.array([], str), set(), set())
    for pair in _pairs(query, reference):
        if len(pair.shared) > len(best.shared) * (CLEARLY_MORE if len(best.shared) >= least else 1):
            best = pair
        if len(best.shared) >= MOST * smaller:
            break
    return best


def _lost_to_dates(best: _Pair, what: tuple[str, str]) -> list[str]:
    """Genes that one side lacks as a spreadsheet made dates of their names there."""
    out = []
    sides = [(what[0], best.query, what[1], best.reference), (what[1], best.reference, what[0], best.query)]
    for one, names, other, wanted in sides:
        if len(best.shared) == len(wanted):
            continue
        lost = [name for name in wanted.tolist() if name not in best.shared and may_become_date(name)]
        if lost and (wrong := [name for name in dates(names) if name not in best.shared]):
            out.append(
                f"{len(wrong):,} names of {one} were turned into dates by a spreadsheet ({', '.join(wrong[:3])}); "
                f"{len(lost):,} genes of {other} ({', '.join(lost[:3])}) are not found and may be among them. Read the genes of "
                f"{one} again from the original file: map_genes cannot determine which gene a date was"
            )
    return out


def _twice(ids: NDArray[np.str_]) -> set[str]:
    return {gene for gene, n in Counter(ids.tolist()).items() if n > 1}


def _least(smaller: int, min_fraction: float) -> int:
    """How many shared genes are needed; a small panel needs nearly all of its own."""
    return max(min(MIN_SHARED_GENES, int(np.ceil(0.9 * smaller))), int(np.ceil(min_fraction * smaller)))


def _pairs(query: Lists, reference: Lists) -> Iterator[_Pair]:
    """Lists of names to compare, the most literal first."""
    for strip in (False, True):
        if strip:
            query, reference = ({k: strip_version(ids) for k, ids in side.items()} for side in (query, reference))
        for r_name, r_ids in reference.items():
            for q_name, q_ids in query.items():
                shared = (set(q_ids.tolist()) & set(r_ids.tolist())) - {""}
                literal = not strip and q_name == r_name == "var_names"
                ambiguous = set() if literal else shared & (_twice(q_ids) | _twice(r_ids))
                yield _Pair((q_name, r_name), strip, q_ids, r_ids, shared - ambiguous, ambiguous)
