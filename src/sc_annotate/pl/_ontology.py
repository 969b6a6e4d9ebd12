"""How specific the labels can be: the tree of terms, with the probability of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._core.order import natural
from sc_annotate._store.reading import check_column
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.storage import read_uns
from sc_annotate._store.stored import read_annotation, read_probabilities
from sc_annotate.errors import InputError, StorageError
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, one_axes
from sc_annotate.pl._frame import beside, frame, narrow, percent
from sc_annotate.pl._heatmap import font_for, pitch

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

TERM = "#8b97a6"
"""Bars of terms that are no type, and of types that were not predicted."""
LINE = "#b5bcc5"
INDENT, GAP, BARS, TEXT = 0.16, 0.08, 2.6, 0.95
"""Inches of a step of the tree, between it and names or bars, of the bars, and of the numbers beside them."""


@documented()
def ontology(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    groupby: str | None = None,
    group: str | None = None,
    cell: str | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw the tree of terms of a roll-up, with the mean probability at or under each.

    Each row is a term, below its parent; of several parents, below the one with the fewest types. Bars are probabilities:
    1 at the root, divided towards the types. Where the bars become short, the cells cannot be labelled more specifically.
    Types have their colours, terms are grey.

    Parameters
    ----------
    adata
        An object with a roll-up (:func:`sc_annotate.tl.rollup`). Not changed.
    %(key)s
    groupby, group
        A column of ``obs`` and one of its values: draw these cells only.
    cell
        Name of one cell: draw this one only.
    ax
        Axes to draw on; a new figure otherwise. Names stand to the left of it, numbers to the right.
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes, or the figure. Beside the bars stand the mass, and ``n``, the number of cells rolled up to the term. The
    dashed line is the requested coverage. Pre-labelled cells are left out.

    Raises
    ------
    InputError
        No such column, group or cell, or both a group and a cell.
    StorageError
        No such result, no roll-up, or no probabilities.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> classes = query.uns["annotation"]["classes"].tolist()
    >>> tree = {c: "myeloid" if c in ("CD14+ Monocyte", "Dendritic") else "other" for c in classes}
    >>> sca.tl.rollup(query, ontology=tree)
    >>> ax = sca.pl.ontology(query, show=False)
    >>> ax.get_xlabel()
    'mean probability at or under the term (dashed: 0.9 requested)'
    """
    check_save(save)
    stored = read_uns(adata, key)
    found = stored.get("rollup")
    frame = read_annotation(adata, key)
    if not isinstance(found, dict) or "membership" not in found or "rollup" not in frame:
        raise StorageError(f"adata.uns[{key!r}] has no roll-up. Run `sca.tl.rollup(adata, {key!r})` first.")
    p = read_probabilities(adata, key).to_numpy(dtype=np.float64)
    inside, words = _cells(adata, groupby, group, cell)
    chosen = inside & frame["rollup_confidence"].notna().to_numpy() & ~np.isnan(p).any(axis=1)
    if not chosen.any():
        raise StorageError(f"none of the cells to draw ({words}) was rolled up: they were pre-labelled. Choose others.")
    table: pd.DataFrame = found["table"]
    membership = np.asarray(found["membership"], dtype=np.float64)
    mass = membership @ p[chosen].mean(axis=0)
    counts = frame["rollup"][chosen].astype(str).value_counts()
    order, steps = _preorder(table["parent"].to_numpy(dtype=int), mass)
    names = style.shorten(table["name"].astype(str))
    n = np.array([int(counts.get(str(name), 0)) for name in table["name"]])
    colors = style.type_colors(adata, key, frame["label"].astype("category"))
    shades = [
        colors.get(str(name), TERM) if kind else TERM
        for name, kind in zip(table["name"], table["is_type"], strict=True)
    ]
    size = font_for(len(order))
    # Letters on the page are up to a twentieth wider than their outlines.
    wide = max(1.05 * style.width_of([names[i]], size) + INDENT * steps[i] for i in order) + 2 * GAP
    drawn = one_axes(ax, wide + BARS + TEXT, max(pitch(len(order)) * len(order), 0.8) + 1.0)
    _bars(drawn, [(mass[i], shades[i], n[i]) for i in order])
    _tree(drawn, order, steps, names, table["parent"].to_numpy(dtype=int), wide, size)
    requested = ""
    if found.get("by") == "probability":
        requested = f" (dashed: {float(found['coverage']):g} requested)"
        drawn.axvline(float(found["coverage"]), color="#555555", lw=0.9, ls=(0, (4, 3)), zorder=3)
    fine = float(n[table["is_type"].to_numpy(dtype=bool)].sum() / n.sum())
    head = [f"{key}, rolled up: {words}" if cell is None else f"{key}, rolled up: {cell}"]
    if cell is None:
        head.append(f"{int(chosen.sum()):,} cells, {percent(fine)} of them stay at a type")
    style.title(drawn, narrow(head, 50))
    style.axis_names(drawn, ("mean probability at or under the term" if cell is None else "probability") + requested)
    return finish(drawn, show=show, save=save, return_fig=return_fig)


def _cells(adata: AnnData, groupby: str | None, group: str | None, cell: str | None) -> tuple[NDArray[np.bool_], str]:
    """Which cells to draw, and their description."""
    if (groupby is None) != (group is None) or (cell is not None and groupby is not None):
        raise InputError("name both groupby and group, or a cell, or none of them.")
    if cell is not None:
        inside = np.asarray(adata.obs_names == cell, dtype=bool)
        if inside.sum() != 1:
            raise InputError(f"adata has {int(inside.sum())} cells named {cell!r} (cell), and one is needed.")
        return inside, f"the cell {cell}"
    if groupby is None:
        return np.ones(adata.n_obs, dtype=bool), "all cells"
    values = check_column(adata, groupby, argument="groupby").astype(object)
    inside = np.asarray(values.notna() & (values.astype(str) == str(group)), dtype=bool)
    if not inside.any():
        have = natural({str(v) for v in values.dropna()})
        raise InputError(f"adata.obs[{groupby!r}] has no {group!r} (group). There are: {', '.join(have[:10])}.")
    return inside, f"{groupby} {group}"


def _preorder(parents: NDArray[Any], mass: NDArray[np.float64]) -> tuple[list[int], dict[int, int]]:
    """Rows from the root down, each term before those under it, the heavier first; and the steps from the root."""
    below: dict[int, list[int]] = {}
    for row in np.argsort(-mass, kind="stable").tolist():
        below.setdefault(int(parents[row]), []).append(row)
    order: list[int] = []
    steps: dict[int, int] = {}
    waiting = [(row, 0) for row in reversed(below[-1])]
    while waiting:
        row, step = waiting.pop()
        order.append(row)
        steps[row] = step
        waiting += [(child, step + 1) for child in reversed(below.get(row, []))]
    return order, steps


def _bars(ax: Axes, rows: list[tuple[float, str, int]]) -> None:
    frame(ax)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlim(0, 1)
    ax.barh(range(len(rows)), [m for m, _, _ in rows], height=0.74, color=[c for _, c, _ in rows], lw=0, zorder=2)
    for i, (mass, _, n) in enumerate(rows):
        beside(ax, i, f"{percent(mass)}" + (f"   n={n:,}" if n else ""))


def _tree(
    ax: Axes,
    order: list[int],
    steps: dict[int, int],
    names: list[str],
    parents: NDArray[Any],
    wide: float,
    size: float,
) -> None:
    """Names, indented, and lines from each term to those under it; x in inches from the left edge of the bars."""
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    # The figure of the Axes may be a subfigure, whose size in inches is that of the page.
    corner_of: Any = ax.transAxes  # any transform will do, its stubs ask for an affine one
    inches = ax.figure.figure.dpi_scale_trans + ScaledTranslation(0, 0, corner_of)
    place = blended_transform_factory(inches, ax.transData)
    at = {row: i for i, row in enumerate(order)}
    for i, row in enumerate(order):
        x = steps[row] * INDENT - wide + GAP
        text = ax.text(x, i, names[row], transform=place, ha="left", va="center", fontsize=size, color=style.INK)
        style.plain([text])
        if parents[row] >= 0:
            left = x - INDENT + 0.05
            corner = [(left, at[int(parents[row])] + 0.42), (left, i), (x - 0.03, i)]
            ax.plot(*zip(*corner, strict=True), transform=place, color=LINE, lw=0.8, clip_on=False, zorder=1)
