"""The cells to be annotated, opened: which matrix, which of them are labelled already, which counts there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core import arrays
from sc_annotate._data import gene_match
from sc_annotate.errors import GeneError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.read import Input
    from sc_annotate._data.request import MatrixRequest
    from sc_annotate.annotation.training import LabelledCells


@dataclass(frozen=True)
class Query:
    """An AnnData whose cells are to be labelled, its matrix found and looked at.

    `cells` says which of them are labelled already, where an object is its own reference; `problems` is what looked wrong
    beside the reference.
    """

    adata: AnnData
    matrix: MatrixRequest
    found: Input
    cells: LabelledCells | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def labelled(self) -> NDArray[np.bool_] | None:
        """Cells that are labelled already; None where none was looked for."""
        return None if self.cells is None else self.cells.labelled

    @property
    def rows(self) -> NDArray[np.intp]:
        """Cells without a label."""
        labelled = self.labelled
        return np.arange(self.found.source.n_cells) if labelled is None else np.flatnonzero(~labelled)


def same_cells(adata: AnnData, query: Input, reference: AnnData, ref: Input) -> int:
    """How many query cells are also in the reference: same name and the same values.

    Names alone prove nothing, since droplet barcodes repeat between samples; so up to 50 of them are compared.
    """
    if adata is reference or query.source.is_embedding:
        return 0
    names, others = adata.obs_names, reference.obs_names
    both = np.flatnonzero(names.isin(others))
    if len(both) == 0:
        return 0
    picked = both[:: max(1, len(both) // 50)][:50]
    partners = np.array([int(np.argmax(np.asarray(others == names[i]))) for i in picked], dtype=np.intp)
    try:
        match = gene_match.match(query.names, ref.names)
    except GeneError:
        return 0
    same = (_expressed(query, picked, match.query) == _expressed(ref, partners, match.reference)).all(axis=1)
    return len(both) if float(same.mean()) > 0.5 else 0


def _expressed(found: Input, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which genes some cells express: the same for one cell on any scale."""
    order = np.argsort(rows, kind="stable")
    block: Any = arrays.rows(found.source.X, rows[order])[:, columns]
    dense = block.toarray() if sparse.issparse(block) else np.asarray(block)
    out = np.empty(dense.shape, dtype=bool)
    out[order] = dense > 0
    return out
