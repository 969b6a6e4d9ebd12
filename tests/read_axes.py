"""What stands in drawn Axes: texts, dots, intervals, lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def texts(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.texts if t.get_text()]


def labels(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.get_yticklabels()]


def dots(ax: Axes) -> dict[int, float]:
    return {
        int(y[0]): x[0] for x, y in (line.get_data() for line in ax.lines if line.get_marker() == "o") if len(x) == 1
    }


def intervals(ax: Axes) -> dict[int, tuple[float, float]]:
    found = [
        line.get_data() for line in ax.lines if line.get_marker() == "None" and line.get_solid_capstyle() == "butt"
    ]
    return {int(y[0]): tuple(x) for x, y in found if len(y) == 2 and y[0] == y[1]}


def upright(ax: Axes, word: str) -> float:
    """Where the line stands whose word this is."""
    (text,) = [t for t in ax.texts if t.get_text() == word]
    lines = [line for line in ax.lines if len(line.get_xdata()) == 2 and np.ptp(line.get_xdata()) == 0]
    (line,) = [line for line in lines if line.get_color() == text.get_color()]
    return float(line.get_xdata()[0])
