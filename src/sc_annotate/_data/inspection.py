"""Look at an object before anything is computed from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sc_annotate._core.codec import to_json
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.obs import with_tables
from sc_annotate._data.read import open_input
from sc_annotate._vocabulary.gene_ids.affixes import shares, undecorated
from sc_annotate._vocabulary.gene_ids.mapping import listed
from sc_annotate._vocabulary.gene_ids.releases import dates, old_symbols
from sc_annotate._vocabulary.gene_names import BOTH, look, n_joined

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.features import Features
    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._data.values import ValueReport
    from sc_annotate._vocabulary.gene_ids.affixes import Undecorated
    from sc_annotate._vocabulary.gene_names import GeneReport


@dataclass(frozen=True, repr=False)
class Inspection:
    """What :func:`sc_annotate.pp.inspect` found.

    Attributes
    ----------
    values
        The matrix: where, its format, what kind of values, and why so.
    genes
        The gene names; None for a representation.
    notes
        What was assumed or chosen.
    gene_advice
        What of the gene names may need :func:`sc_annotate.pp.map_genes` before they meet those of a reference: Ensembl ids, symbols of an
        older release, another species, symbols joined with ids, texts around names (``hg19_``, ``-1``), names that a spreadsheet
        turned into dates.

    features
        Which features are genes, where the matrix also holds antibodies, peaks, guides or hashtags; else None. All else is
        of the genes.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.pp.inspect(sca.datasets.pbmc68k()).genes.id_type
    'symbol'
    """

    values: ValueReport
    genes: GeneReport | None
    notes: list[str]
    gene_advice: list[str] = field(default_factory=list)
    features: Features | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, which ``uns`` and JSON can hold."""
        plain: dict[str, Any] = to_json(self)
        return plain

    def __repr__(self) -> str:
        v = self.values
        base = "" if v.base is None else f", base {v.base}"
        lines = [
            f"{v.where}: {v.n_cells:,} cells x {v.n_genes:,} columns, {v.format} {v.dtype}, {v.density:.1%} non-zero",
            f"  values      {v.kind}{base} ({v.evidence})",
            f"  range       {v.minimum:.4g} to {v.maximum:.4g} in {v.n_sampled:,} sampled cells",
        ]
        broken = [
            f"{n} {what}"
            for n, what in ((v.n_nan, "NaN"), (v.n_inf, "infinite"), (v.n_zero_cells, "all-zero cells"))
            if n
        ]
        if broken:
            lines.append(f"  look at     {', '.join(broken)} in the sample")
        if self.genes is not None:
            g = self.genes
            other = f"; other names in var[{g.other_column!r}]" if g.other_column else ""
            lines.append(
                f"  genes       {g.id_type.replace('_', ' ')}, {g.species}: {', '.join(g.examples[:4])}, ...{other}"
            )
            if g.n_duplicated:
                lines.append(f"  duplicates  {g.n_duplicated} names occur more than once: {', '.join(g.duplicated)}")
            lines += [f"  rename?     {line}" for line in self.gene_advice]
        return "\n".join([*lines, *(f"  note        {note}" for note in self.notes)])


def inspected(adata: AnnData, matrix: MatrixRequest) -> Inspection:
    """What a sample of the matrix and the names of its genes show."""
    check_adata(adata, what="adata")
    if matrix.use_rep is not None:
        matrix.refuse("gene_symbols", why="has no meaning for a representation (use_rep). Leave it out.")
    found = open_input(with_tables(adata), matrix)
    source, genes = found.source, found.genes
    if genes is None:
        return Inspection(found.values, None, found.notes, features=source.features)
    bare, names = undecorated(source.names), source.names
    advice, mixed = [], False
    if bare is not None:
        genes, names, mixed = _without(genes, bare), bare.names, len(bare.species) > 1
        advice = _affixes(bare)
    return Inspection(found.values, genes, found.notes, advice + _advice(genes, names, mixed=mixed), source.features)


def _without(genes: GeneReport, bare: Undecorated) -> GeneReport:
    """The report on names as they are without their affixes; its examples stay as they are."""
    found = look(bare.names)
    species = " and ".join(sorted(bare.species)) if len(bare.species) > 1 else found.species
    return replace(genes, id_type=found.id_type, species=species)


def _affixes(bare: Undecorated) -> list[str]:
    """Prefixes and suffixes, and how many names have them."""
    out = [
        f"{shares(bare.affixes[:4], len(bare.of))}{', ...' if len(bare.affixes) > 4 else ''}, no part of the names of genes: "
        "sca.pp.map_genes(adata) removes it"
    ]
    if bare.n_kept:
        out.append(
            f"{bare.n_kept:,} names would be those of other genes without their prefix or suffix, and keep it: duplicates that were "
            "made unique, or genes of another genome"
        )
    if len(bare.species) > 1:
        out.append(
            f"genes of several genomes ({', '.join(f'{n:,} of {species}' for species, n in bare.species.items())}): keep the "
            "cells and the genes of one species before annotating"
        )
    return out


def _advice(genes: GeneReport, names: NDArray[np.str_], *, mixed: bool) -> list[str]:
    """What may need renaming, each with the call that does it."""
    out = []
    if genes.id_type != "symbol":
        table = f"column={genes.other_column!r}" if genes.other_column else "table"
        kind = "mixed ids and symbols" if genes.id_type == "mixed" else "Ensembl ids"
        out.append(f"{kind}; for a reference with symbols: sca.pp.map_genes(adata, {table})")
    if genes.species == BOTH and not mixed:
        out.append(f"genes of {genes.species}: keep the cells and the genes of one species before annotating")
    elif genes.species not in ("human", "unknown", BOTH):
        out.append(
            f"genes of {genes.species}; for a human reference: sca.pp.map_genes(adata, orthologs, kind='orthologs')"
        )
    if n := n_joined(names):
        out.append(f"symbols joined with their Ensembl ids, {n:,}: sca.pp.map_genes(adata) takes the ids off")
    if old := old_symbols(names):
        out.append(
            f"symbols of an older release, {len(old):,} at least ({listed(old)}): "
            "sca.pp.map_genes(adata, hgnc_table, kind='aliases')"
        )
    if wrong := dates(names):
        out.append(
            f"names that a spreadsheet turned into dates, {len(wrong):,} ({listed(wrong)}): read the genes again from the "
            "original file; a date does not tell which gene it was"
        )
    return out
