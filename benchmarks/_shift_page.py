"""The page docs/benchmarks_shift.md: what trust_shift.py measured, worst first."""

from __future__ import annotations

import datetime
import textwrap
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from _shift_data import BATCHES, ONE_BATCH, SPECIES
from _shift_figures import f1_difference, f1_figures, known_groups, pairs, removed_figures, select, split_figures
from _shift_more_bars import depth_figures
from _shift_words import markdown, signed

import sc_annotate as sca

if TYPE_CHECKING:
    from collections.abc import Callable

    Row = dict[str, Any]

KINDS = (SPECIES, ONE_BATCH, BATCHES)

PAGE = """# Benchmark: confidence, prediction sets and status on cells from another batch

{summary}

One batch, donor, condition, technology or species at a time is the query, and all other cells are the reference; all arguments
have their defaults. [](trust.md) explains the numbers. Tables are sorted, worst first.

* *Known cells* are those of a type that the reference has; the first tables are about them. *ECE* is the expected calibration
  error in ten bins of equal size. *Coverage* is that of the prediction sets for 90 %, with its 95 % Clopper-Pearson interval.
  *Flagged* is the share of known cells with the status `unfamiliar`. *Yield* is the share of the rightly labelled cells that
  are `confident`, and *wrong* the share of the `confident` cells with a wrong label.
* The data sets are small and most are blood or pancreas; types with fewer than {least} cells are left out. `baron` is divided
  by donor and once more by species. The two mouse donors count as *across species*: one of them has all mouse alpha cells.
* The defaults were chosen with some of these data. For other data, hold out a batch of your own (`cv="batches"`).

Made on {date} with sc_annotate {own}, {versions}, by `benchmarks/trust_shift.py`.

## What holds under which shift

Splits, and how many of them miss a target; medians of yield and of wrong labels among `confident` cells; and removed types of
which more than half of the cells are still `confident` (see below).

{kinds}
**With one batch in the reference, or across species, do not rely on these numbers**: held-out cells of the same batch cannot show
what another batch does. With two batches or more, whole batches are held out, and shifts like theirs are taken into account.

## One batch left out

{splits}
## Types that the reference lacks

Each type with at least {removed_least} cells on both sides is removed from the reference, and the whole query annotated. *AUROC*:
how well `unfamiliarity` ranks the cells of the removed type above the others (0.5: not at all). *Flagged* and *confident*: shares
of the cells of the removed type; *known flagged*: the share of all other cells. *Group*: whether a flagged group of the query
holds at least half of the cells of the removed type and consists of them by half.
{groups}

{removed}
## Shallow cells

Every query is thinned to fewer molecules a cell, over all directions and {thinnings} thinnings. *Right*: share of the `confident`
cells with the right label.

{depth}
## Labels by themselves

Macro-F1 of `logreg`, all cells of a data set together, each labelled by a model that has not seen its batch (`pbmc68k`: five
folds).

{genes}
## Queries of another composition

Every query is reduced to its most frequent type and 15 % of all other cells ({draws} draws). Macro-F1 without alignment and with
`align="auto"`, which decides on held-out batches of the reference.

{skew}
## Coarser labels

Mean confidence and accuracy at both levels: kinds of T cells and monocytes in three lineages (by condition; and by random halves
of each condition), and a simulated tree of 20 types in four lineages.

{levels}"""


def splits_table(rows: list[Row], old: list[Row]) -> str:
    head = "data|left out|reference|cells|accuracy|confidence|ECE|coverage|mean set|flagged|yield|wrong"
    lines = []
    for row in rows:
        f = split_figures(row)
        numbers = [f"{f[k]:.3f}" for k in ("accuracy", "confidence", "ece")]
        numbers += [f"{f['coverage']:.3f} [{f['low']:.3f}, {f['high']:.3f}]", f"{f['set_size']:.2f}"]
        numbers += [f"{f['flagged']:.2f}", f"{f['yield']:.2f}", f"{f['wrong']:.3f}" if f["n_confident"] else "none"]
        lines.append((f["coverage"], [row["data"], row["split"], row["kind"], f["n"], *numbers]))
    return markdown(head, [line for _, line in sorted(lines, key=lambda x: x[0])])


def removed_table(rows: list[Row], old: list[Row]) -> str:
    head = "data|left out|type|reference|cells|AUROC|flagged|confident|known flagged|group"
    lines = []
    for row in rows:
        f = removed_figures(row)
        group = {1.0: "found", 0.0: "no"}.get(f.get("found", -1), "")
        numbers = [f"{f[k]:.2f}" for k in ("auroc", "flagged", "confident", "known_flagged")]
        lines.append(
            (
                -f["confident"],
                f["auroc"],
                [row["data"], row["split"], row["unseen"], row["kind"], f["n"], *numbers, group],
            )
        )
    return markdown(head, [line for *_, line in sorted(lines, key=lambda x: x[:2])])


def depth_table(rows: list[Row], old: list[Row]) -> str:
    lines = []
    for (data, molecules), f in sorted(depth_figures(rows).items(), key=lambda x: x[0][::-1]):
        right = f"{f['right']:.3f}" if f["confident"] else "none"
        share = f["confident"] / f["n"]
        lines.append([molecules, data, f["n"], f"{f['accuracy']:.3f}", f"{f['confidence']:.3f}", f"{share:.3f}", right])
    return markdown("molecules|data|cells|accuracy|mean confidence|confident|right", lines)


def by_data(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    return [(data, [r for r in rows if r["data"] == data]) for data in sorted({row["data"] for row in rows})]


def genes_table(rows: list[Row], old: list[Row]) -> str:
    lines = []
    for data, own in by_data(rows):
        both = pairs(own, old)
        gap = f1_difference(both) if both else None
        change = signed((gap.estimate, gap.low, gap.high)) if gap else ""
        lines.append((f1_figures(own)[0], [data, *(f"{x:.3f}" for x in f1_figures(own)), change]))
    return markdown(
        "data|macro-F1|mean over splits|difference from the former choice of genes", [x for _, x in sorted(lines)]
    )


def skew_table(rows: list[Row], old: list[Row]) -> str:
    lines = []
    for data, own in by_data(rows):
        if all("aligned" in row for row in own):
            gap = f1_difference([(row, row) for row in own], ("aligned", "plain"))
            numbers = [f"{f1_figures(own, column)[0]:.3f}" for column in ("plain", "aligned")]
            lines.append((gap.estimate, [data, *numbers, signed((gap.estimate, gap.low, gap.high))]))
        else:
            lines.append((0.0, [data, f"{f1_figures(own, 'plain')[0]:.3f}", "", ""]))
    return markdown("data|not aligned|auto|difference", [line for _, line in sorted(lines)])


def levels_table(rows: list[Row], old: list[Row]) -> str:
    lines = []
    for data, level in sorted({(row["data"], row["level"]) for row in rows}):
        own = [r for r in rows if (r["data"], r["level"]) == (data, level)]
        n, right, confidence = (sum(r[k] for r in own) for k in ("n", "right", "sum_confidence"))
        numbers = [f"{right / n:.3f}", f"{confidence / n:.3f}", f"{(confidence - right) / n:+.3f}"]
        lines.append((-abs(confidence - right) / n, [data, level, n, *numbers]))
    return markdown("data|level|cells|accuracy|mean confidence|difference", [line for _, line in sorted(lines)])


TABLES: dict[str, Callable[[list[Row], list[Row]], str]] = {
    "splits": splits_table,
    "removed": removed_table,
    "depth": depth_table,
    "genes": genes_table,
    "skew": skew_table,
    "levels": levels_table,
}


def kinds_table(splits: list[Row], removed: list[Row]) -> str:
    head = "reference|splits|coverage < .85|ECE > .08|known flagged > 10 %|yield|wrong|removed types still confident"
    lines = []
    for kind in KINDS:
        own = [split_figures(row) for row in splits if row["kind"] == kind]
        lost = [removed_figures(row)["confident"] > 0.5 for row in removed if row["kind"] == kind]
        if own:
            missed = [sum(f["coverage"] < 0.85 for f in own), sum(f["ece"] > 0.08 for f in own)]
            missed.append(sum(f["flagged"] > 0.1 for f in own))
            middle = [f"{np.nanmedian([f[k] for f in own]):.3f}" for k in ("yield", "wrong")]
            lines.append([kind, len(own), *missed, *middle, f"{sum(lost)} of {len(lost)}"])
    return markdown(head, lines)


def summary(splits: list[Row], removed: list[Row], depth: list[Row]) -> str:
    """The sentences at the top, from the rows."""
    figures = {kind: [split_figures(row) for row in splits if row["kind"] == kind] for kind in KINDS}
    words = []
    for kind, text in ((BATCHES, "With two batches or more in the reference"), (SPECIES, "Across species")):
        own = figures[kind]
        low, off = sum(f["coverage"] < 0.85 for f in own), sum(f["ece"] > 0.08 for f in own)
        words.append(f"{text}, coverage is below 85 % in {low} of {len(own)} splits and the ECE above 0.08 in {off}.")
    lost = sum(removed_figures(row)["confident"] > 0.5 for row in removed)
    words.append(
        f"Of {len(removed)} types that were removed from the reference, in {lost} more than half of the cells are still "
        "`confident`: kinds of T cells above all."
    )
    shallow = [(data, f) for (data, molecules), f in depth_figures(depth).items() if molecules == 50]
    words += [
        f"With 50 molecules a cell, the accuracy on `{data}` is {f['accuracy']:.2f}, the mean confidence {f['confidence']:.2f} and "
        f"the share of `confident` cells {f['confident'] / f['n']:.2f}."
        for data, f in shallow
    ]
    return textwrap.fill("**Summary.** " + " ".join(words), 128, break_long_words=False, break_on_hyphens=False)


def groups_words(splits: list[Row], removed: list[Row]) -> str:
    found = [f for f in map(removed_figures, removed) if "found" in f]
    if not found:
        return ""
    n, flagged = (int(sum(f[k] for f in found)) for k in ("known_groups", "known_groups_flagged"))
    other = np.sum([known_groups(row) for row in splits], axis=0)
    words = (
        f"{np.mean([f['found'] for f in found]):.0%} of the removed types are found as one flagged group; beside them {flagged} of "
        f"{n} groups of known types are flagged, and where no type was removed {other[1]} of {other[0]}."
    )
    return textwrap.fill(words, 128, break_on_hyphens=False)


def page(rows: list[Row], old: list[Row], *, least: int, removed_least: int, thinnings: int, draws: int) -> str:
    part = {name: select(rows, name) for name in TABLES}
    packages = ("numpy", "scikit-learn")
    return PAGE.format(
        summary=summary(part["splits"], part["removed"], part["depth"]),
        kinds=kinds_table(part["splits"], part["removed"]),
        groups=groups_words(part["splits"], part["removed"]),
        least=least,
        removed_least=removed_least,
        thinnings=thinnings,
        draws=draws,
        date=datetime.datetime.now(tz=datetime.UTC).date(),
        own=sca.__version__,
        versions=", ".join(f"{name} {version(name)}" for name in packages),
        **{name: of(part[name], select(old, name)) for name, of in TABLES.items()},
    )


def some_tables(rows: list[Row], old: list[Row]) -> str:
    """The tables of the parts that were run, each under its name."""
    have = {row["part"] for row in rows}
    return "\n".join(
        f"## {name}\n\n{of(select(rows, name), select(old, name))}" for name, of in TABLES.items() if name in have
    )
