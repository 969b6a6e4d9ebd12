"""Which cells of a reference are held out, and scores of methods on them, over batches where there are any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate import metrics
from sc_annotate._core.codec import table
from sc_annotate.annotation.learn_trust import N_FOLDS
from sc_annotate.annotators.checks import MANY_TYPES
from sc_annotate.errors import InputError
from sc_annotate.evaluation import grouped, holdout, interval, leave_one_group_out, paired_difference, stratified

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.annotation.requests import FitRequest
    from sc_annotate.annotation.training import Training
    from sc_annotate.evaluation import Predictions, Split
    from sc_annotate.evaluation.compare import Interval

_METRICS = {"accuracy": metrics.accuracy, "macro_f1": metrics.macro_f1}


def by_batch(training: Training) -> bool:
    """Whether whole batches can be held out."""
    return training.batch is not None and len(np.unique(training.batch)) > 1


def folds(training: Training, n: int | Literal["batches"], rng: int) -> tuple[list[Split], str]:
    """Folds that together hold out every cell once, whole batches where there are any; and their description."""
    if isinstance(n, str):
        if training.batch is None or not by_batch(training):
            raise InputError(
                "cv='batches' holds out one batch after the other, and all cells to learn from are of one batch. Name "
                "another column (batch_key), or a number of folds."
            )
        splits = leave_one_group_out(training.batch)
        return splits, f"leave-one-batch-out cross-validation, {len(splits):,} batches"
    if training.batch is not None and by_batch(training):
        few = min(n, len(np.unique(training.batch)))
        return grouped(training.y, training.batch, few, rng=rng), f"{few}-fold cross-validation, whole batches held out"
    if n > len(training.y):
        raise InputError(f"cv must be at most the number of cells to learn from, {len(training.y):,}, not {n:,}.")
    return stratified(training.y, n, rng=rng), f"{n}-fold cross-validation, stratified by type"


def one_holdout(training: Training, rng: int) -> tuple[list[Split], str]:
    """About a fifth of the cells, whole batches where there are any; and its description."""
    split = holdout(training.y, groups=training.batch if by_batch(training) else None, rng=rng)
    share = len(split.test) / len(training.y)
    if training.batch is not None and by_batch(training):
        held = ", ".join(np.unique(training.batch[split.test]))
        return [split], f"held out: batch {held} ({share:.0%} of the cells)"
    return [split], f"held out: {share:.0%} of the cells, stratified by type"


def choose_splits(training: Training, cv: int | Literal["batches"], rng: int) -> tuple[list[Split], str]:
    """The splits for ``cv`` (1: one hold-out, or of several batches all), and their description."""
    if cv == 1 and by_batch(training) and training.joint is None:
        # One batch drawn at random says little of the others.
        return folds(training, N_FOLDS, rng)
    return one_holdout(training, rng) if cv == 1 else folds(training, cv, rng)


def trust_splits(training: Training, fit: FitRequest) -> tuple[list[Split], str] | None:
    """On which cells trust is learned: those of each fold in turn, or of one split that the model never sees."""
    if fit.trust.calibration is None:
        return None
    if fit.trust.scheme == "split" or few_splits(training, fit):
        return one_holdout(training, fit.rng)
    return folds(training, fit.cv if fit.cross_validated else N_FOLDS, fit.rng)


def few_splits(training: Training, fit: FitRequest) -> bool:
    """Whether trust is learned on one hold-out in place of folds, as fits of so many types, or beside a query, are expensive."""
    wanted = "scheme" in fit.trust.written or fit.trust.scheme != "folds" or fit.cross_validated
    return not wanted and (training.joint is not None or len(np.unique(training.y)) > MANY_TYPES)


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


def scores_by_batch(own: Predictions, batches: NDArray[np.str_] | None) -> pd.DataFrame:
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
