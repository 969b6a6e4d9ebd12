"""Summarise a stored annotation in readable lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._store.storage import read_uns
from sc_annotate._store.stored import read_annotation

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@dataclass(frozen=True, repr=False)
class Report:
    """Readable lines; ``print`` it.

    Examples
    --------
    >>> from sc_annotate.get import Report
    >>> Report(("one line", "another"))
    one line
    another
    """

    lines: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join(self.lines)


def report_of(adata: AnnData, key: str) -> Report:
    """The report of a stored annotation."""
    stored, columns = read_uns(adata, key), read_annotation(adata, key)
    lines = [f"{key}: {adata.n_obs:,} cells, {stored['method']}, model {stored['model']}", *_labels(columns)]
    if "status" in columns:
        counts = columns["status"].value_counts()
        lines.append("  status      " + ", ".join(f"{name} {n:,}" for name, n in counts.items() if n))
    lines += _trust(stored) + _scores(stored.get("baseline", {})) + _levels(stored)
    lines += _input(stored.get("input", {}))
    for place, whose in (("input", "cells"), ("reference", "reference")):
        for name in ("problems", "notes"):
            texts = np.ravel(stored.get(place, {}).get(name, []))
            # A problem names its object; a note does not.
            lines += [f"  {name[:-1]:<11} {f'{whose}: ' if name == 'notes' else ''}{text}" for text in texts]
    return Report(tuple(lines))


def _input(found: dict[str, Any]) -> list[str]:
    """How many genes the model and the cells share."""
    if not {"n_genes_shared", "n_genes_of_model", "matched_by"} <= set(found):
        return []
    shared, known = int(found["n_genes_shared"]), int(found["n_genes_of_model"])
    return [f"  genes       {shared:,} of the model's {known:,} are in adata, matched by {found['matched_by']}"]


def _labels(columns: pd.DataFrame, most: int = 20) -> list[str]:
    table = columns.assign(confidence=columns["confidence"].astype(float)).groupby("label", observed=True)["confidence"]
    rows = table.agg(["size", "mean"]).sort_values("size", ascending=False)
    width = min(40, max(len(str(label)) for label in rows.index))
    lines = []
    for label, row in rows.head(most).iterrows():
        mean = "" if np.isnan(row["mean"]) else f"   mean confidence {row['mean']:.2f}"
        lines.append(f"    {label!s:<{width}} {int(row['size']):>8,}{mean}")
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
    ]


def _levels(stored: dict[str, Any]) -> list[str]:
    if "level_scores" not in stored:
        return []
    return ["  levels      labels of held-out cells, coarse to fine"] + [
        f"    {row['level']:<18} accuracy {row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        for row in stored["level_scores"].to_dict("records")
    ]


def _scores(baseline: dict[str, Any]) -> list[str]:
    if not baseline:
        return []
    lines = [f"  scores      {baseline['split']}"]
    for row in baseline["scores"].to_dict("records"):
        lines.append(
            f"    {row['method']:<18} accuracy {row['accuracy']:.3f}   macro-F1 {row['macro_f1']:.3f} "
            f"[{row['macro_f1_low']:.3f}, {row['macro_f1_high']:.3f}]"
        )
    return lines
