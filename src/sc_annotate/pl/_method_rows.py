"""What the pictures of scores share: a row for each method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate.pl import _perturbation_words as words
from sc_annotate.pl import _style as style
from sc_annotate.pl._frame import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from sc_annotate.pl._perturbation_stored import Board


def width_of(methods: Sequence[str]) -> float:
    """Inches that the names of methods take at the left."""
    return style.width_of(words.in_words(methods), style.FONT)


def method_rows(ax: Axes, board: Board, methods: Sequence[str], *, named: bool = True) -> None:
    """A row for each method, the first above; the one that was asked for is set in bold."""
    rows(ax, words.in_words(methods) if named else [""] * len(methods), style.FONT)
    for text, name in zip(ax.get_yticklabels(), methods, strict=True):
        text.set_fontweight("bold" if name == board.own else "normal")


def without_number(board: Board, i: int, j: int) -> str:
    """What stands in the place of a score that there is not, of method `i` and metric `j`."""
    return "not predicted" if "missing" in str(board.summary["status"][i, j]) else "undefined"
