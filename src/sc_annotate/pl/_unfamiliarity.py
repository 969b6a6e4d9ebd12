"""How far cells lie from the reference, compared with held-out reference cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._store.reading import check_column
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_annotation, read_familiarity
from sc_annotate.errors import InputError, StorageError
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, one_axes
from sc_annotate.pl._frame import beside, percent, rows
from sc_annotate.pl._order import natural_ranks

if TYPE_CHECKING:
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MOST_GROUPS = 200
BINS = 70
REFERENCE, CELLS = "#8c8c8c", "#1f5fa8"
TALL = 0.86
"""Height of the largest bin, in rows."""


@documented()
def unfamiliarity(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    groupby: str | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw how far cells lie from the reference, compared with held-out reference cells.

    The first row is the reference, from stored quantiles. Cells beyond the threshold (dashed) are out of distribution;
    their share stands at the right. For cells like those of the reference it is about the false positive rate. A much
    larger share means types that the reference lacks, or cells that differ as a whole, such as those of another
    technology. Groups of `groupby` are ordered by this share, the largest first. The rows are scaled to equal height.

    Parameters
    ----------
    %(annotated)s
    %(key)s
    groupby
        Column of ``adata.obs``: a row for each of its groups, in the colours of ``adata.uns[f"{groupby}_colors"]`` where
        they exist.
    %(ax)s
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes, or the figure. Cells beyond the edge of the picture stand at its edge, and the title counts them.

    Raises
    ------
    InputError
        No such column, or one of too many groups.
    StorageError
        No such result, one without unfamiliarity, or no cell with a score.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> ax = sca.pl.unfamiliarity(query, groupby="louvain", show=False)
    >>> ax.get_yticklabels()[0].get_text()
    'reference, held out'
    """
    check_save(save)
    found, frame = read_familiarity(adata, key), read_annotation(adata, key)
    if "unfamiliarity" not in frame:
        raise StorageError(f"adata.obs has no {key + '_unfamiliarity'!r}: the column was deleted. Annotate again.")
    scores = frame["unfamiliarity"].to_numpy(dtype=np.float64)
    known = np.isfinite(scores)
    if not known.any():
        raise StorageError(f"no cell has a score in adata.obs[{key + '_unfamiliarity'!r}]: nothing can be drawn.")
    quantiles, threshold = np.asarray(found["reference"], dtype=np.float64), float(found["threshold"])
    without = not np.isfinite(threshold)
    if without:
        # Too few reference cells for a threshold: to the right of all cells, and not shown.
        threshold = float(max(quantiles[-1], scores[known].max())) + 1e-3
    groups, left = _groups(adata, key, scores, known, groupby, threshold)
    edges = _edges(quantiles, scores[known], threshold)
    low, high = float(edges[0]), float(edges[-1])
    names = ["reference, held out", *(f"{n}  (n={len(s):,})" for n, s, _ in groups)]
    tall = 0.62 if len(names) <= 7 else 0.34 if len(names) <= 21 else 0.23
    ax = one_axes(ax, 4.2 + style.width_of(names, style.FONT) + 0.8, max(tall * len(names), 1.2) + 1.2)
    rows(ax, names, style.FONT)
    ax.set_ylim(len(names) - 0.5, -0.95)
    # Where the reference's share below each edge is, its bins follow.
    below = np.interp(edges, quantiles, np.linspace(0, 1, len(quantiles)), left=0, right=1)
    _ridge(ax, 0, np.diff(below), edges, threshold, REFERENCE, 1 - float(_below(quantiles, threshold)))
    for i, (_, own, color) in enumerate(groups, start=1):
        heights = np.histogram(np.clip(own, low, high), edges)[0] / len(own)
        _ridge(ax, i, heights, edges, threshold, color, float((own > threshold).mean()))
    if not without:
        ax.axvline(threshold, color="#555555", lw=0.9, ls=(0, (4, 3)), zorder=4)
    ax.set_xlim(low, high)
    ax.text(1.02, 1.0, "beyond", fontsize=style.SMALL, color=style.INK, va="bottom", transform=ax.transAxes)
    style.axis_names(ax, "unfamiliarity: distance from the reference")
    drawn = np.concatenate([s for _, s, _ in groups])
    few = "too few reference cells for a threshold at this false positive rate"
    head = (
        few
        if without
        else f"{key}: {int((drawn > threshold).sum()):,} of {len(drawn):,} cells ({percent((drawn > threshold).mean())}) beyond the threshold"
    )
    outside = int(((drawn < low) | (drawn > high)).sum())
    notes = [f"{outside:,} cells outside stand at the edge"] if outside else []
    style.title(ax, [head, *notes, *([f"left out: {', '.join(left)}"] if left else [])], pad=10)
    return finish(ax, show=show, save=save, return_fig=return_fig)


def _groups(
    adata: AnnData,
    key: str,
    scores: NDArray[np.float64],
    known: NDArray[np.bool_],
    groupby: str | None,
    threshold: float,
) -> tuple[list[tuple[str, NDArray[np.float64], Any]], list[str]]:
    """Scores and colour of each group, that with the most cells beyond the threshold first, and what is left out."""
    left = [f"{int((~known).sum()):,} cells without a score"] if not known.all() else []
    if groupby is None:
        return [(key, scores[known], CELLS)], left
    column = check_column(adata, groupby, argument="groupby")
    if column.nunique() > MOST_GROUPS:
        raise InputError(
            f"adata.obs[{groupby!r}] (groupby) has {column.nunique():,} different values; at most {MOST_GROUPS} groups can "
            "be drawn. Name a column of groups, such as types or clusters."
        )
    column = column.astype("category")
    colors = style.type_colors(adata, groupby, column)
    codes = np.asarray(column.cat.codes)
    if ungrouped := int((known & (codes < 0)).sum()):
        left.append(f"{ungrouped:,} cells without a {groupby}")
    types = [str(c) for c in column.cat.categories]
    own = {i: scores[known & (codes == i)] for i in range(len(types)) if (known & (codes == i)).any()}
    if not own:
        raise InputError(f"no cell with a score has a value in adata.obs[{groupby!r}] (groupby). Name another column.")
    rank = natural_ranks(types)
    order = sorted(own, key=lambda i: (-(own[i] > threshold).mean(), -np.median(own[i]), rank[i]))
    names = style.shorten(types[i] for i in order)
    return [(name, own[i], colors[types[i]]) for name, i in zip(names, order, strict=True)], left


def _edges(quantiles: NDArray[np.float64], scores: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Bins from the lowest score to the highest, the threshold between two of them.

    A few cells very far away do not compress the others.
    """
    start = float(min(quantiles[0], max(scores.min(), quantiles[0] - (threshold - quantiles[0]))))
    most = threshold + 2.5 * (threshold - start)
    stop = float(max(quantiles[-1], min(scores.max(), most)))
    wide = (stop - start) / BINS or 1 / BINS
    below, beyond = (max(int(np.ceil(span / wide)), 1) for span in (threshold - start, stop - threshold))
    edges: NDArray[np.float64] = threshold + wide * np.arange(-below, beyond + 1, dtype=np.float64)
    return edges


def _below(quantiles: NDArray[np.float64], value: float) -> float:
    """Share of the reference at or below a score, from its quantiles."""
    return float(np.interp(value, quantiles, np.linspace(0, 1, len(quantiles)), left=0, right=1))


def _ridge(
    ax: Axes,
    row: int,
    heights: NDArray[np.float64],
    edges: NDArray[np.float64],
    threshold: float,
    color: Any,
    share: float,
) -> None:
    """The bins of one row, standing on it; those beyond the threshold in full colour."""
    base = row + 0.45
    top = base - TALL * heights / max(float(heights.max()), 1e-12)
    far = int(np.searchsorted(edges, threshold))  # the threshold is an edge
    ax.stairs(top[:far], edges[: far + 1], baseline=base, fill=True, color=color, alpha=0.35, lw=0, zorder=2)
    ax.stairs(top[far:], edges[far:], baseline=base, fill=True, color=color, lw=0, zorder=3)
    ax.plot([edges[0], edges[-1]], [base, base], color="#c8c8c8", lw=0.6, zorder=1)
    beside(ax, row + 0.2, percent(share))
