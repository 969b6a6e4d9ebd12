"""Make a figure where the caller gave no Axes, and hand back what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sc_annotate.errors import InputError
from sc_annotate.pl import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAD = 0.08
"""Inches around everything."""

LONGEST_BAR = 3.0
"""Inches of a colour bar."""

Drawn = TypeVar("Drawn", bound="Axes | dict[str, Axes]")


def one_axes(ax: Any, width: float, height: float) -> Axes:
    """The caller's Axes, or those of a new figure of this size in inches."""
    from matplotlib import pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if ax is None:
        ax = plt.subplots(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD, compress=True))[
            1
        ]
    if not isinstance(ax, Axes):
        raise InputError(f"ax must be a matplotlib Axes, not {type(ax).__name__}. Pass one of `plt.subplots()`.")
    return ax


def finish(drawn: Drawn, *, show: bool | None, return_fig: bool) -> Drawn | Figure:
    """Show where asked to, and return the Axes or their figure.

    Without a word from the caller, pictures are shown where matplotlib is interactive (a notebook), but not twice: a
    returned figure shows itself there.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    first = next(iter(drawn.values())) if isinstance(drawn, dict) else drawn
    figure: Figure = first.figure.figure  # twice: the Axes may lie in a subfigure
    if show or (show is None and mpl.is_interactive() and not return_fig):
        plt.show()
    return figure if return_fig else drawn


def color_bar(ax: Axes, shades: Any, name: str = "", *, aspect: float = 25) -> None:
    """A colour bar beside the Axes, no longer than a glance needs."""
    long = ax.get_window_extent().height / ax.figure.figure.dpi
    bar = ax.figure.colorbar(shades, ax=ax, shrink=min(0.6, LONGEST_BAR / long), aspect=aspect, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=style.SMALL, length=2)
    bar.set_label(name, fontsize=style.FONT, color=style.INK)
