"""How well confidence and prediction sets do on held-out cells, in tables: what is kept with a model and copied into results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate import metrics
from sc_annotate._core.codec import table
from sc_annotate.trust import Conformal

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.trust import Options
    from sc_annotate.trust.choice import Choice

LEVELS = (0.8, 0.9, 0.95)
"""Coverages at which the sets of a model are checked, besides the requested one."""

FEW_BATCHES = 9
"""Below, no sets hold the truth in a new batch with a coverage of 90 % whatever the batches are."""

ONE_BATCH = (
    "no new batch was ever seen: confidence and sets were learned on cells of the batches that the model was fitted on, and "
    "may not hold for another batch, donor or technology. In benchmarks with one batch in the reference, sets for 90 % covered "
    "90 to 100 % of the known cells, but 5 to 39 % of these were flagged unfamiliar; across species they covered 70 to 100 %. "
    "Name the batches of the reference (batch_key) to hold whole ones out"
)
"""The figures are those of docs/benchmarks_shift.md."""

ONE_HELD_OUT = (
    "learned from one held-out batch: what another one does, and how much batches differ, is not known. With "
    "scheme='folds', or cv='batches', every batch is held out in turn"
)
"""Of several batches in the reference."""


@dataclass(frozen=True)
class Held:
    """Calibrated probabilities of held-out cells, each by a calibrator that did not see the cell, and their types."""

    y: NDArray[np.str_]
    truth: NDArray[np.intp]
    proba: NDArray[Any]
    fold: NDArray[np.intp]
    classes: NDArray[np.str_]
    batch: NDArray[np.str_] | None
    """Where two batches or more were held out as wholes."""
    weight: NDArray[np.float64]
    """Of each cell; those of each batch together weigh as much as those of any other."""

    def sets(self, options: Options, rng: int, rows: NDArray[np.bool_] | slice = slice(None)) -> Conformal:
        """Prediction sets learned from these cells, or from some of them."""
        return Conformal(options.set_score, options.sets_by).fit(
            self.proba[rows],
            self.truth[rows],
            weight=self.weight[rows],
            bounded=self.batch is not None,
            rng=rng,
        )


def trust_report(
    held: Held, before: NDArray[Any], choice: Choice, sets: Conformal, options: Options, coverage: float, rng: int
) -> dict[str, Any]:
    """All tables, and in words for which cells they hold; `before` are the uncalibrated probabilities."""
    found = _sets(held, sets, options, coverage, rng)
    report: dict[str, Any] = {
        "method": choice.name,
        "scheme": options.scheme,
        "scheme_in_words": _SCHEMES[options.scheme],
        "n_cells": len(held.truth),
        "scores": _scores(held, before, rng),
        "reliability": {
            "uncalibrated": table(metrics.reliability(held.y, before, held.classes)),
            "calibrated": table(metrics.reliability(held.y, held.proba, held.classes)),
        },
        "risk_coverage": _risk(held),
        "sets": found,
        "n_batches": 0 if held.batch is None else len(np.unique(held.batch)),
        "valid_for": valid_for(held.batch),
    }
    if held.batch is not None:
        report["batches"] = _batches(held, found["by_batch"], coverage)
    return report


_SCHEMES = {
    "folds": "out-of-fold cells of the reference, the model refitted on all of them: close to the requested coverage "
    "on cells like these, without a strict guarantee",
    "split": "a fifth of the reference that the model never saw: the coverage is guaranteed on average for cells drawn "
    "like these",
}


def valid_for(batch: NDArray[np.str_] | None) -> str:
    """For which cells confidence and sets hold."""
    if batch is None:
        return ONE_BATCH
    n = len(np.unique(batch))
    few = f"; for a new batch there is no distribution-free guarantee with fewer than {FEW_BATCHES} batches"
    return (
        f"learned from {n:,} held-out batches that count alike: valid for cells from these batches"
        f"{few if n < FEW_BATCHES else ', and for new ones that are like them'}"
    )


def _batches(held: Held, covered: pd.DataFrame, coverage: float) -> pd.DataFrame:
    """Every held-out batch, the worst first: accuracy, mean confidence, and coverage of the requested sets."""
    right, sure = held.proba.argmax(axis=1) == held.truth, held.proba.max(axis=1)
    at = np.asarray(covered["requested"], dtype=float) == float(coverage)
    rows = []
    for name, coverage_of, size in zip(*(covered[c][at] for c in ("batch", "coverage", "mean_size")), strict=True):
        here = held.batch == name
        rows.append(
            {
                "batch": str(name),
                "n": int(here.sum()),
                "accuracy": float(right[here].mean()),
                "mean_confidence": float(sure[here].mean()),
                "coverage": float(coverage_of),
                "mean_size": float(size),
            }
        )
    return table(sorted(rows, key=lambda row: (row["accuracy"], row["batch"])), texts=("batch",))


def _risk(held: Held, most: int = 200) -> dict[str, Any]:
    """The curve at no more than `most` points, and its areas."""
    found = metrics.risk_coverage(held.y, held.classes[held.proba.argmax(axis=1)], held.proba.max(axis=1))
    n = len(found["coverage"])
    shown = np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))
    return {
        "area": float(found["area"]),
        "excess_area": float(found["excess_area"]),
        "curve": table({k: np.asarray(found[k])[shown] for k in ("coverage", "risk", "threshold")}),
    }


def _scores(held: Held, before: NDArray[Any], rng: int) -> pd.DataFrame:
    return table(
        [
            {
                "probabilities": which,
                "expected_calibration_error": metrics.expected_calibration_error(held.y, p, held.classes),
                "if_calibrated": metrics.expected_calibration_error_if_calibrated(p.max(axis=1), rng=rng),
                **{name: _over_batches(held, p, metric) for name, metric in _LOSSES.items()},
            }
            for which, p in (("uncalibrated", before), ("calibrated", held.proba))
        ]
    )


_LOSSES = {"log_loss": metrics.log_loss, "brier": metrics.brier}


def _over_batches(held: Held, proba: NDArray[Any], metric: Any) -> float:
    """A loss; of several held-out batches, the mean of theirs."""
    parts = [slice(None)] if held.batch is None else [held.batch == name for name in np.unique(held.batch)]
    return float(np.mean([metric(held.y[part], proba[part], held.classes) for part in parts]))


def _sets(held: Held, whole: Conformal, options: Options, coverage: float, rng: int) -> dict[str, Any]:
    """How often the sets hold the truth, each fold with thresholds from the others."""
    fitted = {f: held.sets(options, rng, held.fold != f) for f in np.unique(held.fold)}
    overall: list[dict[str, Any]] = []
    groups: dict[str, list[dict[str, Any]]] = {"by_type": [], "by_batch": []}
    for level in sorted({*LEVELS, float(coverage)}):
        sets = np.zeros(held.proba.shape, dtype=bool)
        for f, conformal in fitted.items():
            sets[held.fold == f] = conformal.sets(held.proba[held.fold == f], level)
        found = metrics.set_coverage(held.y, sets, held.classes, batch=held.batch)
        keys = ("coverage", "low", "high", "n", "mean_size", "singletons", "worst_type", "worst_coverage")
        overall.append({"requested": level} | {k: found[k] for k in keys})
        for name, rows in groups.items():
            columns = {k: np.asarray(v).tolist() for k, v in (found.get(name) or {}).items()}
            rows += [
                {"requested": level} | dict(zip(columns, row, strict=True))
                for row in zip(*columns.values(), strict=True)
            ]
    return {
        "score": options.set_score,
        "by": options.sets_by,
        "overall": table(overall),
        "by_type": table(groups["by_type"]),
        "by_batch": table(groups["by_batch"]) if groups["by_batch"] else {},
        "types_with_the_common_threshold": [str(held.classes[i]) for i in whole.fallback_["marginal"]],
    }
