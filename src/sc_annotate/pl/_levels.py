"""How the labels of each level divide into those of the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._store.reading import obs_of
from sc_annotate._store.slots import DEFAULT_KEY, Slots
from sc_annotate._store.storage import read_uns
from sc_annotate._store.stored import read_annotation
from sc_annotate.errors import StorageError
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, one_axes
from sc_annotate.pl._heatmap import font_for, pitch
from sc_annotate.pl._order import natural_ranks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TALL = 2.4
"""Inches that all cells together are high, without the space for names."""

WIDE, BAR, GAP = 1.5, 0.13, 0.06
"""Inches of a flow, of a bar, and between a bar and its name."""

PLAIN = "#6f7c88"
"""Bars of a coarser level without colours of its own."""


@dataclass
class Node:
    """A label of a level: its cells, their mean confidence, and what it divides into."""

    name: str
    n: int
    confidence: float
    level: int
    parts: list[Node] = field(default_factory=list)
    middle: float = 0.0
    """Where its bar lies, in inches from above."""
    shown: str = ""
    """Its name, shortened."""

    @property
    def text(self) -> str:
        sure = "" if np.isnan(self.confidence) else f" · {self.confidence:.2f}"
        return f"{self.shown}  (n={self.n:,}){sure}"


@documented()
def levels(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw how the labels of each level divide into those of the next, coarse to fine.

    One column of bars per level; the height of a bar is its number of cells. After each name stand the number of cells and
    their mean confidence at that level. Large labels come first; types that were not predicted for any cell are left out.

    Parameters
    ----------
    adata
        An object annotated with several columns of labels. Not changed.
    %(key)s
    %(ax)s
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes, or the figure. Types have the colours of ``uns[f"{key}_colors"]``; coarser levels those of
    ``uns[f"{key}_{level}_colors"]`` where they exist, else a grey.

    Raises
    ------
    StorageError
        No such result, or one of a single level.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> adata.obs["lineage"] = ["T" if "T" in str(t) else "other" for t in adata.obs["cell_type"]]
    >>> query = adata[500:].copy()
    >>> reference = adata[:500].copy()
    >>> sca.tl.annotate(query, reference, ["lineage", "cell_type"], method="nearest_centroid", cv=0)
    >>> ax = sca.pl.levels(query, show=False)
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['lineage', 'cell_type']
    """
    check_save(save)
    names, table, sure = _columns(adata, key)
    roots = _forest(table, sure, 0, np.arange(len(table)))
    nodes = list(_walk(roots))
    for level in range(len(names)):
        own = [node for node in nodes if node.level == level]
        for node, shown in zip(own, style.shorten([node.name for node in own]), strict=True):
            node.shown = shown
    leaves = [node for node in nodes if node.level == len(names) - 1]
    size = font_for(len(leaves))
    high = _lay_out(roots, leaves, pitch(len(leaves)))
    scale = _scale(leaves)
    left = style.width_of([node.text for node in roots], size) + GAP
    right = style.width_of([node.text for node in leaves], size) + GAP
    between = [
        style.width_of([node.text for node in nodes if node.level == level], size) for level in range(1, len(names) - 1)
    ]
    steps = np.cumsum([0.0, *(WIDE + width for width in [*between, 0.0])])
    drawn = one_axes(ax, left + steps[-1] + BAR + right + 0.3, high + 0.8)
    _frame(drawn, names, steps, (-left, steps[-1] + BAR + right), high)
    colors = _colors(adata, key, names)
    for node in nodes:
        _ribbons(drawn, node, steps, scale, colors)
        _bar(drawn, node, steps, scale, colors, last=node.level == len(names) - 1, size=size)
    n_given = int(sure[-1].isna().sum())
    head = [f"{key}: {len(table):,} cells; n · mean confidence"]
    style.title(drawn, [*head, *([f"{n_given:,} pre-labelled"] if n_given else [])])
    return finish(drawn, show=show, save=save, return_fig=return_fig)


def _columns(adata: AnnData, key: str) -> tuple[list[str], pd.DataFrame, list[pd.Series]]:
    """Names of the levels, the labels at each, and their confidence."""
    import pandas as pd

    stored = read_uns(adata, key).get("levels")
    if stored is None:
        raise StorageError(
            f"adata.uns[{key!r}] is a result of one level. Annotate with several columns of labels, coarse to fine: "
            "`annotate(adata, reference, ['lineage', 'cell_type'])`."
        )
    names = [str(name) for name in stored]
    coarser = [f"{key}_{name}" for name in names[:-1]]
    if gone := [c for name in coarser for c in (name, f"{name}_confidence") if c not in adata.obs]:
        raise StorageError(f"adata.obs lacks {', '.join(map(repr, gone))}: columns were deleted. Annotate again.")
    own = read_annotation(adata, key)
    obs = obs_of(adata)
    columns = [*(obs[name] for name in coarser), own["label"]]
    table = pd.DataFrame({i: np.asarray(column.astype(str), dtype=object) for i, column in enumerate(columns)})
    sure = [*(obs[f"{name}_confidence"] for name in coarser), own["confidence"]]
    return names, table, [pd.Series(np.asarray(s, dtype=float)) for s in sure]


def _forest(table: pd.DataFrame, sure: list[pd.Series], level: int, rows: Any) -> list[Node]:
    """The labels of a level among some cells, the most numerous first, each with its parts."""
    found = []
    names, codes = np.unique(table[level].to_numpy()[rows].astype(str), return_inverse=True)
    counts = np.bincount(codes)
    for i in np.lexsort((natural_ranks(names), -counts)):
        own = rows[codes == i]
        parts = _forest(table, sure, level + 1, own) if level + 1 < table.shape[1] else []
        found.append(Node(str(names[i]), int(counts[i]), float(sure[level].iloc[own].mean()), level, parts))
    return found


def _walk(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _walk(node.parts)


def _scale(leaves: Sequence[Node]) -> float:
    """Inches a cell."""
    return TALL / sum(node.n for node in leaves)


def _lay_out(roots: Sequence[Node], leaves: Sequence[Node], least: float) -> float:
    """Give every type the space of its name and bar, and place labels amid their parts; the height in inches."""
    scale, at = _scale(leaves), 0.0
    for node in leaves:
        space = max(least, node.n * scale + (0.04 if node.n * scale > least else 0))
        node.middle, at = at + space / 2, at + space

    def settle(node: Node) -> float:
        if node.parts:
            middles = [settle(part) for part in node.parts]
            node.middle = (middles[0] + middles[-1]) / 2
        return node.middle

    for node in roots:
        settle(node)
    return at


def _frame(ax: Axes, names: Sequence[str], steps: Any, limits: tuple[float, float], high: float) -> None:
    ax.set_xlim(*limits)
    ax.set_ylim(high, 0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set_yticks([])
    ax.set_xticks(steps + BAR / 2, style.shorten(names), fontsize=style.FONT, color=style.INK)
    ax.tick_params(axis="x", length=0)
    style.plain(ax.get_xticklabels())


def _colors(adata: AnnData, key: str, names: Sequence[str]) -> list[dict[str, str]]:
    """Colours of the labels of each level."""
    found: list[dict[str, str]] = []
    for level, name in enumerate(names):
        column = key if level == len(names) - 1 else f"{key}_{name}"
        if level < len(names) - 1 and Slots(column).colors not in adata.uns:
            found.append({})
            continue
        found.append(style.type_colors(adata, column, obs_of(adata)[column].astype("category")))
    return found


def _bar(
    ax: Axes, node: Node, steps: Any, scale: float, colors: list[dict[str, str]], *, last: bool, size: float
) -> None:
    from matplotlib.patches import Rectangle

    color = colors[node.level].get(node.name, PLAIN)
    half = max(node.n * scale, 0.01) / 2
    ax.add_patch(Rectangle((steps[node.level], node.middle - half), BAR, 2 * half, color=color, lw=0, zorder=3))
    x, side = (steps[node.level] + BAR + GAP, "left") if last else (steps[node.level] - GAP, "right")
    text = ax.text(x, node.middle, node.text, ha=side, va="center", fontsize=size, color=style.INK, zorder=4)
    if 0 < node.level and not last:
        text.set_bbox({"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 0.5})
    style.plain([text])


def _ribbons(ax: Axes, node: Node, steps: Any, scale: float, colors: list[dict[str, str]]) -> None:
    """From the bar of a label to those of its parts, in their colour."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    start = node.middle - node.n * scale / 2
    for part in node.parts:
        thick = part.n * scale
        x0, x1 = steps[node.level] + BAR, steps[part.level]
        bend, top = (x0 + x1) / 2, part.middle - thick / 2
        outline = [
            *((x0, start), (bend, start), (bend, top), (x1, top), (x1, top + thick)),
            *((bend, top + thick), (bend, start + thick), (x0, start + thick), (x0, start)),
        ]
        codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
        color = colors[part.level].get(part.name, PLAIN)
        ax.add_patch(PathPatch(Path(outline, codes), facecolor=color, alpha=0.4, lw=0, zorder=1))
        start += thick
