"""Which types are taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import LabelError
from sc_annotate.metrics.encoding import class_positions, encode, encode_pair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["confusion"]


def confusion(y: ArrayLike, labels: ArrayLike, classes: ArrayLike, *, rejected: bool = False) -> NDArray[np.int64]:
    """Count the cells of each true type (row) by the type they were labelled (column).

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    labels
        Predicted type of each cell, shape (n,).
    classes
        The types of rows and columns, shape (k,), without repeats; every type in `y` and `labels` must be among them.
    rejected
        Add a last column with the cells that have no label (None, NaN, NA or ""). Without it such cells are an error,
        because they would be in no column.

    Returns
    -------
    int64, shape (k, k) or, with `rejected`, (k, k + 1). The sum is always the number of cells.

    Raises
    ------
    sc_annotate.errors.LabelError
        A type that is not in `classes`, a repeat in `classes`, or cells without a label while `rejected` is False.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.metrics.confusion(["B", "B", "T"], ["B", "T", "T"], ["B", "T"])
    array([[1, 1],
           [0, 1]])
    >>> sca.metrics.confusion(["B", "B", "T"], ["B", None, "T"], ["B", "T"], rejected=True)
    array([[1, 0, 1],
           [0, 1, 0]])
    """
    types, true, predicted = encode_pair(y, labels)
    position = class_positions(types, classes)
    if not rejected and (n := int((predicted < 0).sum())):
        raise LabelError(f"{n} of {predicted.size} cells have no label. Count them in a column with rejected=True.")
    if (position < 0).any():
        outside = ", ".join(map(repr, types[position < 0][:5].tolist()))
        raise LabelError(f"classes lacks types that y or labels have: {outside}. Add them to classes.")
    k = encode(classes, "classes")[1].size
    columns = k + rejected
    # Cells without a label have code -1, which picks the last entry.
    column = np.append(position, k)[predicted]
    return np.bincount(position[true] * columns + column, minlength=k * columns).reshape(k, columns).astype(np.int64)
