"""Colours, sizes and texts of all figures; sizes are fixed, so that measured layouts hold under any style."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._store.reading import in_memory
from sc_annotate._store.slots import AMBIGUOUS, CONFIDENT, GIVEN, LOW_QUALITY, UNFAMILIAR, Slots

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.text import Text

TITLE, FONT, SMALL = 9.0, 8.0, 7.0
"""Font sizes in points."""

GREY = "#d3d3d3"
"""Cells without a value."""

INK = "#262626"

STATUS_COLORS = {
    CONFIDENT: "#3b8fcf",
    AMBIGUOUS: "#f0a800",
    UNFAMILIAR: "#b3126b",
    LOW_QUALITY: "#2b2b2b",
    GIVEN: "#a8a8a8",
}
"""The same in every figure, and distinguishable with colour vision deficiency."""

HEAT = "Blues"
"""Colormap of shares and probabilities in heatmaps: nothing is white."""

LONGEST = 40
"""Characters of a label that are always shown in full."""

PALE = 0.7
"""Relative luminance above which a colour is lost on white."""


def shorten(labels: Iterable[str]) -> list[str]:
    """Labels of at most 40 characters, the middle of longer ones left out; in full where two would look the same."""
    full = [" ".join(str(one).split()) for one in labels]
    half = (LONGEST - 1) // 2
    short = [one if len(one) <= LONGEST else f"{one[: LONGEST - 1 - half]}…{one[-half:]}" for one in full]
    same = {one for one in short if short.count(one) > 1}
    return [long if one in same else one for long, one in zip(full, short, strict=True)]


def width_of(texts: Iterable[str], size: float) -> float:
    """Inches that the longest of some texts takes."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size)
    return max(
        (text_to_path.get_text_width_height_descent(t, font, ismath=False)[0] / 72 for t in texts if t), default=0.0
    )


def plain(texts: Iterable[Text]) -> None:
    """Show a dollar sign in a label as it is, and not as the start of a formula."""
    for text in texts:
        text.set_parse_math(False)


def broken(lines: Iterable[str]) -> list[str]:
    """Rows of a title: long lines, such as the names of many batches, are broken and after three rows cut."""
    return [row for line in lines for row in wrap(line, 64, max_lines=3, placeholder=" …")]


def title(ax: Axes, lines: Iterable[str], *, pad: float = 5.0) -> None:
    plain([ax.set_title("\n".join(broken(lines)), fontsize=TITLE, color=INK, pad=pad)])


def axis_names(ax: Axes, x: str | None = None, y: str | None = None) -> None:
    if x is not None:
        plain([ax.set_xlabel(x, fontsize=FONT, color=INK)])
    if y is not None:
        plain([ax.set_ylabel(y, fontsize=FONT, color=INK)])


def luminance(color: Any) -> float:
    """Relative luminance (WCAG), 0 for black to 1 for white."""
    from matplotlib.colors import to_rgb

    rgb = np.asarray(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def ink_on(color: Any) -> str:
    """Black or white, whichever is better read on `color`."""
    return INK if luminance(color) > 0.22 else "white"


def confidence_map() -> Colormap:
    """Viridis without its palest end, which is lost on white."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["viridis_r"](np.linspace(0.08, 1, 256)), name="confidence")


def palette(n: int) -> list[str]:
    """Colours for n types: those that scanpy would take up to 28, and its longest palette without the pale ones above.

    Above about 90 types colours repeat.
    """
    from matplotlib import rcParams
    from matplotlib.colors import to_hex

    cycle = rcParams["axes.prop_cycle"].by_key().get("color", [])
    if n <= len(cycle):
        return [to_hex(c) for c in cycle[:n]]
    from scanpy.pl import palettes

    if n <= len(palettes.default_28):
        return list(palettes.default_20 if n <= len(palettes.default_20) else palettes.default_28)[:n]
    readable = [c for c in palettes.default_102 if luminance(c) < PALE]
    return [readable[i % len(readable)] for i in range(n)]


def type_colors(adata: AnnData, key: str, column: pd.Series) -> dict[str, str]:
    """A colour for each category of a column: the object's own where they exist and can be used."""
    from matplotlib.colors import is_color_like, to_hex

    names = [str(c) for c in column.cat.categories]
    stored = in_memory(adata.uns.get(Slots(key).colors))
    own = list(stored) if isinstance(stored, Sequence | np.ndarray) else []
    usable = len(own) >= len(names) and all(is_color_like(c) for c in own)
    return dict(zip(names, map(to_hex, own) if usable else palette(len(names)), strict=False))
