"""One panel of an embedding: what colours its points, its legend, and the room that takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.pl import _style as style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

SIDE, TALL = 4.0, 6.0
"""Inches of the side of a panel, and of one with more types than stand in three columns."""

MARGIN = 0.5
"""Inches for title and axis names."""

ROW = 1.5 * style.FONT / 72
"""Inches of a row of a legend."""

MARK = 0.4
"""Inches of the mark of a legend and the gaps around it."""

BAR = 0.7
"""Inches of a colour bar with its numbers."""

ABREAST = 2
"""Panels in a row."""

RASTER_ABOVE = 2_000
"""Cells above which points become pixels: a vector file of a million points cannot be opened."""


@dataclass
class Panel:
    """Values of the cells, NaN where there is none: codes of `colors`, or numbers where it is None."""

    values: NDArray[np.float64]
    colors: dict[str, str] | None = None
    limits: tuple[float, float] | None = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of_types(cls, column: pd.Series, colors: dict[str, str]) -> Panel:
        """Types that occur, in the order of the categories."""
        used = column.cat.remove_unused_categories().cat
        codes = np.asarray(used.codes, dtype=np.float64)
        return cls(np.where(codes < 0, np.nan, codes), {str(c): colors[str(c)] for c in used.categories})

    @classmethod
    def of_numbers(cls, column: pd.Series, limits: tuple[float, float] | None) -> Panel:
        return cls(np.asarray(column, dtype=np.float64), limits=limits)

    @property
    def known(self) -> NDArray[np.bool_]:
        return np.isfinite(self.values)

    def side(self) -> float:
        return TALL if self.colors is not None and len(self.colors) * ROW > 3 * SIDE else SIDE

    def room(self, side: float) -> float:
        """Inches to the right of the points."""
        if self.colors is None:
            return BAR
        return self.columns(side) * (style.width_of(style.shorten(self.colors), style.FONT) + MARK) + 0.1

    def columns(self, side: float) -> int:
        """Columns of the legend, none longer than the panel."""
        return max(1, math.ceil(len(self.colors or {}) / math.floor(side / ROW)))

    def draw(self, ax: Axes, places: NDArray[np.float64], order: NDArray[np.intp], size: float | None) -> None:
        """Points in this order, those without a value below, and the key to their colours."""
        n = len(places)
        look = {
            # Scanpy's rule, kept within what can be seen and told apart.
            "s": float(np.clip(60_000 / max(n, 1), 0.3, 25)) if size is None else size,
            "linewidths": 0,
            "rasterized": n > RASTER_ABOVE,
        }
        known = self.known[order]
        below, above = order[~known], order[known]
        if len(below):
            ax.scatter(*places[below].T, color=style.GREY, zorder=1, **look)
        if self.colors is None:
            self._numbers(ax, places[above], self.values[above], look)
        else:
            names = list(self.colors)
            colors = np.array(list(self.colors.values()), dtype=object)[self.values[above].astype(np.intp)]
            ax.scatter(*places[above].T, c=list(colors), zorder=2, **look)
            self._legend(ax, names)

    def _numbers(self, ax: Axes, places: NDArray[np.float64], values: NDArray[np.float64], look: dict[str, Any]) -> None:
        low, high = self.limits or (None, None)
        if not len(values):
            return
        points = ax.scatter(*places.T, c=values, cmap=style.confidence_map(), vmin=low, vmax=high, zorder=2, **look)
        bar = ax.figure.colorbar(points, ax=ax, shrink=0.6, aspect=20, pad=0.02)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=style.SMALL, length=2)

    def _legend(self, ax: Axes, names: list[str]) -> None:
        from matplotlib.lines import Line2D

        height = ax.get_position().height * ax.figure.get_figheight() if _drawn_by_caller(ax) else self.side()
        marks = [Line2D([], [], ls="", marker="o", ms=5.5, mew=0, color=(self.colors or {})[name]) for name in names]
        legend = ax.legend(
            marks,
            [""] * len(names),
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            ncols=self.columns(max(height, 1.0)),
            frameon=False,
            fontsize=style.FONT,
            labelspacing=0.3,
            handletextpad=0.2,
            handlelength=1.0,
            columnspacing=1.0,
            borderaxespad=0.4,
        )
        # Set afterwards: matplotlib leaves out labels that start with an underscore.
        for text, name in zip(legend.get_texts(), style.shorten(names), strict=True):
            text.set_text(name)
            text.set_color(style.INK)
        style.plain(legend.get_texts())


def _drawn_by_caller(ax: Axes) -> bool:
    return ax.figure.get_label() != _OURS


_OURS = "sc_annotate"


def grid(panels: list[Panel]) -> list[Axes]:
    """A new figure with a square panel for each, and room for legends beside them."""
    from matplotlib import pyplot as plt

    side = max(panel.side() for panel in panels)
    across = min(len(panels), ABREAST)
    down = math.ceil(len(panels) / across)
    rooms = [max(p.room(side) for p in panels[i::across]) for i in range(across)]
    size = (across * (side + MARGIN) + sum(rooms), down * (side + MARGIN + 0.2))
    figure, axes = plt.subplots(down, across, figsize=size, layout="compressed", squeeze=False)
    for spare in axes.flat[len(panels) :]:
        spare.remove()
    for one in axes.flat[: len(panels)]:
        one.set_box_aspect(1)
    return list(axes.flat[: len(panels)])
