"""The tables of benchmarks/trust.py about several methods together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from _trust_cells import Told, together
from _trust_tables import change, every, losses, markdown, over_cells, over_tests

from sc_annotate import metrics
from sc_annotate.trust import consensus, pool_weights

if TYPE_CHECKING:
    from _trust_tables import Tests

MEMBERS = ("logreg", "lda", "knn")
JOINT = ("chosen", "equal", "weighted")


def pooled(members: list[Told]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Probabilities of the consensus and of the method that is best on training cells; the weights."""
    held, codes = [m.inner[0][0] for m in members], members[0].inner[0][1]
    weights = pool_weights(held, codes)
    loss = [-np.log(np.maximum(h[np.arange(len(codes)), codes].astype(float), 1e-6)).mean() for h in held]
    probas, classes = [m.proba["temperature"] for m in members], [m.classes for m in members]
    return {
        "chosen": probas[int(np.argmin(loss))],
        "equal": consensus(probas, classes).proba,
        "weighted": consensus(probas, classes, weights=weights).proba,
    }, weights


def combined(found: dict[str, dict[str, list[list[Told]]]]) -> tuple[Tests, np.ndarray]:
    """Of each test the probabilities of the methods and of their consensus, all in ``proba``; and the weights."""
    out: Tests = {}
    weights = []
    for data, groups in found[MEMBERS[0]].items():
        for i, group in enumerate(groups):
            parts = []
            for j, first in enumerate(group):
                members = [found[m][data][i][j] for m in MEMBERS]
                more, w = pooled(members)
                weights.append(w)
                own = {m: t.proba["temperature"] for m, t in zip(MEMBERS, members, strict=True)}
                parts.append(replace(first, proba=own | more))
            out.setdefault(data, []).append(together(parts))
    return out, np.array(weights)


def scores(told: Told, name: str) -> tuple[float, float, float]:
    labels = told.labels(name)
    loss = metrics.log_loss(told.y, told.proba[name], told.classes)
    return loss, metrics.accuracy(told.y, labels), metrics.macro_f1(told.y, labels)


def consensus_tables(tests: Tests, weights: np.ndarray) -> dict[str, str]:
    names = (*MEMBERS, *JOINT)
    all_data = tests | {"all tests": every(tests)}
    mean = {d: {n: np.mean([scores(t, n) for t in ts], axis=0) for n in names} for d, ts in all_data.items()}
    best = {d: min(MEMBERS, key=lambda m, d=d: mean[d][m][0]) for d in all_data}
    rows = [[d, *(" / ".join(f"{v:.3f}" for v in mean[d][n]) for n in names)] for d in all_data]
    minus = " | ".join(f"{n} minus best" for n in JOINT)
    return {
        "scores": markdown("data | " + " | ".join(names), rows),
        "differences": markdown(
            f"data | best method | {minus} | weighted better in",
            (difference(d, ts, best[d]) for d, ts in all_data.items()),
        ),
        "calls": markdown(
            f"data | cells | best method | {minus}", (f1_change(d, ts, best[d]) for d, ts in tests.items())
        ),
        "weights": ", ".join(f"{m} {w:.2f}" for m, w in zip(MEMBERS, weights.mean(axis=0), strict=True)),
    }


def difference(data: str, tests: list[Told], best: str) -> list[str]:
    """Log loss minus that of the method that is best on these tests."""
    rows = {n: [losses(t, t.proba[n]) - losses(t, t.proba[best]) for t in tests] for n in JOINT}
    several = data == "all tests"
    cells = [over_tests(d.mean() for d in rows[n]) if several else over_cells(rows[n]) for n in JOINT]
    return [data, f"`{best}`", *cells, f"{sum(d.mean() < 0 for d in rows['weighted'])} of {len(tests)}"]


def f1_change(data: str, tests: list[Told], best: str) -> list[object]:
    y = np.concatenate([t.y for t in tests])
    labels = {n: np.concatenate([t.labels(n) for t in tests]) for n in (best, *JOINT)}
    return [data, len(y), f"`{best}`", *(change(y, labels[n], labels[best], "macro_f1") for n in JOINT)]
