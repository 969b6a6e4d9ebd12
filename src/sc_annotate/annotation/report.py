"""Summarise a stored annotation in readable lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.html import Table, as_html
from sc_annotate._store.storage import read_uns
from sc_annotate._store.stored import read_annotation
from sc_annotate.annotation.card import aligned, batch_lines, compared, ends, score_table

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@dataclass(frozen=True, repr=False)
class Report:
    """Readable lines; ``print`` it, or show it in a notebook, where `parts` become tables.

    Examples
    --------
    >>> from sc_annotate.get import Report
    >>> Report(("one line", "another"))
    one line
    another
    """

    lines: tuple[str, ...]
    parts: tuple[tuple[str, str | Table], ...] = ()

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        title, *rest = self.lines or ("",)
        return as_html(title, self.parts or [("", line) for line in rest])


def report_of(adata: AnnData, key: str) -> Report:
    """The report of a stored annotation."""
    stored, columns = read_uns(adata, key), read_annotation(adata, key)
    title = f"{key}: {adata.n_obs:,} cells, {stored['method']}, model {stored['model']}"
    status = []
    parts: list[tuple[str, str | Table]] = [("labels", _table_of_labels(columns))]
    if "status" in columns:
        counts = [(str(name), int(n)) for name, n in columns["status"].value_counts().items() if n]
        status = ["  status      " + ", ".join(f"{name} {n:,}" for name, n in counts)]
        parts.append(("status", Table(("status", "cells"), counts)))
    trust, baseline = [*_trust(stored), *_groups(stored)], stored.get("baseline", {})
    parts += map(_part, trust)
    if baseline:
        parts += [("scores", str(baseline["split"])), ("", score_table(baseline["scores"]))]
        parts += [("compared", text) for text in compared(baseline["differences"])]
    if "level_scores" in stored:
        names = ["level", "accuracy", "low", "high"]
        parts.append(("levels", Table(names, stored["level_scores"][names].to_numpy(dtype=object).tolist())))
    rest = _input(stored.get("input", {}))
    for place, whose in (("input", "cells"), ("reference", "reference")):
        for name in ("problems", "notes"):
            texts = np.ravel(stored.get(place, {}).get(name, []))
            # A problem names its object; a note does not.
            rest += [f"  {name[:-1]:<11} {f'{whose}: ' if name == 'notes' else ''}{text}" for text in texts]
    valid = _valid_for(stored)
    lines = [title, *valid, *_labels(columns), *status, *trust, *_scores(baseline), *_levels(stored), *rest]
    return Report(tuple(lines), (*map(_part, valid), *parts, *map(_part, rest)))


def _valid_for(stored: dict[str, Any]) -> list[str]:
    """For which cells confidence and sets hold."""
    found = stored.get("calibration", {}).get("valid_for")
    return [] if not found else [f"  valid for   {found}"]


def _part(line: str) -> tuple[str, str | Table]:
    """The name of a line, and what it says."""
    return line[2:13].strip(), line[14:]


def _table_of_labels(columns: pd.DataFrame, most: int = 20) -> Table:
    """The commonest labels, and how many more there are."""
    table = _by_label(columns)
    rows: list[tuple[Any, ...]] = [
        (str(label), int(n), float(mean)) for label, n, mean in table.head(most).itertuples()
    ]
    if len(table) > most:
        rows.append((f"and {len(table) - most:,} more types", int(table["size"].iloc[most:].sum()), None))
    return Table(("label", "cells", "mean confidence"), rows)


def _by_label(columns: pd.DataFrame) -> pd.DataFrame:
    """Cells and mean confidence of each label, the commonest first."""
    # Imported labels may have none. By the column itself: the index may have the same name.
    confidence = columns["confidence"].astype(float) if "confidence" in columns else columns["label"].isna() * np.nan
    table = confidence.groupby(columns["label"], observed=True)
    return table.agg(["size", "mean"]).sort_values("size", ascending=False)


def _input(found: dict[str, Any]) -> list[str]:
    """How many genes the model and the cells share."""
    if not {"n_genes_shared", "n_genes_of_model", "matched_by"} <= set(found):
        return []
    shared, known = int(found["n_genes_shared"]), int(found["n_genes_of_model"])
    return [f"  genes       {shared:,} of the model's {known:,} are in adata, matched by {found['matched_by']}"]


def _labels(columns: pd.DataFrame, most: int = 20) -> list[str]:
    rows = _by_label(columns)
    lines = []
    shown = rows.head(most)
    for name, (_, row) in zip(aligned(shown.index, 1), shown.iterrows(), strict=True):
        mean = "" if np.isnan(row["mean"]) else f"   mean confidence {row['mean']:.2f}"
        lines.append(f"    {name} {int(row['size']):>8,}{mean}")
    return [*lines, f"    and {len(rows) - most} more types"] if len(rows) > most else lines


def _trust(stored: dict[str, Any]) -> list[str]:
    sets, calibration = stored.get("sets"), stored.get("calibration", {})
    if not sets:
        note = str(calibration.get("note", ""))
        problems = np.ravel(stored.get("input", {}).get("problems", [])).tolist()
        return [f"  calibration {note}"] if note and note not in problems else []
    overall = calibration["sets"]["overall"]
    row = overall.iloc[int(np.argmin(np.abs(overall["requested"].astype(float) - float(sets["coverage"]))))]
    scores = calibration["scores"].iloc[-1]
    return [
        f"  calibration {calibration['method']}, on {int(calibration['n_cells']):,} held-out cells: expected calibration "
        f"error {float(scores['expected_calibration_error']):.3f} ({float(scores['if_calibrated']):.3f} expected for a perfectly calibrated model)",
        f"  sets        coverage {float(sets['coverage']):.0%} requested; at {float(row['requested']):.0%}, {float(row['coverage']):.1%} of the "
        f"held-out cells, of the worst type ({row['worst_type']}) {float(row['worst_coverage']):.0%}",
        *batch_lines(calibration.get("batches")),
    ]


def _groups(stored: dict[str, Any], most: int = 3) -> list[str]:
    """The groups that are flagged, the largest first."""
    found = stored.get("groups", {})
    if "table" not in found:
        return []
    table = found["table"]
    flagged = table[table["flagged"].astype(bool)].sort_values("cells", ascending=False)
    lines = [f"  groups      {len(flagged)} of {len(table)} lie as far from all known types as unseen types do"]
    for row in flagged.head(most).to_dict("records"):
        lines.append(
            f"    {int(row['cells']):,} cells, most like {row['nearest_type']}, with more {row['genes_above'] or 'of no gene'}"
        )
    return lines if len(flagged) <= most else [*lines, f"    and {len(flagged) - most} more groups"]


def _levels(stored: dict[str, Any]) -> list[str]:
    if "level_scores" not in stored:
        return []
    return ["  levels      labels of held-out cells, coarse to fine"] + [
        f"    {name} accuracy {row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        for name, row in zip(
            aligned(stored["level_scores"]["level"], 18), stored["level_scores"].to_dict("records"), strict=True
        )
    ]


def _scores(baseline: dict[str, Any]) -> list[str]:
    if not baseline:
        return []
    lines = [f"  scores      {baseline['split']}"]
    scores = baseline["scores"]
    for name, row in zip(aligned(scores["method"], 18), scores.to_dict("records"), strict=True):
        lines.append(
            f"    {name} accuracy {row['accuracy']:.3f}   macro-F1 {row['macro_f1']:.3f}"
            f"{ends(row['macro_f1_low'], row['macro_f1_high'])}"
        )
    return lines + [f"  compared    {text}" for text in compared(baseline["differences"])]
