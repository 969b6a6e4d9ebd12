"""Probabilities of all types, cell by cell or for groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import Unset, default, value_of
from sc_annotate._core.docs import documented
from sc_annotate._core.order import shown_order
from sc_annotate._store.reading import check_column
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_annotation, read_probabilities
from sc_annotate.errors import InputError, StorageError
from sc_annotate.pl import _heatmap as heatmap
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, one_axes
from sc_annotate.pl._order import by_similarity, in_natural_order

if TYPE_CHECKING:
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MOST_GROUPS = 200


@dataclass(frozen=True)
class Table:
    """Probabilities, cells x types with similar types next to each other, which cells have any, and what is left out."""

    proba: NDArray[np.floating]
    types: NDArray[np.str_]
    known: NDArray[np.bool_]
    left: list[str]


@documented()
def probabilities(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    groupby: str | None = None,
    max_cells: int = default(2_000),
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw the probabilities of all types, for each cell or as the mean of groups of cells.

    Similar types stand next to each other. Cells are ordered by label and, within a label, from the most to the
    least confident; the strip above has the colours of the labels. Pre-labelled cells, which have no probabilities, are
    left out and counted in the title.

    Parameters
    ----------
    %(annotated)s
    %(key)s
    groupby
        Column of ``adata.obs``, such as clusters: draw the mean probability of each type in each group.
    max_cells
        Largest number of cells to draw; of more cells, evenly spaced ones are drawn and the title says so. Not with
        `groupby`.
    %(ax)s
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes, or the figure. Types are the rows; cells or groups are the columns.

    Raises
    ------
    InputError
        No such column, a column of too many groups, or no cell with probabilities.
    StorageError
        No such result, or one without probabilities of its own.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> ax = sca.pl.probabilities(query, groupby="louvain", show=False)
    >>> ax.get_xlabel()
    'louvain'
    """
    check_save(save)
    if groupby is not None and not isinstance(max_cells, Unset):
        raise InputError(
            f"max_cells={max_cells!r} limits the number of cells, but with groupby= groups are drawn. Leave one of them out."
        )
    max_cells = value_of(max_cells)
    if isinstance(max_cells, bool) or not isinstance(max_cells, int | np.integer) or max_cells < 1:
        raise InputError(f"max_cells must be a whole number of at least 1, not {max_cells!r}.")
    frame = read_probabilities(adata, key)
    frame = frame.iloc[:, in_natural_order(frame.columns)]
    proba, types = frame.to_numpy(), np.asarray(frame.columns, dtype=str)
    known = np.isfinite(proba).all(axis=1)
    if not known.any():
        raise StorageError(f"no cell has probabilities in {key!r}: all cells were pre-labelled. Nothing can be drawn.")
    order = _order(proba[known])
    left = [f"{int((~known).sum()):,} cells without probabilities"] if not known.all() else []
    table = Table(proba[:, order], types[order], known, left)
    ax = _cells(adata, key, table, max_cells, ax) if groupby is None else _groups(adata, key, table, groupby, ax)
    return finish(ax, show=show, save=save, return_fig=return_fig)


def _order(proba: NDArray[np.floating]) -> NDArray[np.intp]:
    """Types that are probable in the same cells stand together."""
    k, best = proba.shape[1], proba.argmax(axis=1)
    sums = np.stack([proba[best == i].sum(axis=0, dtype=np.float64) for i in range(k)])
    return by_similarity(sums / np.maximum(np.bincount(best, minlength=k), 1)[:, None])


def _cells(adata: AnnData, key: str, table: Table, max_cells: int, ax: Any) -> Axes:
    from matplotlib.colors import to_rgb

    proba, types = table.proba, table.types
    cells = np.flatnonzero(table.known)
    best = proba[cells].argmax(axis=1)
    sorting = np.lexsort((-proba[cells].max(axis=1), best))
    n = len(cells)
    if n > max_cells:
        sorting = sorting[np.linspace(0, n - 1, max_cells).round().astype(np.intp)]
    cells, best = cells[sorting], best[sorting]
    labels = style.shorten(types)
    width = style.width_of(labels, heatmap.font_for(len(types)))
    ax = one_axes(ax, 6.0 + width + 1.2, max(heatmap.pitch(len(types)) * len(types), 1.5) + 1.0)
    heatmap.draw(ax, proba[cells].T, labels, top=1.0, name="probability", aspect="auto")
    colors = style.type_colors(adata, key, read_annotation(adata, key)["label"].astype("category"))
    strip = np.array([to_rgb(colors.get(name, style.GREY)) for name in types])
    # In Axes of its own, so that row 0 of the heatmap stays the first type.
    above = ax.inset_axes((0, 1 + 0.1 / len(types), 1, 0.3 / len(types)))
    above.imshow(strip[best][None], aspect="auto", interpolation="nearest")
    above.set_axis_off()
    beside = ax.inset_axes((-0.012, 0, 0.01, 1))
    beside.imshow(strip[:, None], aspect="auto", interpolation="nearest")
    beside.set_axis_off()
    ax.tick_params(axis="y", pad=9)
    for edge in np.flatnonzero(np.diff(best)):
        ax.axvline(edge + 0.5, color="#cccccc", lw=0.5)
    ax.set_xticks([])
    style.axis_names(ax, "cells, by label and decreasing confidence")
    shown = f"{n:,} cells" if len(cells) == n else f"{len(cells):,} of {n:,} cells, evenly spaced"
    _title(ax, f"{key}: {shown}", table.left)
    return ax


def _groups(adata: AnnData, key: str, table: Table, groupby: str, ax: Any) -> Axes:
    known, left = table.known, table.left
    column = check_column(adata, groupby, argument="groupby")
    if column.nunique() > MOST_GROUPS:
        raise InputError(
            f"adata.obs[{groupby!r}] (groupby) has {column.nunique():,} different values; at most {MOST_GROUPS} groups can be "
            "drawn. Name a column of groups, such as clusters."
        )
    column = column.astype("category").cat.remove_unused_categories()
    codes = np.asarray(column.cat.codes)
    if ungrouped := int((known & (codes < 0)).sum()):
        left = [*left, f"{ungrouped:,} cells without a {groupby}"]
    sizes = np.array([(known & (codes == i)).sum() for i in range(len(column.cat.categories))], dtype=np.intp)
    names = [str(c) for c in column.cat.categories]
    place = {name: i for i, name in enumerate(shown_order(names))}
    drawn = np.array([i for i in np.argsort([place[name] for name in names]) if sizes[i]], dtype=np.intp)
    if not len(drawn):
        raise InputError(
            f"no cell with probabilities has a value in adata.obs[{groupby!r}] (groupby). Name another column."
        )
    means = np.stack([table.proba[known & (codes == i)].mean(axis=0, dtype=np.float64) for i in drawn], axis=1)
    tops = style.shorten(names[i] for i in drawn)
    x = [f"{name}  (n={size:,})" for name, size in zip(tops, sizes[drawn], strict=True)]
    y = style.shorten(table.types)
    written = max(means.shape) <= heatmap.MOST_NUMBERS
    across, down = (0.42, 0.3) if written else (heatmap.pitch(len(x)), heatmap.pitch(len(y)))
    ax = one_axes(
        ax,
        max(across * len(x), 1.5) + style.width_of(y, heatmap.font_for(len(y))) + 1.4,
        max(down * len(y), 1.5) + style.width_of(x, heatmap.font_for(len(x))) + 1.0,
    )
    image = heatmap.draw(ax, means, y, x=x, top=1.0, name="mean probability", aspect="auto")
    if written:
        fields = [(int(i), int(j)) for i, j in np.argwhere(means >= 0.005)]
        heatmap.numbers(ax, image, fields, lambda i, j: f"{means[i, j]:.2f}")
    style.axis_names(ax, groupby)
    _title(ax, f"{key}: mean probabilities", left)
    return ax


def _title(ax: Axes, title: str, left: list[str]) -> None:
    # Above the strip of the labels.
    style.title(ax, [title, *([f"left out: {', '.join(left)}"] if left else [])], pad=12)
