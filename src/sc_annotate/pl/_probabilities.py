"""Probabilities of all types, cell by cell or for groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._data.columns import check_column
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_annotation, read_probabilities
from sc_annotate.errors import InputError, StorageError
from sc_annotate.pl import _heatmap as heatmap
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import finish, one_axes
from sc_annotate.pl._order import by_similarity

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MOST_GROUPS = 200


def probabilities(
    adata: AnnData,
    *,
    key: str = DEFAULT_KEY,
    groupby: str | None = None,
    max_cells: int = 2_000,
    ax: Axes | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw the probabilities of all types, for each cell or as the mean of groups of cells.

    Similar types stand next to each other. Cells stand in the order of their calls and, within a call, from the most to
    the least confident; the strip above them has the colours of the calls. Cells without probabilities, whose label was
    given, are left out and counted in the title.

    Parameters
    ----------
    adata
        An annotated object. Not changed.
    key
        Name of the result (``key_added``).
    groupby
        Column of ``adata.obs``, such as clusters: draw the mean probability of each type in each group.
    max_cells
        Largest number of cells to draw; of more cells, evenly spaced ones are drawn and the title says so.
    ax
        Axes to draw on; a new figure otherwise.
    show
        Whether to show the figure; by default only where matplotlib is interactive.
    return_fig
        Return the figure instead of the Axes.

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
    if isinstance(max_cells, bool) or not isinstance(max_cells, int | np.integer) or max_cells < 1:
        raise InputError(f"max_cells must be a whole number of at least 1, not {max_cells!r}.")
    frame = read_probabilities(adata, key)
    proba, types = frame.to_numpy(), np.asarray(frame.columns, dtype=str)
    known = np.isfinite(proba).all(axis=1)
    if not known.any():
        raise StorageError(f"no cell has probabilities in {key!r}: every label was given. Nothing can be drawn.")
    calls = proba[known].argmax(axis=1)
    order = _order(proba[known], calls)
    left = [f"{int((~known).sum()):,} cells without probabilities"] if not known.all() else []
    if groupby is not None:
        ax = _groups(adata, proba[:, order], types[order], known, groupby, ax, f"{key}: mean probabilities", left)
    else:
        ax = _cells(adata, key, proba[:, order], types[order], known, max_cells, ax, left)
    return finish(ax, show=show, return_fig=return_fig)


def _order(proba: NDArray[np.floating], calls: NDArray[np.intp]) -> NDArray[np.intp]:
    """Types that get probability in the same cells stand together."""
    k = proba.shape[1]
    sums = np.stack([proba[calls == i].sum(axis=0, dtype=np.float64) for i in range(k)])
    return by_similarity(sums / np.maximum(np.bincount(calls, minlength=k), 1)[:, None])


def _cells(
    adata: AnnData,
    key: str,
    proba: NDArray[np.floating],
    types: NDArray[np.str_],
    known: NDArray[np.bool_],
    max_cells: int,
    ax: Any,
    left: list[str],
) -> Axes:
    from matplotlib.colors import to_rgb

    cells = np.flatnonzero(known)
    calls = proba[cells].argmax(axis=1)
    sorting = np.lexsort((-proba[cells].max(axis=1), calls))
    n = len(cells)
    if n > max_cells:
        sorting = sorting[np.linspace(0, n - 1, max_cells).round().astype(np.intp)]
    cells, calls = cells[sorting], calls[sorting]
    labels = style.shorten(types)
    width = style.width_of(labels, heatmap.font_for(len(types)))
    ax = one_axes(ax, 6.0 + width + 1.2, max(heatmap.pitch(len(types)) * len(types), 1.5) + 1.0)
    heatmap.draw(ax, proba[cells].T, labels, top=1.0, name="probability", aspect="auto")
    colors = style.type_colors(adata, key, read_annotation(adata, key)["label"].astype("category"))
    strip = np.array([to_rgb(colors.get(name, style.GREY)) for name in types])
    # In Axes of its own, so that row 0 of the heatmap stays the first type.
    above = ax.inset_axes((0, 1 + 0.1 / len(types), 1, 0.3 / len(types)))
    above.imshow(strip[calls][None], aspect="auto", interpolation="nearest")
    above.set_axis_off()
    beside = ax.inset_axes((-0.012, 0, 0.01, 1))
    beside.imshow(strip[:, None], aspect="auto", interpolation="nearest")
    beside.set_axis_off()
    ax.tick_params(axis="y", pad=9)
    for edge in np.flatnonzero(np.diff(calls)):
        ax.axvline(edge + 0.5, color="#cccccc", lw=0.5)
    ax.set_xticks([])
    style.axis_names(ax, "cells, by call and falling confidence")
    shown = f"{n:,} cells" if len(cells) == n else f"{len(cells):,} of {n:,} cells, evenly spaced"
    _title(ax, f"{key}: {shown}", left)
    return ax


def _groups(
    adata: AnnData,
    proba: NDArray[np.floating],
    types: NDArray[np.str_],
    known: NDArray[np.bool_],
    groupby: str,
    ax: Any,
    title: str,
    left: list[str],
) -> Axes:
    column = check_column(adata, groupby, argument="groupby")
    if column.nunique() > MOST_GROUPS:
        raise InputError(
            f"adata.obs[{groupby!r}] (groupby) has {column.nunique():,} different values; at most {MOST_GROUPS} groups can be "
            "drawn. Name a column of groups, such as clusters."
        )
    column = column.astype("category").cat.remove_unused_categories()
    codes = np.asarray(column.cat.codes)
    if homeless := int((known & (codes < 0)).sum()):
        left = [*left, f"{homeless:,} cells without a {groupby}"]
    sizes = np.array([(known & (codes == i)).sum() for i in range(len(column.cat.categories))], dtype=np.intp)
    drawn = np.flatnonzero(sizes)
    if not len(drawn):
        raise InputError(
            f"no cell with probabilities has a value in adata.obs[{groupby!r}] (groupby). Name another column."
        )
    means = np.stack([proba[known & (codes == i)].mean(axis=0, dtype=np.float64) for i in drawn], axis=1)
    names = style.shorten(map(str, column.cat.categories[drawn]))
    x = [f"{name}  (n={size:,})" for name, size in zip(names, sizes[drawn], strict=True)]
    y = style.shorten(types)
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
    _title(ax, title, left)
    return ax


def _title(ax: Axes, title: str, left: list[str]) -> None:
    # Above the strip of the calls.
    style.title(ax, [title, *([f"left out: {', '.join(left)}"] if left else [])], pad=12)
