"""Heatmaps: frame, names of rows and columns, numbers in the fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import color_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MOST_NUMBERS = 15
"""Rows and columns up to which the numbers are written into the fields."""


def font_for(n: int) -> float:
    """Size of the names of n rows."""
    return style.FONT if n <= 45 else style.SMALL


def pitch(n: int) -> float:
    """Inches of each of n rows or columns."""
    return 0.24 if n <= 20 else 0.17 if n <= 45 else 0.13


def draw(
    ax: Axes, values: NDArray[Any], y: Sequence[str], *, x: Sequence[str] | None = None, top: float | None, name: str,
    aspect: Literal["equal", "auto"],
) -> Any:  # fmt: skip
    """Values from 0 to `top` with names at the rows and, where given, the columns; no frame or grid of the style in use."""
    image = ax.imshow(values, cmap=style.HEAT, vmin=0, vmax=top, aspect=aspect, interpolation="nearest")
    ax.grid(visible=False)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    ax.set_yticks(range(len(y)), y, fontsize=font_for(len(y)), color=style.INK)
    style.plain(ax.get_yticklabels())
    if x is not None:
        ax.set_xticks(range(len(x)), x, fontsize=font_for(len(x)), color=style.INK, rotation=90)
        style.plain(ax.get_xticklabels())
    color_bar(ax, image, name)
    return image


def numbers(ax: Axes, image: Any, fields: Sequence[tuple[int, int]], text: Callable[[int, int], str]) -> None:
    """Write into some fields (row, column), in black or white."""
    values = image.get_array()
    for i, j in fields:
        ink = style.ink_on(image.cmap(image.norm(values[i, j])))
        ax.text(j, i, text(i, j), ha="center", va="center", fontsize=style.SMALL, color=ink)
