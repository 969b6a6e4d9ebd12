"""Names of types on their cells, without overlap."""

from __future__ import annotations

import math
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.pl import _style as style

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

CHARACTERS = 18
"""Longest line of a name: longer names take two lines."""

LINE = 1.25 * style.SMALL
"""Height of a line in points."""

FILLED = 0.3
"""Share of a panel that names may cover: beyond it there is no space to move them to."""

WIDEST = 12.0
"""Inches of the largest panel."""

GAP = 1.0
"""Points between two names."""

LED = 10.0
"""Distance in points from which on a line connects the middle of the cells with their name."""

STEP, TURNS = 4.0, 16
"""Points between the circles on which places are tried, and places on each."""


def written(names: Iterable[str]) -> list[str]:
    """Names in lines; a third line is cut."""
    return [
        "\n".join(wrap(name, CHARACTERS, max_lines=3, placeholder="…", break_long_words=False) or [name])
        for name in style.shorten(names)
    ]


def size_of(name: str) -> tuple[float, float]:
    """Width and height of a name in points."""
    lines = name.split("\n")
    return 72 * 1.04 * style.width_of(lines, style.SMALL) + 2, LINE * len(lines) + 1


def side_for(names: Iterable[str], least: float) -> float:
    """Inches of a panel that has space for the names."""
    area = sum(math.prod(size_of(name)) for name in written(names)) / 72**2
    return float(np.clip(math.sqrt(area / FILLED), least, WIDEST))


def names_on_cells(ax: Axes, places: NDArray[np.float64], codes: NDArray[np.float64], names: Sequence[str]) -> None:
    """Write the name of each type on its cells, moved no further than needed to be legible.

    Limits and size of the Axes must be final: places are chosen on the page.
    """
    ax.figure.figure.draw_without_rendering()  # the layout moves Axes when drawn, not before
    scale = ax.figure.figure.dpi / 72
    here = np.isfinite(places).all(axis=1) & np.isfinite(codes)
    shown = written(names)
    drawn = [i for i in range(len(names)) if (here & (codes == i)).any()]
    middles = {i: np.median(places[here & (codes == i)], axis=0) for i in drawn}
    page = ax.get_window_extent()
    bounds = np.array([page.x0, page.y0, page.x1, page.y1]) / scale
    reach = math.hypot(bounds[2] - bounds[0], bounds[3] - bounds[1])
    taken = np.empty((0, 4))
    # Types with the most cells are placed first, so that their names stay on the cells.
    for i in sorted(drawn, key=lambda i: -int((here & (codes == i)).sum())):
        at = ax.transData.transform(middles[i]) / scale
        boxes, distance = _around(at, size_of(shown[i]), reach)
        outside = ((boxes[:, :2] < bounds[:2] + GAP) | (boxes[:, 2:] > bounds[2:] - GAP)).any(axis=1)
        best = int(np.argmin(distance + 1e4 * outside + 1e3 * _overlap(boxes, taken)))
        taken = np.vstack([taken, boxes[best]])
        _write(ax, middles[i], at, boxes[best], shown[i], led=bool(distance[best] >= LED))


def _around(
    at: NDArray[np.float64], size: tuple[float, float], reach: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes of a size around a point, and how far the middle of each is from it."""
    radii = np.arange(STEP, reach, STEP)
    angles = 2 * np.pi * np.arange(TURNS) / TURNS
    distance, angle = (grid.ravel() for grid in np.meshgrid(radii, angles, indexing="ij"))
    middle = np.vstack([at[None], at + distance[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])])
    half = np.array(size) / 2
    return np.hstack([middle - half, middle + half]), np.concatenate([[0.0], distance])


def _overlap(boxes: NDArray[np.float64], taken: NDArray[np.float64]) -> NDArray[np.float64]:
    """The number of names that each box would overlap."""
    width = np.minimum(boxes[:, None, 2], taken[None, :, 2]) - np.maximum(boxes[:, None, 0], taken[None, :, 0])
    height = np.minimum(boxes[:, None, 3], taken[None, :, 3]) - np.maximum(boxes[:, None, 1], taken[None, :, 1])
    return np.asarray(((width > -GAP) & (height > -GAP)).sum(axis=1), dtype=np.float64)


def _write(
    ax: Axes, point: NDArray[np.float64], at: NDArray[np.float64], box: NDArray[np.float64], name: str, *, led: bool
) -> None:
    from matplotlib.patheffects import withStroke

    rim = [withStroke(linewidth=3.0, foreground="white")]
    middle = (box[:2] + box[2:]) / 2 - at
    place: dict[str, Any] = {"xytext": tuple(middle), "textcoords": "offset points"}
    if led:
        line = {"arrowstyle": "-", "lw": 0.6, "color": "#404040", "shrinkA": 0, "shrinkB": 0}
        near = np.clip(0, box[:2] - at, box[2:] - at)
        lead = ax.annotate("", tuple(point), arrowprops=line, zorder=5, xytext=tuple(near), textcoords="offset points")
        lead.set_in_layout(False)
    text = ax.annotate(
        name, tuple(point), fontsize=style.SMALL, color=style.INK, ha="center", va="center", zorder=6,
        linespacing=1.05, path_effects=rim, **place,
    )  # fmt: skip
    # The layout ignores them: it would move the Axes, and with them the places that were chosen.
    text.set_in_layout(False)
    style.plain([text])
