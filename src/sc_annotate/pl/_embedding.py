"""Panels of an embedding: points, their colours, the legend and the space for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.order import shown_order
from sc_annotate._store.reading import BASES, embedding_of, resolve_rep
from sc_annotate._store.slots import Slots
from sc_annotate._store.stored import result_keys
from sc_annotate.errors import InputError
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import PAD, color_bar, given_axes
from sc_annotate.pl._on_data import names_on_cells, side_for

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
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

GAP = 0.3
"""Inches that matplotlib leaves beside a panel anyway."""

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
    height: float = SIDE
    """Inches, to fill with a legend."""
    high: bool = True
    """Whether high numbers are the ones to trust."""
    sure: NDArray[np.float64] | None = None
    """Saturation of each cell, 0 to 1; None for 1."""
    legend_loc: str | None = "right margin"
    close: bool = False
    """Whether the colour bar is placed as legends are: a layout puts it beyond those of the panels above and below."""

    @classmethod
    def of_types(cls, column: pd.Series, colors: dict[str, str]) -> Panel:
        """Types that occur, in natural order or in that of the categories, if someone chose it."""
        used = column.cat.remove_unused_categories().cat
        names = [str(c) for c in used.categories]
        shown = shown_order(names)
        place = {name: i for i, name in enumerate(shown)}
        codes = np.array([*(place[name] for name in names), np.nan])[np.asarray(used.codes)]
        return cls(codes, {name: colors[name] for name in shown})

    @classmethod
    def of_numbers(cls, column: pd.Series, limits: tuple[float, float] | None, *, high: bool = True) -> Panel:
        return cls(column.to_numpy(dtype=np.float64, na_value=np.nan), limits=limits, high=high)

    @property
    def known(self) -> NDArray[np.bool_]:
        return np.isfinite(self.values)

    @property
    def wanted(self) -> float:
        """Inches of the side that suits the legend, or the names on the cells."""
        if self.colors is not None and self.legend_loc == "on data":
            return side_for(self.colors, SIDE)
        return TALL if self.colors is not None and len(self.colors) * ROW > 3 * SIDE else SIDE

    @property
    def beside(self) -> float:
        """Inches to the right of the points."""
        if self.colors is None:
            return BAR
        if self.legend_loc != "right margin":
            return 0.1
        return self.columns * (style.width_of(style.shorten(self.colors), style.FONT) + MARK) + 0.1

    @property
    def columns(self) -> int:
        """Columns of the legend, none longer than the panel."""
        return max(1, math.ceil(len(self.colors or {}) / max(1, math.floor(self.height / ROW))))

    def fit(self, ax: Axes) -> None:
        """Make space for the legend inside the caller's Axes, where there is no layout engine."""
        figure = ax.figure.figure
        extent = ax.get_window_extent()
        self.height = extent.height / figure.dpi
        if self.colors is not None and self.legend_loc == "right margin" and figure.get_layout_engine() is None:
            left, bottom, width, height = ax.get_position().bounds
            share = min((self.beside - GAP) / (extent.width / figure.dpi), 0.6)
            ax.set_position((left, bottom, width * (1 - share), height))

    def draw(self, ax: Axes, places: NDArray[np.float64], order: NDArray[np.intp], size: float | None) -> None:
        """Points in this order, those without a value below, and the legend of their colours."""
        n = len(places)
        look: dict[str, Any] = {
            # Scanpy's rule, within visible limits.
            "s": float(np.clip(60_000 / max(n, 1), 0.3, 25)) if size is None else float(size),
            "linewidths": 0,
            "rasterized": n > RASTER_ABOVE,
            "zorder": 2,
        }
        known = self.known[order]
        below, above = order[~known], order[known]
        if len(below):
            ax.scatter(*places[below].T, **{**look, "color": style.GREY, "zorder": 1})
        if self.colors is None:
            self._numbers(ax, places[above], self.values[above], look)
        else:
            self._types(ax, places, above, self.colors, look)
            if self.legend_loc == "right margin":
                self._legend(ax, self.colors)

    def _types(
        self,
        ax: Axes,
        places: NDArray[np.float64],
        rows: NDArray[np.intp],
        colors: dict[str, str],
        look: dict[str, Any],
    ) -> None:
        """Points in the colours of their types; another marker where a colour repeats."""
        from matplotlib.colors import to_rgba_array

        codes = self.values[rows].astype(np.intp)
        shades = to_rgba_array(list(colors.values()))[codes]
        if self.sure is not None:
            shades = style.paler(shades, self.sure[rows])
        markers = np.array(style.marker_of(colors.values()))
        for marker in dict.fromkeys(markers.tolist()):
            own = markers[codes] == marker
            ax.scatter(*places[rows[own]].T, **{**look, "c": shades[own], "marker": marker})

    def _numbers(
        self, ax: Axes, places: NDArray[np.float64], values: NDArray[np.float64], look: dict[str, Any]
    ) -> None:
        low, high = self.limits or (None, None)
        if not len(values):
            return
        shades = {"c": values, "cmap": style.bright(high=self.high), "vmin": low, "vmax": high}
        points = ax.scatter(*places.T, **{**look, **shades})
        color_bar(ax, points, aspect=20, close=self.close)

    def _legend(self, ax: Axes, colors: dict[str, str]) -> None:
        from matplotlib.lines import Line2D

        marks = [
            Line2D([], [], ls="", marker=marker, ms=5.5, mew=0, color=color)
            for marker, color in zip(style.marker_of(colors.values()), colors.values(), strict=True)
        ]
        legend = ax.legend(
            marks,
            [""] * len(colors),
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            ncols=self.columns,
            frameon=False,
            fontsize=style.FONT,
            labelspacing=0.3,
            handletextpad=0.2,
            handlelength=1.0,
            columnspacing=1.0,
            borderaxespad=0.4,
        )
        # Set afterwards: matplotlib leaves out labels that start with an underscore.
        for text, name in zip(legend.get_texts(), style.shorten(colors), strict=True):
            text.set_text(name)
            text.set_color(style.INK)
        style.plain(legend.get_texts())


def grid(panels: list[Panel]) -> list[Axes]:
    """A new figure with a square panel for each, and space for legends beside them."""
    from matplotlib import pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    side = max(panel.wanted for panel in panels)
    for panel in panels:
        panel.height = side
        panel.close = len(panels) > ABREAST
    across = min(len(panels), ABREAST)
    down = math.ceil(len(panels) / across)
    spaces = [max(p.beside for p in panels[i::across]) for i in range(across)]
    size = (across * (side + MARGIN) + sum(spaces), down * (side + MARGIN + 0.2))
    layout = ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD, compress=True)
    axes = plt.subplots(down, across, figsize=size, layout=layout, squeeze=False)[1]
    for spare in axes.flat[len(panels) :]:
        spare.remove()
    for one in axes.flat[: len(panels)]:
        one.set_box_aspect(1)
    return list(axes.flat[: len(panels)])


def basis_of(adata: AnnData, basis: str | None) -> str:
    """Name in ``obsm`` of the embedding to draw on."""
    if basis is not None:
        return resolve_rep(adata, basis)
    found = embedding_of(adata)
    if found is not None:
        return found
    ours = {name for key in result_keys(adata) for name in Slots(key).obsm}
    have = ", ".join(repr(name) for name in adata.obsm if name not in ours) or "none"
    raise InputError(
        f"adata.obsm has no {', '.join(BASES[:-1])} or {BASES[-1]} to draw on (there are: {have}). Name one with basis=, or "
        "compute one: sc.pp.pca(adata), sc.pp.neighbors(adata), sc.tl.umap(adata)."
    )


def coordinates(adata: AnnData, rep: str) -> NDArray[np.float64]:
    """The first two columns of an embedding."""
    X: Any = adata.obsm[rep]
    X = np.asarray(X.to_numpy() if hasattr(X, "to_numpy") else X)
    if X.ndim != 2 or X.shape[1] < 2 or X.dtype.kind not in "fiu":
        raise InputError(
            f"adata.obsm[{rep!r}] is no array of two or more columns of numbers. Name another with basis=."
        )
    return X[:, :2].astype(np.float64)


def axes_for(ax: Any, panels: list[Panel]) -> list[Axes]:
    """The caller's Axes, one for each panel, or those of a new figure."""
    if ax is None:
        return grid(panels)
    given = given_axes(ax, len(panels), "one for each color")
    for panel, one in zip(panels, given, strict=True):
        panel.fit(one)
    return given


def write_names(ax: Axes, rep: str, title: str, panel: Panel, places: NDArray[np.float64]) -> None:
    """Title and names of the axes."""
    nowhere = int((~np.isfinite(places).all(axis=1)).sum())
    notes = [*panel.notes, *([f"not drawn: {nowhere:,} cells without coordinates"] if nowhere else [])]
    stem = rep.removeprefix("X_")
    stem = {"umap": "UMAP", "tsne": "tSNE", "pca": "PC"}.get(stem, stem)
    style.title(ax, [title, *notes])
    style.axis_names(ax, f"{stem}1", f"{stem}2")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.spines[:].set_color("#b0b0b0")
    if panel.colors is not None and panel.legend_loc == "on data":
        names_on_cells(ax, places, panel.values, list(panel.colors))
