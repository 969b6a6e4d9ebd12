"""Requirements on shallow cells, the choice of genes, aligned queries and coarser labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from _shift_figures import clopper_pearson, f1_difference, f1_figures, pairs, ratio
from _shift_words import Bar, plain, signed

if TYPE_CHECKING:
    Row = dict[str, Any]

ALL_GENES = ("baron", "kang_14k", "scmixology")
COLUMNS = ("n", "sum_confidence", "right", "confident", "confident_right")


def depth_figures(rows: list[Row]) -> dict[tuple[str, int], dict[str, float]]:
    """By data set and depth, over directions and thinnings."""
    out = {}
    for data, molecules in sorted({(r["data"], -r["molecules"]) for r in rows}):
        own = [r for r in rows if (r["data"], r["molecules"]) == (data, -molecules)]
        n, confidence, right, sure, sure_right = (sum(r[name] for r in own) for name in COLUMNS)
        out[data, -molecules] = {
            "n": n,
            "accuracy": right / n,
            "confidence": confidence / n,
            "confident": sure,
            "right": ratio(sure_right, sure),
            "upper": clopper_pearson(sure_right, sure)[1] if sure else 1.0,
        }
    return out


def depth(new: list[Row], old: list[Row]) -> tuple[str, list[Bar]]:
    found, before = depth_figures(new), depth_figures(old)
    head = (
        "data|molecules|cells|accuracy|confidence|confident|right among them|at most|before: confidence|confident|right"
    )
    table, off, wrong = [], [], []
    for (data, molecules), f in found.items():
        was = before.get((data, molecules))
        earlier = [f"{was['confidence']:.3f}", was["confident"], f"{was['right']:.3f}"] if was else ["", "", ""]
        numbers = [f"{f['accuracy']:.3f}", f"{f['confidence']:.3f}", f["confident"], f"{f['right']:.3f}"]
        table.append([data, molecules, f["n"], *numbers, f"{f['upper']:.3f}", *earlier])
        if abs(f["confidence"] - f["accuracy"]) > 0.07:
            off.append(f"{data} at {molecules} {f['confidence'] - f['accuracy']:+.2f}")
        if f["confident"] >= 50 and f["upper"] < 0.85:
            wrong.append(f"{data} at {molecules} {f['right']:.2f} of {f['confident']}")
    bars = [
        Bar("|mean confidence - accuracy| <= .07", not off, ", ".join(off) or "at every depth"),
        Bar("right among confident, upper limit >= .85", not wrong, ", ".join(wrong) or "at every depth"),
    ]
    return plain(head, table), bars


def genes(new: list[Row], old: list[Row]) -> tuple[str, list[Bar]]:
    table, bars, lower, means = [], [], [], []
    for data in sorted({row["data"] for row in new}):
        own = [row for row in new if row["data"] == data]
        together, mean = f1_figures(own)
        both = pairs(own, old)
        change, was = "", ""
        if both:
            gap = f1_difference(both)
            change, was = signed((gap.estimate, gap.low, gap.high)), f"{f1_figures([b for _, b in both])[1]:.3f}"
            lower += [f"{data} {change}"] if gap.high < 0 else []
            if data in ALL_GENES:
                means.append((gap.estimate, mean - f1_figures([b for _, b in both])[1]))
            elif gap.estimate < -1e-9:
                bars.append(Bar(f"{data} not lower", gap.high >= 0, f"{change} (estimate below 0)"))
        table.append([data, f"{together:.3f}", f"{mean:.3f}", was, change])
    if means:
        a, b = np.mean(means, axis=0)
        words = f"{a:+.4f} over {len(means)} data sets, cells together; {b:+.4f} as means over splits"
        bars.insert(0, Bar("mean macro-F1 >= before + .01", len(means) == len(ALL_GENES) and a >= 0.01, words))
    if old:
        bars.append(Bar("lower beyond its paired interval in no data set", not lower, ", ".join(lower) or "none"))
    return plain("data|macro-F1, cells together|mean over splits|before|difference, cells together", table), bars


def skew(new: list[Row], old: list[Row]) -> tuple[str, list[Bar]]:
    table, gains, low = [], [], []
    for data in sorted({row["data"] for row in new}):
        own = [row for row in new if row["data"] == data]
        numbers = list(f1_figures(own, "plain"))
        text, change = [f"{x:.3f}" for x in numbers], ""
        if all("aligned" in row for row in own):
            aligned = f1_figures(own, "aligned")
            gap = f1_difference([(row, row) for row in own], ("aligned", "plain"))
            change = signed((gap.estimate, gap.low, gap.high))
            text += [f"{x:.3f}" for x in aligned]
            gains.append((gap.estimate, aligned[1] - numbers[1]))
            if min(gains[-1]) < (-0.02 if data == "baron_species" else -0.01):
                low.append(f"{data} {gains[-1][0]:+.3f} (means over splits {gains[-1][1]:+.3f})")
        else:
            text += ["", ""]
        table.append([data, *text, change])
    bars = []
    if gains:
        a, b = np.mean(gains, axis=0)
        bars.append(Bar("align='auto' better in the mean", a > 0, f"{a:+.4f} cells together, {b:+.4f} over splits"))
        bars.append(Bar("nowhere more than .01 below None (.02 across species)", not low, ", ".join(low) or "nowhere"))
    else:
        bars.append(Bar("align='auto' better in the mean", False, "there is no alignment"))
    head = "data|None, cells together|mean over splits|auto, cells together|mean over splits|difference"
    return plain(head, table), bars


def levels(new: list[Row], old: list[Row]) -> tuple[str, list[Bar]]:
    table, off = [], []

    def gap_of(rows: list[Row], data: str, level: str) -> tuple[int, float, float]:
        n, right, confidence = (
            sum(r[k] for r in rows if (r["data"], r["level"]) == (data, level))
            for k in ("n", "right", "sum_confidence")
        )
        return n, ratio(right, n), ratio(confidence, n)

    for data, level in sorted({(row["data"], row["level"]) for row in new}):
        n, accuracy, confidence = gap_of(new, data, level)
        _, was, stated = gap_of(old, data, level)
        table.append([data, level, n, f"{accuracy:.3f}", f"{confidence:.3f}", f"{was:.3f}", f"{stated:.3f}"])
        if abs(accuracy - confidence) > 0.05:
            off.append(f"{data}, {level} {confidence - accuracy:+.3f}")
    head = "data|level|cells|accuracy|confidence|before: accuracy|confidence"
    return plain(head, table), [Bar("level confidence within .05 of accuracy", not off, "; ".join(off) or "everywhere")]
