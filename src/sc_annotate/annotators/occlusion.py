"""Which genes push a cell towards a type, for any model: take one gene away and ask again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, issparse

from sc_annotate._core.cells import as_matrix
from sc_annotate._core.settings import track
from sc_annotate.annotators._linear_evidence import check_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.annotators._base import Matrix

LEAST = 1e-6
"""Probabilities nearer to 0 or 1 count as this near: beyond, they are rounding, or no tree voted otherwise."""


def log_odds(p: ArrayLike) -> NDArray[np.float64]:
    """Natural log-odds of probabilities, kept between about -14 and 14."""
    kept = np.clip(np.asarray(p, dtype=np.float64), LEAST, 1 - LEAST)
    return np.asarray(np.log(kept) - np.log1p(-kept))


def occlusion(
    predict_proba: Callable[[Any], Any],
    X: Matrix,
    codes: ArrayLike,
    *,
    among: NDArray[np.bool_] | None = None,
    block_size: int = 4096,
    progress: str = "deleting genes",
) -> csr_matrix:
    """How much the log-odds of a type fall when one gene is set to 0, for every gene with a value.

    It asks the model once for every value that is not 0, so it takes about as long as naming (cells x expressed genes)
    cells. Genes that stand in for each other hide each other: with one gone, the other still speaks.

    Parameters
    ----------
    predict_proba
        From cells x genes to cells x types.
    X
        Cells x genes, CSR or dense. Not modified.
    codes
        The type in question, one number a cell.
    among
        Which columns to try; by default all. The others get 0.
    block_size
        Changed cells that are predicted at a time.
    progress
        What the bar says.

    Returns
    -------
    Cells x genes, float32 CSR: log-odds with the gene minus log-odds without it; positive pushes towards the type.

    References
    ----------
    Zeiler & Fergus 2014, Visualizing and understanding convolutional networks,
    `doi:10.1007/978-3-319-10590-1_53 <https://doi.org/10.1007/978-3-319-10590-1_53>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.occlusion import occlusion
    >>> def two_types(X):
    ...     odds = np.exp(X @ [1.0, -1.0])
    ...     return np.column_stack([odds, np.ones(len(X))]) / (1 + odds)[:, None]
    >>> X = np.array([[2, 1], [0, 3]], dtype=np.float32)
    >>> occlusion(two_types, X, [0, 0]).toarray().round(3).tolist()
    [[2.0, -1.0], [0.0, -3.0]]
    """
    matrix: Any = as_matrix(X)
    cells = csr_matrix(matrix)
    if not cells.data.all():
        cells = cells.copy()
        cells.eliminate_zeros()
    whole = np.asarray(predict_proba(matrix))
    numbers = check_codes(codes, cells.shape[0], whole.shape[1])
    before = log_odds(whole[np.arange(len(numbers)), numbers])
    row = np.repeat(np.arange(cells.shape[0]), np.diff(cells.indptr))
    fall = np.zeros(cells.nnz, dtype=np.float32)
    tried = np.arange(cells.nnz) if among is None else np.flatnonzero(among[cells.indices])
    for start in track(range(0, len(tried), block_size), what=progress):
        one = tried[start : start + block_size]
        changed = _without(cells, row[one], cells.indices[one])
        p = np.asarray(predict_proba(changed if issparse(matrix) else changed.toarray()))
        fall[one] = before[row[one]] - log_odds(p[np.arange(len(p)), numbers[row[one]]])
    return csr_matrix((fall, cells.indices.copy(), cells.indptr.copy()), shape=cells.shape)


def _without(cells: csr_matrix, rows: NDArray[np.intp], genes: NDArray[Any]) -> csr_matrix:
    """Copies of these cells, each without one gene."""
    out = csr_matrix(cells[rows])
    changed = np.repeat(np.arange(len(rows)), np.diff(out.indptr))
    out.data[out.indices == np.asarray(genes)[changed]] = 0
    out.eliminate_zeros()
    return out
