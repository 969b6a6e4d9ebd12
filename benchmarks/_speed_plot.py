"""The picture of speed.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from _speed_page import best

if TYPE_CHECKING:
    from pathlib import Path

OURS, OTHER = "#2f6db3", "#9a9a9a"


def plot(results: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    with plt.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
        if "annotate" in results:
            rates = {name: row["rate"] for name, row in results["annotate"]["rows"].items()}
            bars(
                axes[0, 0], rates, "cells a second", f"Annotate {results['annotate']['n']:,} cells, 10 types", "{:,.0f}"
            )
        if "fit" in results:
            rows = results["fit"]["rows"]
            named = {f"{name} (F1 {row['macro_f1']:.2f})": row["seconds"] for name, row in rows.items()}
            bars(axes[0, 1], named, "seconds", f"Fit on {results['fit']['n']:,} cells, 10 types", "{:.1f}")
        if "backed" in results:
            lines(axes[1, 0], axes[1, 1], results["backed"])
        figure.savefig(path, dpi=150)
        plt.close(figure)


def bars(ax: Any, values: dict[str, float], label: str, title: str, form: str) -> None:
    names = list(values)[::-1]
    foreign = ("X @ W", "scikit-learn", "CellTypist")
    colors = [OTHER if name.startswith(foreign) else OURS for name in names]
    drawn = ax.barh(names, [values[name] for name in names], color=colors)
    ax.bar_label(drawn, [form.format(values[name]) for name in names], padding=2)
    ax.set(xscale="log", xlabel=label, title=title)
    ax.set_xlim(min(values.values()) / 3, max(values.values()) * 4)


def lines(rate: Any, peak: Any, found: dict[str, Any]) -> None:
    sizes = list(found["sizes"])
    n = [int(s) for s in sizes]
    kinds = {
        "read": ("merely reading", OTHER, "-"),
        "labels": ("labels, confidence, sets", OURS, "-"),
        "annotate": ("annotate (default)", OURS, "--"),
        "fit": ("fit (default)", "#c0562f", "-"),
    }
    for what, (words, color, style) in kinds.items():
        points = [best(found, s, what) for s in sizes]
        peak.plot(n, [m / 1e3 for _, m in points], style, marker="o", markersize=3, color=color, label=words)
        if what != "fit":
            rate.plot(
                n, [k / s for k, (s, _) in zip(n, points, strict=True)], style, marker="o", markersize=3, color=color
            )
    peak.axhline(2, color="black", linewidth=0.8, linestyle=":")
    rate.set(xscale="log", yscale="log", xlabel="cells in the file", ylabel="cells a second", title="From an h5ad file")
    peak.set(xscale="log", xlabel="cells in the file", ylabel="peak memory, GB", title="Memory of the whole process")
    peak.set_ylim(bottom=0)
    peak.legend(frameon=False)
