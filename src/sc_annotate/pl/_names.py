"""Names of points beside them, none on top of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.pl import _style as style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

RADII = (6.0, 10.0, 17.0, 26.0, 38.0, 52.0, 70.0)
"""Points from the dot to its name, the nearest that is free taken."""

ANGLES = np.deg2rad([0, 180, 45, 135, 315, 225, 90, 270, 22, 158, 338, 202])
LED = 9.0
"""Points from which on a line leads from the dot to its name."""

GAP = 1.5


def beside_points(
    ax: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    names: Sequence[str],
    colors: Sequence[str],
    others: NDArray[np.float64],
) -> None:
    """Write the names of points (x, y) beside them, where they cover no other name and as few `others` as possible.

    Limits and size of the Axes must be final: places are chosen on the page. `others` are further points in data
    coordinates, (n, 2). Every name is written; one that finds no free place stands where it covers least.
    """
    ax.figure.figure.draw_without_rendering()  # the layout moves Axes when drawn, not before
    scale = ax.figure.figure.dpi / 72
    place = ax.transData.transform
    dots = place(others[np.isfinite(others).all(axis=1)]) / scale
    at = place(np.column_stack([x, y])) / scale
    page = ax.get_window_extent()
    bounds = np.array([page.x0, page.y0, page.x1, page.y1]) / scale
    high = style.SMALL
    taken: list[NDArray[np.float64]] = []
    # Those with the least space around them choose first.
    crowd = np.sqrt(((at[:, None] - at[None]) ** 2).sum(axis=2))
    for i in np.argsort(np.sort(crowd, axis=1)[:, : min(3, len(at))].sum(axis=1), kind="stable"):
        wide = 72 * style.width_of([names[i]], style.SMALL)
        boxes, reach = _places(at[i], wide, high)
        cost = 0.25 * reach + 3.0 * _covered(boxes, dots) + 8.0 * _covered(boxes, at)
        cost += 1e3 * ((boxes[:, :2] < bounds[:2] + 1).any(axis=1) | (boxes[:, 2:] > bounds[2:] - 1).any(axis=1))
        for other in taken:
            width = np.minimum(boxes[:, 2], other[2]) - np.maximum(boxes[:, 0], other[0])
            height = np.minimum(boxes[:, 3], other[3]) - np.maximum(boxes[:, 1], other[1])
            cost += 1e5 * ((width > -GAP) & (height > -GAP))
        best = int(np.argmin(cost))
        taken.append(boxes[best])
        _write(ax, (float(x[i]), float(y[i])), at[i], boxes[best], names[i], colors[i], led=bool(reach[best] >= LED))


def _places(dot: NDArray[np.float64], wide: float, high: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes around a dot that a name could take, and how far each is from it, in points."""
    radius, angle = (grid.ravel() for grid in np.meshgrid(RADII, ANGLES, indexing="ij"))
    near = dot + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    # The side of the box that faces the dot stands there.
    left = near[:, 0] - wide * (1 - np.cos(angle)) / 2
    low = near[:, 1] - high * (1 - np.sin(angle)) / 2
    return np.column_stack([left, low, left + wide, low + high]), radius


def _covered(boxes: NDArray[np.float64], dots: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many dots lie under each box."""
    low = dots[None] > boxes[:, None, :2] - GAP
    high = dots[None] < boxes[:, None, 2:] + GAP
    return np.asarray((low & high).all(axis=2).sum(axis=1), dtype=np.float64)


def _write(
    ax: Axes,
    point: tuple[float, float],
    dot: NDArray[np.float64],
    box: NDArray[np.float64],
    name: str,
    color: str,
    *,
    led: bool,
) -> None:
    middle = (box[:2] + box[2:]) / 2 - dot
    place: dict[str, Any] = {"xytext": tuple(middle), "textcoords": "offset points", "ha": "center", "va": "center"}
    texts = [ax.annotate(name, point, fontsize=style.SMALL, color=color, zorder=6, **place)]
    if led:
        # Apart from the name, whose box would hold the line too. It ends at the name's near edge.
        near = np.clip(0, box[:2] - dot, box[2:] - dot)
        line = {"arrowstyle": "-", "lw": 0.5, "color": "#808080", "shrinkA": 0, "shrinkB": 2.5}
        place = {"xytext": tuple(near), "textcoords": "offset points"}
        texts.append(ax.annotate("", point, arrowprops=line, zorder=5, **place))
    for text in texts:
        # The layout ignores them: it would move the Axes, and with them the places that were chosen.
        text.set_in_layout(False)
    style.plain(texts)
