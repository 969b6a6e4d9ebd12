"""How well the predicted types agree with the true ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError, LabelError
from sc_annotate.metrics import classification as _kernels
from sc_annotate.metrics.encoding import class_positions, encode, encode_pair
from sc_annotate.metrics.probabilities import brier, log_loss

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Counts = NDArray[np.integer[Any] | np.floating[Any]]
    from numpy.typing import NDArray


__all__ = ["confusion"]


@public
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


def count(true: NDArray[np.intp], predicted: NDArray[np.intp], k: int) -> tuple[Counts, Counts, Counts]:
    """Cells of each type, cells labelled as each type, correct labels of each type; a label of -1 is no label."""
    n_true = np.bincount(true, minlength=k)
    n_predicted = np.bincount(predicted[predicted >= 0], minlength=k)
    n_right = np.bincount(true[true == predicted], minlength=k)
    return n_true, n_predicted, n_right


def ratio(above: Counts, below: Counts, otherwise: float) -> NDArray[np.float64]:
    """`above` / `below`; `otherwise` where `below` is 0."""
    out = np.full(np.broadcast_shapes(above.shape, below.shape), otherwise, dtype=np.float64)
    np.divide(above, below, out=out, where=below > 0)
    return out


def f1(n_true: Counts, n_predicted: Counts, n_right: Counts) -> NDArray[np.float64]:
    """F1 of each type; 0 where it is never predicted."""
    return ratio(2 * n_right, n_true + n_predicted, 0.0)


def mean_over_present(scores: NDArray[np.float64], n_true: Counts) -> NDArray[np.float64]:
    """Mean over the types (last axis) that have cells in the truth."""
    present = n_true > 0
    return ratio((scores * present).sum(axis=-1), present.sum(axis=-1), np.nan)


__all__ = ["accuracy", "balanced_accuracy", "brier", "confusion", "log_loss", "macro_f1", "per_type"]


def _table(y: ArrayLike, labels: ArrayLike, over: str) -> tuple[NDArray[np.str_], tuple[_kernels.Counts, ...]]:
    """Types that count, and their cells, labels and correct labels."""
    if over not in ("truth", "union"):
        raise InputError(f"over must be 'truth' or 'union', not {over!r}.")
    types, true, predicted = encode_pair(y, labels)
    counts = _kernels.count(true, predicted, types.size)
    keep = counts[0] > 0 if over == "truth" else np.ones(types.size, dtype=bool)
    return types[keep], tuple(c[keep] for c in counts)


@public
def accuracy(y: ArrayLike, labels: ArrayLike) -> float:
    """Share of cells whose call is right.

    All cells count. A cell without a label (None, NaN, NA or "") counts as wrong.

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    labels
        Predicted type of each cell, shape (n,).

    Returns
    -------
    Between 0 and 1.

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, or `y` and `labels` differ in length; a LabelError where a true type is missing.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.metrics.accuracy(["B", "B", "T", "NK"], ["B", "T", "T", None])
    0.5
    """
    _, true, predicted = encode_pair(y, labels)
    return float((true == predicted).mean())


@public
def macro_f1(y: ArrayLike, labels: ArrayLike, *, over: Literal["truth", "union"] = "truth") -> float:
    """Mean of the F1 scores of the types, each type weighing the same.

    F1 of a type is ``2 TP / (2 TP + FP + FN)``, and 0 for a type that is never predicted correctly. All cells count. A cell
    without a label (None, NaN, NA or "") counts as wrong: it is a false negative of its type, and "no label" is never a
    type of its own, so rejecting cells cannot raise the score by dropping them.

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    labels
        Predicted type of each cell, shape (n,).
    over
        Which types the mean runs over: ``"truth"``, those with cells in `y`; ``"union"``, also those that only occur
        as predictions, whose F1 is 0. (scikit-learn's default is the union.)

    Returns
    -------
    Between 0 and 1.

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, `y` and `labels` differ in length, or `over` is unknown; a LabelError where a true type is missing.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> y, labels = ["B", "B", "T", "T"], ["B", "B", "T", "NK"]
    >>> round(sca.metrics.macro_f1(y, labels), 4)
    0.8333
    >>> round(sca.metrics.macro_f1(y, labels, over="union"), 4)
    0.5556
    """
    _, counts = _table(y, labels, over)
    return float(_kernels.f1(*counts).mean())


@public
def balanced_accuracy(y: ArrayLike, labels: ArrayLike) -> float:
    """Mean over types of the share of their cells that are labelled correctly (macro recall).

    The types are those with cells in `y`; all cells count, and one without a label (None, NaN, NA or "") is wrong.

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    labels
        Predicted type of each cell, shape (n,).

    Returns
    -------
    Between 0 and 1.

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, or `y` and `labels` differ in length; a LabelError where a true type is missing.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.metrics.balanced_accuracy(["B", "B", "B", "B", "T"], ["B", "B", "B", "B", "B"])
    0.5
    """
    _, (n_true, _, n_right) = _table(y, labels, "truth")
    return float((n_right / n_true).mean())


@public
def per_type(y: ArrayLike, labels: ArrayLike, *, over: Literal["truth", "union"] = "truth") -> dict[str, NDArray[Any]]:
    """Precision, recall and F1 of each type.

    All cells count; one without a label (None, NaN, NA or "") lowers the recall of its type.

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    labels
        Predicted type of each cell, shape (n,).
    over
        ``"truth"``: the types with cells in `y`. ``"union"``: also those that only occur as predictions.

    Returns
    -------
    Arrays of one length, types in sorted order: ``type`` (str), ``precision`` (NaN for a type never predicted), ``recall``
    (NaN for a type without cells), ``f1`` (0 for both of these) and ``n`` (cells of the type, int64).
    ``pandas.DataFrame(per_type(y, labels))`` makes a table of it.

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, `y` and `labels` differ in length, or `over` is unknown; a LabelError where a true type is missing.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> table = sca.metrics.per_type(["B", "B", "T"], ["B", "T", "T"])
    >>> {name: column.tolist() for name, column in table.items() if name != "f1"}
    {'type': ['B', 'T'], 'precision': [1.0, 0.5], 'recall': [0.5, 1.0], 'n': [2, 1]}
    """
    types, (n_true, n_predicted, n_right) = _table(y, labels, over)
    return {
        "type": types,
        "precision": _kernels.ratio(n_right, n_predicted, np.nan),
        "recall": _kernels.ratio(n_right, n_true, np.nan),
        "f1": _kernels.f1(n_true, n_predicted, n_right),
        "n": n_true.astype(np.int64),
    }
