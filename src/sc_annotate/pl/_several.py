"""Axes for pictures of several panels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.pl._figure import PAD

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def given_axes(ax: Any, n: int, what: str) -> list[Axes]:
    """The Axes that a caller gave, if they are as many as there are panels."""
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
