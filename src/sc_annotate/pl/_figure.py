"""Figures: where the caller passed no Axes, and what is returned."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.pl import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAD = 0.08
"""Inches around the figure."""

LONGEST_BAR = 3.0
"""Inches of a colour bar."""

DPI = 300
"""Resolution of saved pictures (dots per inch) where the settings of matplotlib have none."""

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


def given_axes(ax: Any, n: int, what: str) -> list[Axes]:
    """The caller's Axes, if they are as many as there are panels."""
    from matplotlib.axes import Axes

    given = [ax] if isinstance(ax, Axes) else list(np.ravel(np.asarray(ax, dtype=object)))
    if len(given) != n or not all(isinstance(one, Axes) for one in given):
        raise InputError(f"ax must be {n} matplotlib Axes, {what}, not {ax!r}.")
    return given


def new_axes(down: int, across: int, width: float, height: float) -> list[Axes]:
    """Axes of a new figure of this size in inches, row by row."""
    from matplotlib import pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD, wspace=0.02, hspace=0.02)
    return list(plt.subplots(down, across, figsize=(width, height), squeeze=False, layout=engine)[1].ravel())


def pair(ax: Any, width: float, height: float, shares: tuple[float, float], names: tuple[str, str]) -> list[Axes]:
    """The caller's two Axes, or those of a new figure of this size in inches."""
    from matplotlib import pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if ax is not None:
        return given_axes(ax, 2, f"for {names[0]} and {names[1]}")
    engine = ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD, wspace=0.02)
    return list(plt.subplots(1, 2, figsize=(width, height), layout=engine, width_ratios=shares)[1])


def check_save(save: Any) -> Path | None:
    """Refuse, before anything is drawn, what cannot be the file of a picture."""
    from matplotlib.backend_bases import FigureCanvasBase

    if save is None:
        return None
    if not isinstance(save, str | PathLike) or not isinstance(os.fspath(save), str):
        raise InputError(f"save must be the path of a file to write, such as 'labels.pdf', not {save!r}.")
    path, known = Path(save), FigureCanvasBase.filetypes
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in known:
        has = f"the suffix {path.suffix!r}, which is no format of pictures" if suffix else "no suffix"
        raise InputError(
            f"save={str(save)!r} has {has}. Name a file that ends in one of {', '.join(f'.{s}' for s in sorted(known))}."
        )
    if not path.parent.is_dir():
        raise InputError(f"save={str(save)!r}: there is no folder {str(path.parent)!r}. Make it first.")
    if path.is_dir():
        raise InputError(f"save={str(save)!r} is a folder. Name a file in it.")
    return path


def finish(drawn: Drawn, *, show: bool | None, save: Any, return_fig: bool) -> Drawn | Figure:
    """Write and show the figure if requested, and return the Axes or their figure.

    By default figures are shown where matplotlib is interactive (a notebook), unless they are returned: a returned figure
    shows itself there.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    first = next(iter(drawn.values())) if isinstance(drawn, dict) else drawn
    figure: Figure = first.figure.figure  # twice: the Axes may lie in a subfigure
    path = check_save(save)
    if path is not None:
        _write(figure, path)
    if show or (show is None and mpl.is_interactive() and not return_fig):
        plt.show()
    return figure if return_fig else drawn


def _write(figure: Figure, path: Path) -> None:
    """Write all of the figure, also legends outside the page of the caller's figure."""
    import matplotlib as mpl

    dpi = mpl.rcParams["savefig.dpi"]
    try:
        figure.savefig(path, dpi=DPI if dpi == "figure" else dpi, bbox_inches="tight", pad_inches=PAD)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"save={str(path)!r}: the picture could not be written ({error}).") from error


def color_bar(ax: Axes, shades: Any, name: str = "", *, aspect: float = 25, close: bool = False) -> None:
    """A colour bar beside the Axes, of limited length; `close` to them, whatever is beside other Axes of the figure."""
    long = ax.get_window_extent().height / ax.figure.figure.dpi
    share = min(0.6, LONGEST_BAR / long)
    if close:
        place = ax.inset_axes((1.03, (1 - share) / 2, share / aspect, share))
        place.set_label("<colorbar>")
        bar = ax.figure.colorbar(shades, cax=place)
    else:
        bar = ax.figure.colorbar(shades, ax=ax, shrink=share, aspect=aspect, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=style.SMALL, length=2)
    bar.set_label(name, fontsize=style.FONT, color=style.INK)
