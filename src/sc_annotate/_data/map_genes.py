"""Rename the genes of an object: ids, symbols of other years, other species."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import sanitize
from sc_annotate._core.codec import table as table_of
from sc_annotate._core.settings import logger
from sc_annotate._data.features import features
from sc_annotate._data.matrix import FEATURE_COLUMNS, check_adata
from sc_annotate._data.new_gene_names import new_names
from sc_annotate._data.obs import with_tables
from sc_annotate._data.renamed_genes import mapped
from sc_annotate._vocabulary.gene_ids.mapping import GENE_MAPPING, SCHEMA, UNKNOWN, GeneMapping, Merge, assign, listed
from sc_annotate._vocabulary.gene_names import texts
from sc_annotate.errors import GeneError, InputError, StorageError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.features import Features
    from sc_annotate._data.new_gene_names import GeneMapRequest, NewNames
    from sc_annotate._vocabulary.gene_ids.gene_tables import Kind

FEW_ORTHOLOGS = 0.1
"""Below this share of genes with an ortholog the table is of other species, or has other ids."""


def with_mapped_genes(adata: AnnData, table: Any, request: GeneMapRequest) -> AnnData:
    """A new object whose genes have other names; the mapping is in its ``uns``."""
    check_adata(adata, what="adata")
    if adata.isbacked:
        raise InputError(
            "adata is backed, and map_genes makes a new object in memory. Pass `adata.to_memory()`; for data larger than "
            "memory pass what `anndata.experimental.read_lazy` reads, which stays where it is."
        )
    before = adata.uns.get(GENE_MAPPING)
    if before is not None and not (isinstance(before, dict) and "schema" in before and "table" in before):
        raise StorageError(f"adata.uns[{GENE_MAPPING!r}] exists already and was not written by sc_annotate. Rename it.")
    adata = with_tables(adata)
    names = texts(adata.var_names)
    source = new_names(adata, names, table, request)
    drop = request.drop_unknown or request.kind == "orthologs"
    found = source.of(names, adata.var, drop=drop)
    genes = _features(adata.var, "adata")
    mapping = assign(
        names,
        found,
        merge=request.merge,
        drop_unknown=drop,
        absent=source.absent,
        is_gene=_is_gene(genes, len(names)),
    )
    _check_found(mapping, source, request.kind)
    _check_features(genes, mapping)
    out, notes = mapped(adata, mapping, _raw(adata, source, merge=request.merge, drop=drop))
    entry = {
        "schema": SCHEMA,
        "kind": request.kind,
        "how": source.how,
        "merge": request.merge,
        "n_genes_before": len(names),
        "n_genes": out.n_vars,
        **mapping.counts,
        "notes": notes,
        "table": _table(mapping),
        "before": before or {},
    }
    out.uns[GENE_MAPPING] = sanitize(entry, where=f"uns[{GENE_MAPPING!r}]")
    counts = ", ".join(f"{n:,} {status.removeprefix('n_')}" for status, n in mapping.counts.items() if n)
    logger.info(f"map_genes: {len(names):,} genes became {out.n_vars:,} by {source.how}: {counts}")
    return out


def _features(var: pd.DataFrame, what: str) -> Features | None:
    columns = [name for name in FEATURE_COLUMNS if name in var.columns]
    return features(var, columns, what=what) if columns else None


def _is_gene(found: Features | None, n: int) -> NDArray[np.bool_] | None:
    """Which of `n` features are genes; None where all are."""
    if found is None:
        return None
    is_gene = np.zeros(n, dtype=bool)
    is_gene[found.columns] = True
    return is_gene


def _check_features(found: Features | None, mapping: GeneMapping) -> None:
    """Refuse to merge a gene with an antibody or another feature of the same name."""
    is_gene = _is_gene(found, len(mapping.names))
    if found is None or is_gene is None:
        return
    both = np.intersect1d(mapping.code[is_gene & (mapping.code >= 0)], mapping.code[~is_gene & (mapping.code >= 0)])
    if both.size:
        raise GeneError(
            f"{both.size} genes would be merged with features that are no genes ({listed(mapping.genes[both].tolist())}): "
            f"{found}. Map the genes alone: take those out with var[{found.column!r}] first; or merge='first' keeps the genes."
        )


def _check_found(mapping: GeneMapping, source: NewNames, kind: Kind) -> None:
    n = len(mapping.names)
    found = int(((mapping.status != UNKNOWN) & ~np.char.endswith(mapping.reason, source.absent)).sum())
    hint = f"adata has {listed(mapping.names.tolist())}. Is it a table of another species, or of other ids?"
    if found == 0:
        raise GeneError(f"{source.how} knows none of the {n:,} genes of adata. {hint}")
    if kind == "orthologs" and len(mapping.genes) < FEW_ORTHOLOGS * n:
        raise GeneError(
            f"only {len(mapping.genes):,} of the {n:,} genes of adata have an ortholog by {source.how}. {hint}"
        )
    # A short list is of what its maker wanted renamed.
    if found < n / 2 <= source.size:
        logger.warning(f"map_genes: {source.how} knows {found:,} of the {n:,} genes of adata only")


def _raw(adata: AnnData, source: NewNames, *, merge: Merge, drop: bool) -> GeneMapping | None:
    """New names of the genes of ``raw``, which may be others than those of ``X``."""
    if adata.raw is None:
        return None
    names, genes = texts(adata.raw.var_names), _features(adata.raw.var, "adata.raw")
    mapping = assign(
        names,
        source.of(names, adata.raw.var, drop=drop),
        merge=merge,
        drop_unknown=drop,
        absent=source.absent,
        is_gene=_is_gene(genes, len(names)),
    )
    _check_features(genes, mapping)
    return mapping


def _table(mapping: GeneMapping) -> pd.DataFrame:
    columns = {"from": mapping.names, "to": mapping.to, "status": mapping.status, "reason": mapping.reason}
    return table_of(columns, texts=list(columns))
