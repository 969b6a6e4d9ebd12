"""One leaderboard of several contexts, from the scores that conditions have within their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.evaluation import _leaderboard_tables as tables
from sc_annotate.evaluation._leaderboard_result import Leaderboard
from sc_annotate.evaluation._leaderboard_tables import Scores, Summary
from sc_annotate.evaluation._leaderboard_task import SD_RATIO
from sc_annotate.evaluation._leaderboard_verdict import Findings

if TYPE_CHECKING:
    from collections.abc import Mapping


def pooled(boards: Mapping[str, Leaderboard], *, n_boot: int = 2000, rng: int = 0) -> Leaderboard:
    """Scores of all conditions of all contexts, each as it was scored among the conditions of its own context.

    Ranks are not computed again: among the conditions of all contexts, telling contexts apart would pass for telling
    perturbations apart. The bootstrap draws perturbations, each with all contexts it was measured in, as their errors are
    alike. ``sd_ratios`` are those of all contexts side by side; ``spread`` and ``ceiling`` are means over contexts.
    """
    first = next(iter(boards.values()))
    parts = list(boards.values())
    order = [name for name in first.methods if all(name in board.methods for board in parts)]
    at = [[board.methods.index(name) for name in order] for board in parts]
    columns = [name for name in first.metrics if all(name in board.metrics for board in parts)]
    values = {
        m: np.concatenate([b.values[m][rows] for b, rows in zip(parts, at, strict=True)], axis=1)
        for m in columns
        if m != SD_RATIO
    }
    there = np.concatenate([b.predicted[rows] for b, rows in zip(parts, at, strict=True)], axis=1)
    scored = np.concatenate([b.scored for b in parts])
    perturbation = np.concatenate([b.conditions for b in parts])[scored]
    _, which = np.unique(perturbation, return_inverse=True)
    drawn = tables.draws(int(which.max(initial=-1)) + 1, n_boot, rng)[:, which]
    scores = Scores(order, columns, values, there, scored, drawn)
    summary = Summary.of(scores)
    ratios = np.concatenate([b.sd_ratios[rows] for b, rows in zip(parts, at, strict=True)], axis=1)
    spread = np.mean([b.spread[rows] for b, rows in zip(parts, at, strict=True)], axis=0)
    for i in range(len(order)):
        if SD_RATIO in columns:
            nowhere = (float("nan"), float("nan"))
            summary.set_sd_ratio(i, columns.index(SD_RATIO), ratios[i], nowhere, int((scored & there[i]).sum()))
    # Chance is highest where the fewest conditions compete.
    findings = Findings(scores, summary, spread, min(len(b.conditions) for b in parts))
    findings.compare_with(name for name in first.baselines if name in order)
    ceilings = [b.ceiling for b in parts if b.ceiling]
    return Leaderboard.of(
        findings,
        conditions=[f"{name}|{label}" for label, b in boards.items() for name in b.conditions],
        genes=[gene for b in parts for gene in b.genes],
        dropped=[why for b in parts for why in b.dropped],
        sd_ratios=ratios,
        ceiling={m: float(np.mean([c[m] for c in ceilings if m in c])) for m in (ceilings[0] if ceilings else {})},
    )
