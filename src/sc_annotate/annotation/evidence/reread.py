"""Read the matrix again as `annotate` did, for what is asked about the cells later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sc_annotate._data import gene_match as genes
from sc_annotate._data import read
from sc_annotate._data import transform as scales
from sc_annotate._data.request import MatrixRequest

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.transform import Stated, Transform, Wanted
    from sc_annotate.annotation.evidence.coefficients import Known


@dataclass(frozen=True)
class Reread:
    """A matrix, how its rows come to the model's scale, and which of its columns each gene of the model is (-1: none)."""

    X: Any
    names: NDArray[np.str_]
    transform: Transform
    columns: NDArray[np.intp]


def reread(adata: AnnData, params: dict[str, Any], known: Known) -> Reread:
    """The matrix that the arguments of an earlier call name, by the genes of the model."""
    symbols = _text(params.get("gene_symbols"))
    tables = [adata.var, *([adata.raw.var] if adata.raw is not None else [])]
    use_raw = params.get("use_raw")
    matrix = MatrixRequest(
        layer=_text(params.get("layer")),
        use_raw=None if use_raw is None else bool(use_raw),
        gene_symbols=symbols if any(symbols in table for table in tables) else None,
    )
    found = read.open_input(adata, matrix)
    totals = read.total_counts(adata, _text(params.get("total_counts_key")), what="adata")
    least = float(params.get("min_overlap", genes.MIN_SHARED_FRACTION))
    what = ("adata", "the reference")
    shared = genes.match(found.names, known.names, what=what, min_fraction=least)
    columns = np.full(len(known.means), -1, dtype=np.intp)
    columns[shared.reference] = shared.query
    panel = None
    if known.panel is not None and totals is None:
        panel = genes.match(found.names, known.panel, what=what, min_fraction=least).query
    plan = scales.plan(
        found.values,
        what="adata",
        wanted=cast("Wanted", known.input),
        stated=cast("Stated | None", _text(params.get("values"))),
        totals=totals,
        panel=panel,
        elsewhere=found.elsewhere,
    )
    return Reread(found.source.X, found.source.names, plan, columns)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
