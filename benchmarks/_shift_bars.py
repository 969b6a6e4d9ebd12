"""Tables of figures, and which requirements hold, in words: what trust_shift.py prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from _shift_data import BATCHES, ONE_BATCH, SPECIES
from _shift_figures import known_groups, pairs, removed_figures, select, split_figures, yield_difference
from _shift_more_bars import depth, genes, levels, skew
from _shift_words import Bar, plain, signed

if TYPE_CHECKING:
    from collections.abc import Callable

    Row = dict[str, Any]

EASY_DONORS = ("human1", "human2", "human3")


def yields(new: list[Row], figures: list[dict[str, float]], old: list[Row]) -> list[Bar]:
    before = {id(a): split_figures(b)["yield"] for a, b in pairs(new, old)}
    low, wide, other = [], [], []
    for row, f in zip(new, figures, strict=True):
        name = f"{row['data']} {row['split']}"
        if f["accuracy"] >= 0.9 and f["set_size"] > 1.3:
            wide.append(f"{name} {f['set_size']:.2f}")
        if row["kind"] == ONE_BATCH or row["data"] == "baron_species":
            continue
        least = max(before.get(id(row), 0) - 0.03, 0.6 if row["split"] in EASY_DONORS else 0)
        if f["n_confident"] == 0 or f["yield"] < least:
            (low if row["kind"] == BATCHES else other).append(f"{name} {f['yield']:.2f} < {least:.2f}")
    return [
        Bar("usefulness kept, zero confident cells included", not low, ", ".join(low) or "every split"),
        Bar("the same across species (mouse1, mouse2)", None, ", ".join(other) or "kept"),
        Bar("mean set size <= 1.3 where accuracy >= .90", not wide, ", ".join(wide) or "every split"),
    ]


def honest(new: list[Row], figures: list[dict[str, float]]) -> list[Bar]:
    """Coverage, calibration error and flagged cells where the reference has two batches or more."""
    own = [(f"{r['data']} {r['split']}", f) for r, f in zip(new, figures, strict=True) if r["kind"] == BATCHES]
    missed = [(name, f) for name, f in own if f["coverage"] < 0.85 and f["high"] < 0.9]
    large = sum(f["n"] >= 100 for _, f in missed)
    bars = [
        Bar(
            "coverage",
            not large and len(missed) - large <= 1,
            ", ".join(f"{name} {f['coverage']:.2f} (at most {f['high']:.2f})" for name, f in missed)
            or "no split fails",
        )
    ]
    for name, key, most in (("ECE <= .08", "ece", 0.08), ("flagged <= 10 %", "flagged", 0.1)):
        over = [f"{n} {f[key]:.3f}" for n, f in own if f[key] > most]
        words = f"over in {len(over)} of {len(own)} splits: {', '.join(over) or 'none'}"
        bars.append(Bar(f"{name} in 90 % of the splits", len(over) <= 0.1 * len(own), words))
    lowest = [(f["lowest"], f"{r['data']} {r['split']}") for r, f in zip(new, figures, strict=True)]
    least = min((x for x in lowest if not np.isnan(x[0])), default=(1.0, "none"))
    bars.append(Bar("no confident cell below .5", least[0] >= 0.5, f"lowest {least[0]:.3f} in {least[1]}"))
    return bars


def stored_calibrators(new: list[Row]) -> Bar:
    worse = []
    for row in new:
        loss = row["calibration"]["log_loss"]
        if "calibrated" in loss and loss["calibrated"] > loss["uncalibrated"] + 1e-9:
            how = row["calibration"]["calibrator"]
            worse.append(f"{row['data']} {row['split']} {how} {loss['uncalibrated']:.3f} to {loss['calibrated']:.3f}")
    return Bar("no calibrator with a higher held-out log loss than none", not worse, ", ".join(worse) or "none")


def warned(new: list[Row]) -> Bar:
    silent = [
        f"{row['data']} {row['split']}"
        for row in new
        if row["kind"] != BATCHES and not any("batch" in line for line in row["first_lines"])
    ]
    return Bar("one batch, across species: first lines of the report warn", not silent, ", ".join(silent) or "all")


def splits(new: list[Row], old: list[Row]) -> tuple[str, list[Bar]]:
    figures = [split_figures(row) for row in new]
    before = {id(a): b for a, b in pairs(new, old)}
    head = (
        "data|left out|reference|known|accuracy|confidence|ECE|coverage|set|flagged|yield|wrong|lowest|yield - before"
    )
    table = []
    for row, f in sorted(zip(new, figures, strict=True), key=lambda x: (x[0]["kind"] != BATCHES, x[0]["data"])):
        numbers = [f"{f[k]:.3f}" for k in ("accuracy", "confidence", "ece")]
        numbers += [f"{f['coverage']:.3f} [{f['low']:.3f}, {f['high']:.3f}]", f"{f['set_size']:.2f}"]
        numbers += [f"{f[k]:.3f}" for k in ("flagged", "yield", "wrong", "lowest")]
        change = signed(yield_difference(row, before[id(row)])) if id(row) in before else ""
        table.append([row["data"], row["split"], row["kind"], f["n"], *numbers, change])
    bars = [*yields(new, figures, old), *honest(new, figures), stored_calibrators(new), warned(new)]
    counted = [known_groups(row) for row in new if row["kind"] == BATCHES]
    if sum(n for n, _ in counted):
        n, flagged = np.sum(counted, axis=0)
        bars.append(Bar("groups flagged where no type was removed (<= 10 %)", flagged <= 0.1 * n, f"{flagged} of {n}"))
    return plain(head, table), bars


def removed(new: list[Row], old: list[Row]) -> tuple[str, list[Bar]]:
    from _shift_figures import auroc_difference

    figures = [removed_figures(row) for row in new]
    before = {id(a): (b, removed_figures(b)) for a, b in pairs(new, old)}
    head = "data|left out|type|reference|cells|AUROC|flagged|confident|known flagged|group|before: AUROC|confident"
    table = []
    for row, f in sorted(zip(new, figures, strict=True), key=lambda x: -x[1]["confident"]):
        was = before[id(row)][1] if id(row) in before else {}
        group = {1.0: "found", 0.0: "no"}.get(f.get("found"), "-")
        numbers = [f"{f[k]:.3f}" for k in ("auroc", "flagged", "confident", "known_flagged")]
        earlier = [f"{was[k]:.3f}" if was else "" for k in ("auroc", "confident")]
        table.append([row["data"], row["split"], row["unseen"], row["kind"], f["n"], *numbers, group, *earlier])
    over = sum(f["confident"] > 0.5 for f in figures)
    bars = []
    pairs_of = [(row, *before[id(row)]) for row in new if id(row) in before]
    if pairs_of:
        was = sum(f["confident"] > 0.5 for _, _, f in pairs_of)
        bars.append(Bar("more than half still confident", 3 * over <= was, f"{over} of {len(new)}, before {was}"))
        for kind in (BATCHES, ONE_BATCH, SPECIES):
            own = [f["confident"] > 0.5 for row, f in zip(new, figures, strict=True) if row["kind"] == kind]
            then = [f["confident"] > 0.5 for row, _, f in pairs_of if row["kind"] == kind]
            bars.append(Bar(f"  of these, {kind}", None, f"{sum(own)} of {len(own)}, before {sum(then)}"))
        lower = []
        for data in sorted({row["data"] for row in new}):
            change = auroc_difference((a, b) for a, b, _ in pairs_of if a["data"] == data)
            bars.append(Bar(f"  AUROC, {data}", None, f"{signed(change)}"))
            lower += [data] if change[2] < 0 else []
        bars.append(Bar("AUROC lower beyond its interval in no data set", not lower, ", ".join(lower) or "none"))
        mean, then = (float(np.mean(x)) for x in ([f["auroc"] for f in figures], [f["auroc"] for *_, f in pairs_of]))
        bars.append(Bar("mean AUROC higher", mean > then, f"{mean:.4f}, before {then:.4f}"))
    grouped = [f for f in figures if "found" in f]
    if grouped:
        share = float(np.mean([f["found"] for f in grouped]))
        bars.append(Bar("found as one flagged group (>= 60 %)", share >= 0.6, f"{share:.2f} of {len(grouped)}"))
        n, flagged = (int(sum(f[k] for f in grouped)) for k in ("known_groups", "known_groups_flagged"))
        bars.append(Bar("known groups flagged beside them (<= 10 %)", flagged <= 0.1 * n, f"{flagged} of {n}"))
        for kind in (BATCHES, ONE_BATCH, SPECIES):
            own = [f for row, f in zip(new, figures, strict=True) if row["kind"] == kind and "found" in f]
            if own:
                n, flagged = (int(sum(f[k] for f in own)) for k in ("known_groups", "known_groups_flagged"))
                words = (
                    f"found {np.mean([f['found'] for f in own]):.2f} of {len(own)}, known ones flagged {flagged} of {n}"
                )
                bars.append(Bar(f"  groups, {kind}", None, words))
    else:
        bars.append(Bar("found as one flagged group (>= 60 %)", False, "groups are not looked for"))
    return plain(head, table), bars


PARTS: dict[str, Callable[[list[Row], list[Row]], tuple[str, list[Bar]]]] = {
    "splits": splits,
    "removed": removed,
    "depth": depth,
    "genes": genes,
    "skew": skew,
    "levels": levels,
}


def text(rows: list[Row], old: list[Row]) -> str:
    """Tables of all parts, then the requirements."""
    tables, lines = [], []
    for name, of in PARTS.items():
        own = select(rows, name)
        if own:
            table, bars = of(own, select(old, name))
            tables.append(f"== {name}\n{table}")
            lines += [f"{name}: {bar}" for bar in bars]
    return "\n\n".join([*tables, "== requirements\n" + "\n".join(lines)])
