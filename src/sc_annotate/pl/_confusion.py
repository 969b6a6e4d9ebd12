"""True types against predicted ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._store.reading import check_column, read_labels
from sc_annotate._store.slots import DEFAULT_KEY, GIVEN
from sc_annotate._store.storage import read_uns
from sc_annotate._store.stored import read_annotation, read_baseline, read_confusion
from sc_annotate.errors import InputError, LabelError
from sc_annotate.pl import _heatmap as heatmap
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, one_axes
from sc_annotate.pl._order import by_similarity, in_natural_order
from sc_annotate.pl._parts import part_of_labels

if TYPE_CHECKING:
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Table:
    """Counts, true types x predicted types, both in the order of `types`, and the title."""

    counts: NDArray[np.int64]
    types: NDArray[np.str_]
    title: list[str]
    prediction: str = "label"


@documented()
def confusion(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    truth: str | None = None,
    prediction: str | None = None,
    normalize: Literal["true"] | None = "true",
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw true types (rows) against predicted types (columns).

    Types that are confused with each other stand next to each other. Rows and columns are the types of both sides; where
    the two share no name, the rows are the true types and the columns the predicted ones. Cells without a true type and
    pre-labelled cells are left out and counted in the title.

    Parameters
    ----------
    %(annotated)s
    %(key)s
    truth
        Column of ``adata.obs`` with the true types. Without it, the confusion of held-out reference cells is drawn, as
        stored when the model was scored.
    prediction
        What to compare with `truth` instead of the label: ``"voted"``, ``"rollup"`` or a level, by the name of the level or
        of the column (``"annotation_voted"``). Not for held-out cells, of which only the labels were kept.
    normalize
        ``"true"`` for the share of each true type, None for numbers of cells.
    %(ax)s
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes, or the figure. Numbers are written up to 15 types; ``n`` beside a row is its number of cells.

    Raises
    ------
    InputError
        No such column or option.
    LabelError
        No cell has both a true type and a prediction.
    StorageError
        No such result, or one without held-out scores (``cv=0``).

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> ax = sca.pl.confusion(query, truth="cell_type", show=False)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('predicted type', 'cell_type')
    """
    check_save(save)
    if normalize not in ("true", None):
        raise InputError(f"normalize must be 'true' (share of each true type) or None (cells), not {normalize!r}.")
    if truth is None and prediction is not None:
        raise InputError(
            f"prediction={prediction!r} needs truth, a column of adata.obs with the true types: of held-out reference cells only "
            "the labels were kept. Name truth too, or leave prediction out."
        )
    table = _held_out(adata, key) if truth is None else _against(adata, key, truth, prediction)
    natural = in_natural_order(table.types)
    counts, types = table.counts[np.ix_(natural, natural)], table.types[natural]
    with np.errstate(invalid="ignore"):
        shares = counts / counts.sum(axis=1, keepdims=True)
    is_true, is_predicted = counts.sum(axis=1) > 0, counts.sum(axis=0) > 0
    order = by_similarity(shares)
    if table.prediction == "rollup":  # a coarse term holds cells of many types, which are not confused with one another
        own = np.flatnonzero(is_true)
        order = np.concatenate([own[by_similarity(shares[np.ix_(own, own)])], np.flatnonzero(~is_true)])
    disjoint = not (is_true & is_predicted).any()
    rows = order[is_true[order]] if disjoint else order
    columns = order[is_predicted[order]] if disjoint else order
    values = (shares if normalize == "true" else counts.astype(float))[np.ix_(rows, columns)]
    values[counts[rows].sum(axis=1) == 0] = np.nan
    ax = _draw(ax, values, counts[np.ix_(rows, columns)], types[rows], types[columns], normalize)
    style.title(ax, table.title)
    words = "predicted type" if prediction is None else f"predicted: {table.prediction}"
    style.axis_names(ax, words, "true type (held out)" if truth is None else truth)
    return finish(ax, show=show, save=save, return_fig=return_fig)


def _held_out(adata: AnnData, key: str) -> Table:
    stored, baseline = read_uns(adata, key), read_baseline(adata, key)
    types, counts = read_confusion(adata, key)
    n = int(counts.sum())
    return Table(counts, types, [f"{stored['method']} on {n:,} held-out reference cells", str(baseline["split"])])


def _against(adata: AnnData, key: str, truth: str, prediction: str | None) -> Table:
    frame = read_annotation(adata, key)
    part = "label" if prediction is None else part_of_labels(adata, frame, key, prediction, argument="prediction")
    if check_column(adata, truth, argument="truth").isna().all():
        raise LabelError(
            f"adata.obs[{truth!r}] (truth) holds no true type. Name another column, or None for held-out cells."
        )
    true, known = read_labels(adata, truth, what="adata")
    predicted = np.asarray(frame[part].notna(), dtype=bool)
    given = np.asarray(frame["status"] == GIVEN, dtype=bool) if "status" in frame else np.zeros(len(frame), dtype=bool)
    used = known & predicted & ~given
    if not used.any():
        raise LabelError(
            f"no cell has both a type in adata.obs[{truth!r}] and a prediction of {key!r}: "
            f"{_left_out(known, predicted, given)}. Name another column of true types."
        )
    labels = np.asarray(frame[part].astype(str), dtype=str)[used]
    types = np.union1d(true[used], labels)
    codes = np.searchsorted(types, true[used]) * len(types) + np.searchsorted(types, labels)
    counts = np.bincount(codes, minlength=len(types) ** 2).reshape(len(types), len(types))
    left = _left_out(known, predicted, given)
    drawn = key if part == "label" else f"{key} ({part})"
    title = [f"{drawn} against {truth}, {int(used.sum()):,} cells", *([f"left out: {left}"] if left else [])]
    return Table(counts, types, title, part)


def _left_out(known: NDArray[np.bool_], predicted: NDArray[np.bool_], given: NDArray[np.bool_]) -> str:
    """Each cell that is left out, counted once."""
    reasons = {
        "pre-labelled": given,
        "without a true type": ~known & ~given,
        "without a prediction": known & ~predicted & ~given,
    }
    return ", ".join(f"{int(mask.sum()):,} {why}" for why, mask in reasons.items() if mask.any())


def _draw(
    ax: Any,
    values: NDArray[np.float64],
    counts: NDArray[np.int64],
    rows: NDArray[np.str_],
    columns: NDArray[np.str_],
    normalize: str | None,
) -> Axes:
    n = max(len(rows), len(columns))
    written = n <= heatmap.MOST_NUMBERS
    field = 0.42 if written else heatmap.pitch(n) + 0.02
    y = [f"{name}  (n={int(c):,})" for name, c in zip(style.shorten(rows), counts.sum(axis=1), strict=True)]
    x = style.shorten(columns)
    ax = one_axes(
        ax,
        max(field * len(columns), 1.5) + style.width_of(y, heatmap.font_for(len(y))) + 1.4,
        max(field * len(rows), 1.5) + style.width_of(x, heatmap.font_for(len(x))) + 1.0,
    )
    shares = normalize == "true"
    image = heatmap.draw(
        ax, np.ma.masked_invalid(values), y, x=x, top=1.0 if shares else None, aspect="equal",
        name="share of the true type" if shares else "cells",
    )  # fmt: skip
    ax.set_facecolor("#f2f2f2")  # predicted types that are no true type
    if written:
        fields = [(int(i), int(j)) for i, j in np.argwhere(counts)]
        heatmap.numbers(ax, image, fields, lambda i, j: f"{values[i, j]:.2f}" if shares else f"{counts[i, j]:,}")
    return ax
