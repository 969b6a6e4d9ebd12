"""What is known of a stored annotation, in readable lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._store.slots import DEFAULT_KEY
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


def report(adata: AnnData, key: str = DEFAULT_KEY) -> Report:
    """What was called, how far to trust it, how the method did on held-out cells, and what looked odd.

    Parameters
    ----------
    adata
        An annotated object.
    key
        Name of the result (``key_added``).

    Returns
    -------
    A small report that prints.

    Raises
    ------
    StorageError
        No such result.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid")
    >>> sca.get.report(query)  # doctest: +ELLIPSIS
    annotation: 200 cells, nearest_centroid, ...
    """
    stored, calls = read_uns(adata, key), read_annotation(adata, key)
    lines = [f"{key}: {adata.n_obs:,} cells, {stored['method']}, model {stored['model']}", *_calls(calls)]
    if "status" in calls:
        counts = calls["status"].value_counts()
        lines.append("  status      " + ", ".join(f"{name} {n:,}" for name, n in counts.items() if n))
    lines += _trusted(stored) + _scores(stored.get("baseline", {})) + _levels(stored)
    lines += _input(stored.get("input", {}))
    for place, whose in (("input", "cells"), ("reference", "reference")):
        for name in ("problems", "notes"):
            texts = np.ravel(stored.get(place, {}).get(name, []))
            # A problem names its object; a note is about what was found in one of the two.
            lines += [f"  {name[:-1]:<11} {f'{whose}: ' if name == 'notes' else ''}{text}" for text in texts]
    return Report(tuple(lines))


def _input(found: dict[str, Any]) -> list[str]:
    """How many genes the model and the cells share."""
    if not {"n_genes_shared", "n_genes_of_model", "matched_by"} <= set(found):
        return []
    shared, known = int(found["n_genes_shared"]), int(found["n_genes_of_model"])
    return [f"  genes       {shared:,} of the model's {known:,} are in adata, matched by {found['matched_by']}"]


def _calls(calls: pd.DataFrame, most: int = 20) -> list[str]:
    table = calls.assign(confidence=calls["confidence"].astype(float)).groupby("label", observed=True)["confidence"]
    rows = table.agg(["size", "mean"]).sort_values("size", ascending=False)
    width = min(40, max(len(str(label)) for label in rows.index))
    lines = []
    for label, row in rows.head(most).iterrows():
        mean = "" if np.isnan(row["mean"]) else f"   mean confidence {row['mean']:.2f}"
        lines.append(f"    {label!s:<{width}} {int(row['size']):>8,}{mean}")
    return [*lines, f"    and {len(rows) - most} more types"] if len(rows) > most else lines


def _trusted(stored: dict[str, Any]) -> list[str]:
    sets, calibration = stored.get("sets"), stored.get("calibration", {})
    if not sets:
        note = str(calibration.get("note", ""))
        told = np.ravel(stored.get("input", {}).get("problems", [])).tolist()
        return [f"  calibration {note}"] if note and note not in told else []
    overall = calibration["sets"]["overall"]
    row = overall.iloc[int(np.argmin(np.abs(overall["asked"].astype(float) - float(sets["coverage"]))))]
    scores = calibration["scores"].iloc[-1]
    return [
        f"  calibration {calibration['method']}, on {int(calibration['n_cells']):,} held-out cells: expected calibration "
        f"error {float(scores['expected_calibration_error']):.3f} ({float(scores['of_a_perfect_model']):.3f} if perfect)",
        f"  sets        asked to hold the true type in {float(sets['coverage']):.0%} of the cells; at {float(row['asked']):.0%}, "
        f"held out, {float(row['coverage']):.1%} did, of the worst type ({row['worst_type']}) {float(row['worst_coverage']):.0%}",
    ]


def _levels(stored: dict[str, Any]) -> list[str]:
    if "level_scores" not in stored:
        return []
    return ["  levels      calls of held-out cells, coarse to fine"] + [
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
