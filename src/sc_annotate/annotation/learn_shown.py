"""What held-out cells that show less teach: calibration by depth and by the share of genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import table
from sc_annotate.annotation.shallow import DEPTHS, SHARES
from sc_annotate.trust.ladder import Ladder

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.annotation.shallow import LessOfTheCells
    from sc_annotate.trust import Options
    from sc_annotate.trust.choice import Choice

LEAST_CELLS = 20
"""Fewer held-out cells teach nothing about cells that show less."""


def learn_shown(
    less: LessOfTheCells | None,
    usable: NDArray[np.intp],
    choice: Choice,
    by_batch: bool,
    X: Any,
    codes: NDArray[np.intp],
    options: Options,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What cells with fewer molecules or genes teach: parts of a model's trust, and tables for its report."""
    if less is None or not less.depth.rows:
        return {}, {}
    report: dict[str, Any] = {}
    batch = less.training.batch
    found: dict[str, Any] = {"rates": np.asarray((X != 0).mean(axis=0), dtype=np.float32).ravel()}
    for name, steps in (("depth", less.depth), ("genes", less.genes)):
        rows, proba, at, step = steps.joined()
        there = np.isin(rows, usable)
        rows, proba, at, step = rows[there], proba[there], at[there], step[there]
        if (step == 0).sum() < LEAST_CELLS:
            return {}, {}
        units = (
            np.unique(batch[rows], return_inverse=True)[1] if by_batch and batch is not None else np.zeros_like(rows)
        )
        weight = 1.0 / np.bincount(units)[units]
        ladder = Ladder(options.set_score, biased=name == "depth").fit(
            choice.calibrator.transform(proba), codes[rows], at, step, weight=weight, unit=units
        )
        found[name], report[name] = (
            ladder,
            _steps(ladder, choice.calibrator.transform(proba), codes[rows], at, step, name),
        )
    return found, report


def _steps(
    ladder: Ladder,
    proba: NDArray[Any],
    codes: NDArray[np.intp],
    at: NDArray[np.float64],
    step: NDArray[np.intp],
    name: str,
) -> pd.DataFrame:
    """Accuracy and mean confidence of held-out cells with less and less of them, and of how much."""
    after = ladder.adjust(proba, at)
    amounts = (0.0, *DEPTHS) if name == "depth" else (1.0, *SHARES)
    rows = []
    for i in np.unique(step):
        here = step == i
        rows.append(
            {
                "molecules" if name == "depth" else "share": float(amounts[i]),
                "detected": float(np.median(np.expm1(at[here]))) if name == "depth" else float(np.exp(at[here][0])),
                "n": int(here.sum()),
                "accuracy": float((after[here].argmax(axis=1) == codes[here]).mean()),
                "mean_confidence": float(after[here].max(axis=1).mean()),
            }
        )
    return table(rows)
