"""Why two objects share too few genes, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._vocabulary.gene_ids.releases import old_symbols
from sc_annotate._vocabulary.gene_names import look, n_joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.other_names import Other

HALF = 0.5


def too_few(
    n: int,
    least: int,
    sides: tuple[NDArray[np.str_], NDArray[np.str_]],
    what: tuple[str, str],
    other: Other | None,
) -> str:
    """The error: what each side has, what they would share by other names, and what brings them together."""
    q, r = sides
    mapped = f"{what[0]} = sca.pp.map_genes({what[0]}" if what[0].isidentifier() else "sca.pp.map_genes(adata"
    text = (
        f"{what[0]} and {what[1]} have {n} genes in common; at least {least} are needed. "
        f"{what[0]} has {len(q):,} such as {', '.join(q[:3])}; {what[1]} has {len(r):,} such as {', '.join(r[:3])}. "
    )
    if other is not None:
        text += "".join(f"{problem}. " for problem in other.problems)
        text += "".join(f"{affixes}. " for affixes in other.affixes)
        q, r = (side if bare is None else bare for side, bare in zip(sides, other.bare, strict=True))
    by_others = (
        ""
        if other is None or not other.hints
        else (
            f"By other names they share more: {'; '.join(other.hints)}. Say with gene_symbols= which column of var has the right names."
        )
    )
    if other is not None and other.clear:
        return text + by_others
    same_but_case = len(np.intersect1d(np.char.upper(q), np.char.upper(r)))
    q_report, r_report = look(q), look(r)
    if same_but_case >= least:
        return text + (
            f"{same_but_case} differ in case only, as mouse (Cd4) and human (CD4) symbols do: "
            f"map the genes to the reference's species first, with `{mapped}, orthologs, kind='orthologs')`, where "
            "orthologs is a table of the gene pairs, such as an export of Ensembl BioMart."
        )
    if by_others:
        return text + by_others
    for name, names in zip(what, (q, r), strict=True):
        if np.char.isdigit(names).mean() > HALF:
            return text + (
                f"The genes of {name} are numbered, and no column of its var has names of the other side: put symbols or Ensembl "
                "ids into its var_names, in the order of the genes."
            )
    if q_report.id_type != r_report.id_type:
        return text + (
            f"One side uses {q_report.id_type.replace('_', ' ')} names, the other {r_report.id_type.replace('_', ' ')}: "
            f"name the var column that holds the other kind with gene_symbols=, or rename them with `{mapped}, table)`, where "
            "table maps ids to symbols."
        )
    if q_report.species != r_report.species and "unknown" not in (q_report.species, r_report.species):
        return text + (
            f"{what[0]} has genes of {q_report.species}, {what[1]} of {r_report.species}: map them to the reference's species "
            f"first, with `{mapped}, orthologs, kind='orthologs')`, where "
            "orthologs is a table of the gene pairs, such as an export of Ensembl BioMart."
        )
    joined, old = n_joined(q), old_symbols(q)
    if joined >= 0.1 * len(q):
        return text + f"{joined:,} names of {what[0]} join a symbol with an Ensembl id: split them with `{mapped})`."
    outdated = (
        f"Some symbols of {what[0]} are of an older release ({', '.join(old[:3])})" if old else "Where symbols are old"
    )
    return text + (
        "Keep all genes of both objects instead of variable genes only, or choose another reference. "
        f"{outdated}: `{mapped}, hgnc_table, kind='aliases')` brings them up to date."
    )
