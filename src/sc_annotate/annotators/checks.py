"""Checks of input that every annotator needs: a clean matrix and clean labels, or an error that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate._core.cells import as_matrix, need_finite
from sc_annotate._core.codec import check_texts
from sc_annotate.errors import GeneError, InputError, LabelError, MethodError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy.sparse import csr_array


MANY_TYPES = 500
"""With more types than this, fits use faster settings, which their notes record: the usual ones would take hours."""


class Training(NamedTuple):
    """Checked training data, as :func:`check_fit` returns it.

    Examples
    --------
    >>> import numpy as np
    >>> check_fit(np.ones((2, 1)), ["T", "B"], ["CD3D"]).classes.tolist()
    ['B', 'T']
    """

    X: NDArray[np.float32] | csr_array
    """Cells x genes."""
    codes: NDArray[np.intp]
    """Type of each cell as a position in `classes`, shape (n,)."""
    classes: NDArray[np.str_]
    """Names of the types, sorted, shape (k,); each has at least one cell."""


@public
def as_labels(y: Any) -> NDArray[np.str_]:
    """Labels as a numpy string array.

    Parameters
    ----------
    y
        A list, an array of any kind, a pandas string array or a categorical; one label a cell.

    Returns
    -------
    str, shape (n,).

    Raises
    ------
    sc_annotate.errors.LabelError
        Missing labels, or other than one dimension.

    Examples
    --------
    >>> as_labels(["B", "T"])
    array(['B', 'T'], dtype='<U1')
    """
    import pandas as pd

    values = np.asarray(y, dtype=object)
    if values.ndim != 1:
        raise LabelError(f"y must have one dimension, one label a cell, not {values.ndim}.")
    if missing := int(pd.isna(values).sum()):
        raise LabelError(f"y has {missing} missing labels of {len(values)}. Train on the labelled cells only.")
    check_texts(values.tolist(), "y", LabelError)
    return values.astype(str)


@public
def check_fit(X: Any, y: Any, genes: Any, batch: Any = None, *, min_classes: int = 2) -> Training:
    """Check the arguments of ``fit``.

    Parameters
    ----------
    X, y, genes, batch
        As of :meth:`Annotator.fit`. Not modified.
    min_classes
        Fewest types that the method can learn from.

    Returns
    -------
    The matrix, the codes of the cells' types, and the names of the types.

    Raises
    ------
    sc_annotate.errors.MatrixError
        Values that are no finite numbers, or other than two dimensions.
    sc_annotate.errors.GeneError
        No genes, or not one name a column.
    sc_annotate.errors.LabelError
        Missing labels, not one a cell, or too few different ones.
    sc_annotate.errors.InputError
        Not one batch a cell.

    Examples
    --------
    >>> import numpy as np
    >>> matrix, codes, classes = check_fit(np.ones((3, 1)), ["T", "B", "T"], ["CD3D"])
    >>> codes.tolist(), classes.tolist()
    ([1, 0, 1], ['B', 'T'])
    """
    matrix = as_matrix(X)
    need_finite(matrix)
    labels = as_labels(y)
    n_cells, n_genes = matrix.shape
    if len(labels) != n_cells:
        raise LabelError(f"y has {len(labels)} labels and X has {n_cells} cells. Hand in one label a cell.")
    if len(genes) != n_genes:
        raise GeneError(f"genes has {len(genes)} names and X has {n_genes} columns. Hand in one name a column.")
    if n_genes == 0:
        raise GeneError("X has no genes. Select at least one.")
    if batch is not None and len(batch) != n_cells:
        raise InputError(
            f"batch has {len(batch)} entries and X has {n_cells} cells. Hand in one entry a cell, or None."
        )
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < min_classes:
        found = f"only {str(classes[0])!r}" if len(classes) else "none"
        raise LabelError(f"y needs at least {min_classes} different labels and has {found}.")
    return Training(matrix, codes.astype(np.intp, copy=False), classes)


@public
def check_predict(X: Any, n_genes: int) -> NDArray[np.float32] | csr_array:
    """Check the argument of ``predict_proba``.

    Parameters
    ----------
    X
        Cells x genes. Not modified.
    n_genes
        Genes that the model was fitted on.

    Returns
    -------
    The matrix, as of :func:`as_matrix`.

    Raises
    ------
    sc_annotate.errors.GeneError
        Another number of columns.
    sc_annotate.errors.MatrixError
        As of :func:`check_fit`.

    Examples
    --------
    >>> import numpy as np
    >>> check_predict(np.ones((5, 2)), 2).shape
    (5, 2)
    """
    matrix = as_matrix(X)
    if matrix.shape[1] != n_genes:
        raise GeneError(
            f"X has {matrix.shape[1]} columns and the model was fitted on {n_genes} genes. "
            "Hand in the same genes in the same order."
        )
    need_finite(matrix)
    return matrix


@public
def need_fitted(model: Any, attribute: str) -> None:
    """Raise MethodError where ``fit`` has not set an attribute yet.

    Parameters
    ----------
    model
        A method.
    attribute
        What ``fit`` sets.

    Examples
    --------
    >>> from sc_annotate.annotators.majority import Majority
    >>> need_fitted(Majority(), "shares_")
    Traceback (most recent call last):
        ...
    sc_annotate.errors.MethodError: this Majority is not fitted. Call fit(X, y, genes=...) first.
    """
    if not hasattr(model, attribute):
        raise MethodError(f"this {type(model).__name__} is not fitted. Call fit(X, y, genes=...) first.")


def need_not_negative(model: Any, name: str) -> None:
    """Raise MethodError unless the named hyperparameter is a finite number from 0."""
    value = getattr(model, name)
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < np.inf:
        raise MethodError(f"{type(model).__name__}: {name} must be a finite number from 0, not {value!r}.")


def row_blocks(n_rows: int, size: int) -> Iterator[slice]:
    """Slices that cover `n_rows` in blocks of `size`."""
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))
