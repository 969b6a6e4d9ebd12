"""Colours, sizes and texts of all figures; sizes are fixed, so that measured layouts hold under any style."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._store.reading import in_memory
from sc_annotate._store.slots import AMBIGUOUS, CONFIDENT, GIVEN, LOW_QUALITY, UNFAMILIAR, Slots
from sc_annotate.pl._palette import PALETTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.text import Text
    from numpy.typing import NDArray

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

PALEST = 0.22
"""Saturation of the least certain cell."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Of types whose colour has been used before, in this order."""

NEAR = 0.2
"""Distance of red, green and blue, each from 0 to 1, within which two colours are alike."""

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


def bright(*, high: bool = True) -> Colormap:
    """Viridis without its palest end, which is invisible on white; bright where numbers are high, or where they are low.

    Bright is always what can be trusted: a high confidence, a short distance from the reference.
    """
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    shades = colormaps["viridis"](np.linspace(0, 0.9, 256))
    return ListedColormap(shades if high else shades[::-1], name="bright" if high else "dark")


def paler(colors: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours (n, 4) of which only a share remains, mixed with white."""
    out = colors.copy()
    kept = PALEST + (1 - PALEST) * np.clip(np.nan_to_num(share, nan=0.0), 0, 1)[:, None]
    out[:, :3] = kept * colors[:, :3] + (1 - kept)
    return out


def palette(n: int) -> list[str]:
    """Colours for n types: those of the style in use where they are enough, else our own, which repeat after 60."""
    from matplotlib import rcParams
    from matplotlib.colors import to_hex

    cycle = [to_hex(c) for c in rcParams["axes.prop_cycle"].by_key().get("color", [])]
    own = cycle if n <= len(cycle) else PALETTE
    return [own[i % len(own)] for i in range(n)]


def own_colors(adata: AnnData, key: str, column: pd.Series) -> dict[str, str]:
    """The object's own colour for each category of a column; empty where there are none that can be used."""
    from matplotlib.colors import is_color_like, to_hex

    names = [str(c) for c in column.cat.categories]
    stored = in_memory(adata.uns.get(Slots(key).colors))
    own = list(stored) if isinstance(stored, Sequence | np.ndarray) else []
    if len(own) < len(names) or not all(is_color_like(c) for c in own):
        return {}
    own = [to_hex(c) for c in own[: len(names)]]
    # Scanpy makes all types grey where they are more than its colours.
    return {} if len(names) > 1 and len(set(own)) == 1 else dict(zip(names, own, strict=True))


def type_colors(adata: AnnData, key: str, column: pd.Series) -> dict[str, str]:
    """A colour for each category of a column: the object's own where they exist and can be used."""
    names = [str(c) for c in column.cat.categories]
    return own_colors(adata, key, column) or dict(zip(names, palette(len(names)), strict=True))


def far_from(colors: Iterable[str]) -> Callable[[str], bool]:
    """Whether a colour is unlike all of these."""
    from matplotlib.colors import to_rgb

    taken = np.array([to_rgb(c) for c in colors]).reshape(-1, 3)
    return lambda color: bool((np.linalg.norm(taken - to_rgb(color), axis=1) > NEAR).all())


def kept_apart(names: Iterable[str], known: dict[str, str]) -> dict[str, str]:
    """The known colour of each name, and for the others colours that none of these has, as far as there are any."""
    wanted = list(dict.fromkeys(names))
    others = [name for name in wanted if name not in known]
    taken = {known[name] for name in wanted if name in known}
    free = [c for c in (palette(len(wanted)) if len(wanted) > len(PALETTE) else PALETTE) if c not in taken] or PALETTE
    far = far_from(taken)
    free = sorted(free, key=lambda color: not far(color))
    fresh = {name: free[i % len(free)] for i, name in enumerate(others)}
    return {name: known.get(name) or fresh[name] for name in wanted}


def marker_of(colors: Iterable[str]) -> list[str]:
    """A marker for each colour: another one where the colour has been used before."""
    seen: dict[str, int] = {}
    found = []
    for color in colors:
        found.append(MARKERS[seen.get(color, 0) % len(MARKERS)])
        seen[color] = seen.get(color, 0) + 1
    return found
