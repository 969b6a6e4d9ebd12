"""Methods and metrics of perturbation prediction in words and colours, the same in every picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sc_annotate.pl import _style as style

if TYPE_CHECKING:
    from collections.abc import Sequence

BLUE, GREEN = "#1f5fa8", "#1b7f5c"

BASELINES = {
    "no_change": ("no change  (as the control)", "#8c8c8c"),
    "mean": ("mean  (of all perturbations)", "#3c3c3c"),
    "additive": ("additive  (sum of the singles)", "#b35900"),
}
"""What every method is held against: words and colour."""

OTHERS = ("#7b3fa0", "#0f8ba0", "#b3126b", "#8a6d00", "#6b9bc9", "#5b3a1e")


@dataclass(frozen=True)
class Metric:
    """How a metric is called, which way it is good, and where chance lies."""

    words: str
    good: str
    chance: float | None = None
    ranks: bool = False
    """Whether chance is a little more than half, as the own rank counts among n."""

    def chance_of(self, n: int) -> float | None:
        return (n + 1) / (2 * n) if self.ranks and n else self.chance


LOWER, HIGHER = "lower is better", "higher is better"
METRICS = {
    "l2": Metric("error: distance between predicted and observed", LOWER),
    "pearson_delta": Metric("correlation of changes from the control", HIGHER),
    "pearson_perturbed": Metric("correlation of changes from the mean of perturbed cells", HIGHER, 0.0),
    "centroid_accuracy": Metric("nearer to its own profile than to those of others", HIGHER, 0.5),
    "discrimination": Metric("told apart from other perturbations", HIGHER, ranks=True),
    "direction": Metric("told apart by the direction of the change", HIGHER, ranks=True),
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
    """A colour for each method; those that nearly every result has keep theirs."""
    own = {name: color for name, (_, color) in BASELINES.items()} | {"linear": BLUE}
    free = [name for name in methods if name not in own]
    own |= {name: OTHERS[i % len(OTHERS)] for i, name in enumerate(free)}
    return [own[name] for name in methods]


def figure(value: float) -> str:
    """A number as it is written beside a dot: three digits that count, a real minus."""
    text = f"{value:#.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return text.rstrip(".").replace("-", "−")
