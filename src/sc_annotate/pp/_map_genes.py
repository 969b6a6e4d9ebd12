"""Rename the genes of an object: ids, symbols of other years, other species."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import default, public
from sc_annotate._data.map_genes import with_mapped_genes
from sc_annotate._data.new_gene_names import GeneMapRequest

if TYPE_CHECKING:
    from anndata import AnnData

    from sc_annotate._vocabulary.gene_ids.gene_tables import Kind, Table
    from sc_annotate._vocabulary.gene_ids.mapping import Merge


@public
def map_genes(
    adata: AnnData,
    table: Table | None = None,
    *,
    kind: Kind = default("ids"),
    column: str | None = default(None),
    from_column: str | None = default(None),
    to_column: str | None = default(None),
    one_to_one: bool = default(True),
    merge: Merge = default("sum"),
    drop_unknown: bool = default(False),
) -> AnnData:
    """Rename genes: Ensembl ids to symbols, old symbols to those of today, mouse genes to their human orthologs.

    Three use cases. "My data has Ensembl ids": ``map_genes(adata, column="gene_name")`` with the column of ``adata.var`` that
    holds the symbols, or ``map_genes(adata, "ids.csv")`` with a table of ids and symbols. "My data has old symbols":
    ``map_genes(adata, "hgnc_complete_set.txt", kind="aliases")``. "My data has mouse genes":
    ``map_genes(adata, "mart_export.txt", kind="orthologs")``. `adata` is not changed.

    Every gene gets one of five statuses:

    * ``kept``: its name is right as it is.
    * ``renamed``.
    * ``merged``: another gene got the same name, and their values were added.
    * ``unknown``: not in the table. It keeps its name, and counts for the total of its cell.
    * ``lost``: left out, because its name means several genes, or because it has no ortholog: under its old name it could be
      taken for another gene of the new species (mouse C3 and human C3).

    A current symbol is never replaced, whatever it is an alias of. A previous symbol comes before an alias. An alias is
    followed only where it belongs to one gene, and no other gene of `adata` claims that gene's name. Ids match with or
    without their Ensembl versions, and a symbol joined with an id by either. A constant prefix or suffix (``hg19_``, ``-1``,
    ``b'...'``, blanks), as :func:`sc_annotate.pp.inspect` reports it, is removed first; where two genes would then have one
    name, both keep it.

    Parameters
    ----------
    adata
        Cells x genes; in memory or dask. One that is backed is refused with a message that says what to do.
    table
        DataFrame, dict from old to new names, or path of a CSV or TSV (``.gz`` too). None to use `column`.
    kind
        What the table is. ``"ids"``: two columns of names. ``"aliases"``: current, previous and alias symbols, as HGNC's
        complete set has them (``symbol``, ``prev_symbol``, ``alias_symbol``, several separated by ``|``). ``"orthologs"``:
        genes of two species, one pair a row, as BioMart exports them.
    column
        Column of ``adata.var`` with the new names, in place of a table. Without either, a customary column of symbols is
        taken where the genes are Ensembl ids, symbols joined with ids (``CD79A_ENSG00000105369``) lose the ids, and names
        their prefix or suffix.
    from_column, to_column
        Columns of the table with old and new names. By default ``from`` and ``to`` where it has these; else the only one
        that shares names with `adata`, and the only other one of the right kind.
    one_to_one
        Of orthologs: leave out genes that have several, on either side. With False several genes of one ortholog are
        merged, and of several orthologs the one with the same name in capitals is taken.
    merge
        Of genes that get one name. ``"sum"`` adds their counts; logarithms are undone before and taken again after.
        ``"first"`` keeps the one that has the name already, else the first, and leaves out the others; a gene before an
        antibody or another feature that is none (``var["feature_types"]``).
    drop_unknown
        Leave out genes that the table does not have.

    Returns
    -------
    A new object, ``var_names`` unique, genes in the order in which they first occur. ``obs``, ``obsm`` and ``obsp`` are
    copies; ``X``, layers and ``raw`` are mapped alike, sparse ones stay sparse, and dask ones lazy. A gene's row of
    ``var`` goes along (of merged genes: of the one with the right name already, else of the first); ids that are replaced
    stay in ``var["gene_ids"]`` where there is no such column. ``varm`` and ``varp`` go along unless genes are merged,
    for then they would be wrong; that of ``raw`` stays behind. What ``uns`` says of genes keeps the old names.

    ``uns["gene_mapping"]`` holds ``schema``, ``kind``, ``how``, ``merge``, ``n_genes_before``, ``n_genes``, ``n_kept``,
    ``n_renamed``, ``n_merged``, ``n_unknown``, ``n_lost``, ``notes``, and ``table``, one row for each old gene:
    :func:`sc_annotate.get.gene_mapping` reads it. An earlier mapping is kept in its ``before``.

    Raises
    ------
    sc_annotate.errors.GeneError
        The table has none of the genes, or nearly none of the orthologs.
    sc_annotate.errors.InputError
        A column or file that is not there, columns that could be several, arguments that contradict each other.
    sc_annotate.errors.MatrixError
        Genes would be merged whose values cannot be added: scaled or negative ones, or such with NaN.
    sc_annotate.errors.StorageError
        ``uns["gene_mapping"]`` is there and not ours.

    References
    ----------
    Seal et al. 2023, Nucleic Acids Research, doi:10.1093/nar/gkac888 (HGNC); Kinsella et al. 2011, Database,
    doi:10.1093/database/bar030 (BioMart).

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> renamed = sca.pp.map_genes(adata, {"TNFRSF4": "OX40", "FYB": "FYB1"})
    >>> {name: int(renamed.uns["gene_mapping"][name]) for name in ("n_renamed", "n_merged", "n_lost")}
    {'n_renamed': 2, 'n_merged': 0, 'n_lost': 0}
    >>> adata.var_names[1], renamed.var_names[1]
    ('TNFRSF4', 'OX40')
    """
    request = GeneMapRequest(
        kind=kind,
        column=column,
        from_column=from_column,
        to_column=to_column,
        one_to_one=one_to_one,
        merge=merge,
        drop_unknown=drop_unknown,
    )
    return with_mapped_genes(adata, table, request)
