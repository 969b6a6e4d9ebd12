"""Signed bars: the genes for a label, and those against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import PAD, given_axes
from sc_annotate.pl._frame import frame, narrow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sc_annotate.pl._evidence_rows import Rows

AGAINST = "#a8a8a8"
WIDE, ROW = 2.1, 0.15
"""Inches of a panel, and of a bar."""

CHARACTERS = 24
"""Of a line of the title of a panel."""


def bars(ax: Any, found: Rows, colors: dict[str, str], key: str, n_genes: int) -> dict[str, Axes]:
    """The picture; see :func:`sc_annotate.pl.evidence`."""
    tables = [[found.genes(pair, direction, n_genes) for direction in ("towards", "against")] for pair in found.pairs]
    names = [found.name(pair) for pair in found.pairs]
    titles = [narrow([one], CHARACTERS) for one in style.shorten(names)]
    drawn = [float(c) for two in tables for table in two for c in table["contribution"]]
    ends = min([0.0, *drawn]), max([0.0, *drawn])
    axes = _grid(ax, len(names), 2 * n_genes, max(map(len, titles)), key, [*found.how, *found.note])
    across = _abreast(len(names))
    for i, (panel, pair, two) in enumerate(zip(axes, found.pairs, tables, strict=True)):
        _panel(panel, found, two, n_genes, colors.get(pair[1], style.palette(1)[0]), ends)
        style.plain([panel.set_title("\n".join(titles[i]), fontsize=style.FONT, color=style.INK, pad=4)])
        if ax is not None or i + across >= len(names):
            style.axis_names(panel, found.unit)
    return dict(zip(names, axes, strict=True))


def _panel(ax: Axes, found: Rows, two: list[Any], n_genes: int, color: str, ends: tuple[float, float]) -> None:
    """Bars from above: the strongest gene for the label first, the strongest against it last."""
    towards, against = two
    against = against.iloc[::-1]
    genes = [*towards["gene"], *against["gene"]]
    values = np.array([*towards["contribution"], *against["contribution"]], dtype=np.float64)
    # The genes against it end at the bottom of every panel, however many there are.
    place = [*range(len(towards)), *range(2 * n_genes - len(against), 2 * n_genes)]
    frame(ax)
    ax.barh(place, values, height=0.74, color=[color if v > 0 else AGAINST for v in values], lw=0)
    ax.axvline(0, color="#808080", lw=0.6)
    ax.set_ylim(2 * n_genes - 0.4, -0.6)
    gap = 0.04 * (ends[1] - ends[0] or 1.0)
    ax.set_xlim(ends[0] - gap, ends[1] + gap)
    ax.spines["left"].set_visible(False)
    ax.set_yticks(place, style.shorten([found.symbol(g) for g in genes]), fontsize=style.SMALL, color=style.INK)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=style.SMALL)
    style.plain(ax.get_yticklabels())


def _abreast(n: int) -> int:
    return n if n <= 3 else 4 if n <= 12 else 5 if n <= 40 else 8


def _grid(ax: Any, n: int, rows: int, title_rows: int, key: str, note: list[str]) -> list[Axes]:
    """The caller's Axes, one a group, or those of a new figure."""
    from matplotlib import pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if ax is not None:
        return given_axes(ax, n, "one for each group")
    across = _abreast(n)
    down = -(-n // across)
    words = narrow([f"{key}: genes for (coloured) and against (grey) each label", *note], CHARACTERS * across)
    engine = ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD)
    figure, made = plt.subplots(
        down, across, squeeze=False, layout=engine,
        figsize=(across * WIDE + 0.2, down * (rows * ROW + 0.15 * title_rows + 0.35) + 0.4 + 0.17 * len(words)),
    )  # fmt: skip
    panels = list(made.ravel())
    for spare in panels[n:]:
        spare.set_axis_off()
    heading = figure.suptitle("\n".join(words), fontsize=style.TITLE)
    heading.set_color(style.INK)
    style.plain([heading])
    return panels[:n]
