"""Axes, legends and pairs of panels of diagrams."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

from sc_annotate.pl import _style as style

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.text import Text

RED = "#b3261e"
"""Contradictions and missed coverage."""


def frame(ax: Axes) -> None:
    """Two axes with small numbers; no grid of the style in use."""
    ax.grid(visible=False)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#808080")
    ax.tick_params(labelsize=style.FONT, length=3, color="#808080")


def rows(ax: Axes, names: Sequence[str], size: float) -> None:
    """A name at each row, the first above."""
    frame(ax)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.spines["left"].set_visible(False)
    ax.set_yticks(range(len(names)), names, fontsize=size, color=style.INK)
    ax.tick_params(axis="y", length=0)
    style.plain(ax.get_yticklabels())


def beside(ax: Axes, row: float, text: str, **look: Any) -> Text:
    """A text at the right edge of a row."""
    look = {"ha": "left", "va": "center", "fontsize": style.SMALL, "color": style.INK, **look}
    return ax.text(1.02, row, text, transform=ax.get_yaxis_transform(), **look)


def legend(ax: Axes, heading: str | None = None, **place: Any) -> None:
    """A legend without a box, outside the points."""
    made = ax.legend(
        frameon=False, fontsize=style.FONT, borderaxespad=0, title=heading, title_fontsize=style.FONT, **place
    )
    texts = [made.get_title(), *made.get_texts()]
    for text in texts:
        text.set_color(style.INK)
    style.plain(texts)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def narrow(lines: Iterable[str], characters: int) -> list[str]:
    """Lines of a title over a narrow panel."""
    return [row for line in lines for row in wrap(line, characters)]
