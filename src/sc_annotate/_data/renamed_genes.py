"""A new object whose genes have the names of a mapping."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arrays import check_layout, rows
from sc_annotate._data import values
from sc_annotate._data.gene_merge import remap
from sc_annotate._data.matrix import Source
from sc_annotate._data.read import recorded_base
from sc_annotate._data.signs import BASES
from sc_annotate._vocabulary.gene_ids.mapping import MERGED, GeneMapping, listed
from sc_annotate._vocabulary.gene_names import look
from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def mapped(adata: AnnData, mapping: GeneMapping, raw: GeneMapping | None) -> tuple[AnnData, list[str]]:
    """The object with its genes renamed and merged, and notes."""
    from anndata import AnnData

    notes: list[str] = []
    shape = adata.n_obs, len(mapping.genes)
    X = None if adata.X is None else _matrix(adata, adata.X, "X", mapping, notes)
    layers = {
        name: _matrix(adata, layer, f"layers[{name!r}]", mapping, notes)
        for name, layer in adata.layers.items()
        if name is not None
    }
    out = AnnData(X=X, var=_var(adata.var, mapping), layers=layers, shape=None if layers or X is not None else shape)
    # Only afterwards: names of cells that occur twice, which the user has been warned of, would be a warning again.
    out.obs = adata.obs.copy()
    out.uns = copy.deepcopy(dict(adata.uns))
    for name in ("obsm", "obsp"):
        for key, value in getattr(adata, name).items():
            getattr(out, name)[key] = value.copy()
    if X is not None and (mapping.code < 0).any():
        notes += _lost(adata, mapping)
    if mapping.merges and (gone := [*adata.varm, *adata.varp]):
        notes.append(f"varm and varp left out ({', '.join(gone)}): they are not those of the merged genes")
    if not mapping.merges:
        for key, value in adata.varm.items():
            out.varm[key] = (
                value.iloc[mapping.first].set_axis(out.var_names) if hasattr(value, "iloc") else value[mapping.first]
            )
        for key, value in adata.varp.items():
            out.varp[key] = value[mapping.first][:, mapping.first]
    if raw is not None and adata.raw is not None:
        values_of_raw = _matrix(adata, adata.raw.X, "raw.X", raw, notes)
        out.raw = AnnData(X=values_of_raw, var=_var(adata.raw.var, raw))
        notes.append(f"raw has {len(raw.genes):,} genes of {len(raw.names):,}")
    return out, notes


def _matrix(adata: AnnData, X: Any, where: str, mapping: GeneMapping, notes: list[str]) -> Any:
    """One matrix with the new genes; how its values were added goes to the notes."""
    check_layout(X, f"adata.{where}")
    unlog = None
    if mapping.merges:
        report = values.look(Source(X, where, mapping.names, adata.var), recorded_base=recorded_base(adata))
        merged = mapping.names[mapping.status == MERGED].tolist()
        problem = f"{len(merged)} genes are to be merged ({listed(merged)}), and adata.{where} holds "
        if report.n_nan or report.n_inf:
            raise MatrixError(f"{problem}NaN or infinite values. Replace them, or choose merge='first'.")
        if report.kind in ("scaled", "negative", "mixed"):
            raise MatrixError(
                f"{problem}{report.kind} values ({report.evidence}), which cannot be added. Map the genes of the object as it was "
                f"before, choose merge='first', or delete adata.{where} in a copy."
            )
        if report.base is not None:
            unlog = BASES[report.base]
            notes.append(
                f"{where}: logarithms of base {report.base} ({report.evidence}), undone for the sums of merged genes"
            )
        else:
            notes.append(f"{where}: {report.kind}, added up for merged genes")
    return remap(X, mapping, unlog=unlog, where=f"adata.{where}")


def _lost(adata: AnnData, mapping: GeneMapping) -> list[str]:
    """How much of a cell goes with the lost genes: what is normalised afterwards is normalised without it."""
    source = Source(adata.X, "X", mapping.names, adata.var)
    if values.look(source, recorded_base=recorded_base(adata)).kind != "counts":
        return []
    chosen = values.sample_rows(source.n_cells)
    block = rows(adata.X, chosen).astype(np.float64)
    totals = np.asarray(block.sum(axis=1)).ravel()
    lost = np.asarray(block[:, np.flatnonzero(mapping.code < 0)].sum(axis=1)).ravel()
    if not totals.any():
        return []
    share = float(np.median(lost[totals > 0] / totals[totals > 0]))
    return [f"lost genes hold {share:.1%} of the counts of a cell (median of {len(chosen):,} cells)"]


def _var(var: pd.DataFrame, mapping: GeneMapping) -> pd.DataFrame:
    import pandas as pd

    out = var.iloc[mapping.first].copy()
    out.index = pd.Index(mapping.genes.astype(object))
    old = mapping.names[mapping.first]
    if "gene_ids" not in out and look(mapping.names).id_type.startswith("ensembl") and (old != mapping.genes).any():
        out["gene_ids"] = old.astype(object)
    return out
