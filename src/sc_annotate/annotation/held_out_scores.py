"""Scores of methods on held-out cells: means over held-out batches with t intervals, or all cells with bootstrap intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate import metrics
from sc_annotate._core.codec import table
from sc_annotate.evaluation import interval, paired_difference

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.annotation.training import Training
    from sc_annotate.evaluation import Predictions
    from sc_annotate.evaluation.compare import Interval

_METRICS = {"accuracy": metrics.accuracy, "macro_f1": metrics.macro_f1}


def score_groups(training: Training, predictions: Predictions) -> NDArray[np.str_] | None:
    """What to resample for intervals: batches, where at least three were held out; else cells."""
    if training.batch is None:
        return None
    groups = training.batch[predictions.cells]
    return groups if len(np.unique(groups)) > 2 else None


def held_out_batches(training: Training, predictions: Predictions) -> NDArray[np.str_] | None:
    """The batch of each held-out cell, where there are two or more."""
    if training.batch is None:
        return None
    batches = training.batch[predictions.cells]
    return batches if len(np.unique(batches)) > 1 else None


def in_words(batches: NDArray[np.str_]) -> str:
    """What the scores are means over."""
    n = len(np.unique(batches))
    return f"mean over {n:,} held-out batches" + (", too few for an interval" if n == 2 else "")


def no_batches() -> pd.DataFrame:
    """The table of held-out batches, without rows."""
    return table({"batch": [], "n": [], "accuracy": [], "macro_f1": []}, texts=("batch",)).astype(
        {"n": np.int64, "accuracy": float, "macro_f1": float}
    )


def by_batch(own: Predictions, batches: NDArray[np.str_] | None) -> pd.DataFrame:
    """Scores of a method in every held-out batch, the worst first."""
    if batches is None:
        return no_batches()
    rows = [
        {"batch": str(name), "n": int((batches == name).sum())}
        | {metric: float(f(own.y[batches == name], own.labels[batches == name])) for metric, f in _METRICS.items()}
        for name in np.unique(batches)
    ]
    return table(sorted(rows, key=lambda row: (row["accuracy"], row["batch"])), texts=("batch",))


def scores(
    found: dict[str, Predictions],
    reference: Predictions,
    groups: NDArray[np.str_] | None,
    rng: int,
    batches: NDArray[np.str_] | None = None,
) -> pd.DataFrame:
    """One row a method: over `batches` where there are any, else over cells (whole batches where `groups` says so)."""
    if batches is not None:
        return _over_batches(found, reference, batches)
    rows: list[dict[str, Any]] = []
    for name, p in found.items():
        row: dict[str, Any] = {"method": name}
        for metric in ("accuracy", "macro_f1"):
            row |= _ends(metric, interval(p.y, p.labels, metric=metric, groups=groups, rng=rng))
        row["log_loss"] = metrics.log_loss(p.y, p.proba, p.classes)
        gap = paired_difference(p.y, p.labels, reference.labels, metric="macro_f1", groups=groups, rng=rng)
        rows.append(row | _ends("difference", gap))
    return table(rows)


def _over_batches(found: dict[str, Predictions], reference: Predictions, batches: NDArray[np.str_]) -> pd.DataFrame:
    parts = [batches == name for name in np.unique(batches)]
    base = np.array([metrics.macro_f1(reference.y[here], reference.labels[here]) for here in parts])
    rows: list[dict[str, Any]] = []
    for name, p in found.items():
        row: dict[str, Any] = {"method": name}
        for metric, f in _METRICS.items():
            values = np.array([f(p.y[here], p.labels[here]) for here in parts])
            row |= t_interval(metric, values)
        row["log_loss"] = float(np.mean([metrics.log_loss(p.y[here], p.proba[here], p.classes) for here in parts]))
        rows.append(row | t_interval("difference", values - base))
    return table(rows)


def t_interval(name: str, values: NDArray[np.float64], level: float = 0.95) -> dict[str, float]:
    """Mean of some units, with the interval of Student's t on one degree of freedom less; NaN for fewer than three.

    Examples
    --------
    >>> {k: round(v, 2) for k, v in t_interval("accuracy", np.array([0.8, 0.9, 1.0])).items()}
    {'accuracy': 0.9, 'accuracy_low': 0.65, 'accuracy_high': 1.15}
    """
    from scipy.stats import t

    mean, n = float(np.mean(values)), len(values)
    half = float(t.ppf((1 + level) / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n)) if n > 2 else float("nan")
    return {name: mean, f"{name}_low": mean - half, f"{name}_high": mean + half}


def _ends(name: str, found: Interval) -> dict[str, float]:
    return {name: found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}
