"""Methods and metrics of perturbation prediction in figures: words, colours and rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sc_annotate.pl import _style as style
from sc_annotate.pl._frame import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from sc_annotate.pl._perturbation_stored import Board

BLUE, GREEN = "#1f5fa8", "#1b7f5c"

BASELINES = {
    "no_change": ("no change  (as the control)", "#8c8c8c"),
    "mean": ("mean  (of all perturbations)", "#3c3c3c"),
    "additive": ("additive  (sum of the singles)", "#b35900"),
}
"""Baselines of every comparison: words and colour."""

OTHERS = ("#7b3fa0", "#0f8ba0", "#b3126b", "#8a6d00", "#6b9bc9", "#5b3a1e")


@dataclass(frozen=True)
class Metric:
    """A metric in words, which direction is better, and its value by chance."""

    words: str
    good: str
    chance: float | None = None
    ranks: bool = False
    """Whether chance is a little more than one half, as a condition's own rank counts among n."""

    def chance_of(self, n: int) -> float | None:
        return (n + 1) / (2 * n) if self.ranks and n else self.chance


LOWER, HIGHER = "lower is better", "higher is better"
METRICS = {
    "l2": Metric("error: distance between predicted and observed", LOWER),
    "pearson_delta": Metric("correlation of changes from the control", HIGHER),
    "pearson_perturbed": Metric("correlation of changes from the mean of perturbed cells", HIGHER, 0.0),
    "centroid_accuracy": Metric("nearer to its own profile than to those of others", HIGHER, 0.5),
    "discrimination": Metric("distinguished from other perturbations", HIGHER, ranks=True),
    "direction": Metric("distinguished by the direction of the change", HIGHER, ranks=True),
    "sd_ratio": Metric("differences between perturbations, predicted / observed", "1 is as observed"),
    "sign_accuracy": Metric("largest changes that go the right way", HIGHER, 0.5),
    "weighted_mse": Metric("error, weighted to changed genes", LOWER),
    "weighted_r2": Metric("variance explained, weighted to changed genes", HIGHER, 0.0),
}


def metric(name: str) -> Metric:
    """In words; an unknown one by its name."""
    return METRICS.get(name, Metric(name.replace("_", " "), ""))


def in_words(methods: Sequence[str]) -> list[str]:
    """Names as they are shown, baselines with what they predict."""
    return [
        BASELINES[name][0] if name in BASELINES else one
        for name, one in zip(methods, style.shorten(methods), strict=True)
    ]


def colors(methods: Sequence[str]) -> list[str]:
    """A colour for each method, the same in all pictures for the most common ones."""
    own = {name: color for name, (_, color) in BASELINES.items()} | {"linear": BLUE}
    free = [name for name in methods if name not in own]
    own |= {name: OTHERS[i % len(OTHERS)] for i, name in enumerate(free)}
    return [own[name] for name in methods]


def figure(value: float) -> str:
    """A number with three significant digits and a typographic minus."""
    text = f"{value:#.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return text.rstrip(".").replace("-", "−")


def width_of(methods: Sequence[str]) -> float:
    """Inches that the names of methods take at the left."""
    return style.width_of(in_words(methods), style.FONT)


def method_rows(ax: Axes, board: Board, methods: Sequence[str], *, named: bool = True) -> None:
    """A row for each method, the first above; the requested one in bold."""
    rows(ax, in_words(methods) if named else [""] * len(methods), style.FONT)
    for text, name in zip(ax.get_yticklabels(), methods, strict=True):
        text.set_fontweight("bold" if name == board.own else "normal")


def without_number(board: Board, i: int, j: int) -> str:
    """Text in place of a missing score, of method `i` and metric `j`."""
    return "not predicted" if "missing" in str(board.summary["status"][i, j]) else "undefined"
