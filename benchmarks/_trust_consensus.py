"""The tables of benchmarks/trust.py about several methods together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from _trust_cells import HeldOut, together
from _trust_tables import change, every, losses, markdown, over_cells, over_tests

from sc_annotate import metrics
from sc_annotate.trust import consensus, pool_weights

if TYPE_CHECKING:
    from _trust_tables import Tests

COMBINED = ("logreg", "lda", "knn")
JOINT = ("chosen", "equal", "weighted")


def pooled(methods: list[HeldOut]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Probabilities of the consensus and of the method that is best on training cells; the weights."""
    held, codes = [m.inner[0][0] for m in methods], methods[0].inner[0][1]
    weights = pool_weights(held, codes)
    loss = [-np.log(np.maximum(h[np.arange(len(codes)), codes].astype(float), 1e-6)).mean() for h in held]
    probas, classes = [m.proba["temperature"] for m in methods], [m.classes for m in methods]
    return {
        "chosen": probas[int(np.argmin(loss))],
        "equal": consensus(probas, classes).proba,
        "weighted": consensus(probas, classes, weights=weights).proba,
    }, weights


def combined(found: dict[str, dict[str, list[list[HeldOut]]]]) -> tuple[Tests, np.ndarray]:
    """Of each test the probabilities of the methods and of their consensus, all in ``proba``; and the weights."""
    out: Tests = {}
    weights = []
    for data, groups in found[COMBINED[0]].items():
        for i, group in enumerate(groups):
            parts = []
            for j, first in enumerate(group):
                methods = [found[m][data][i][j] for m in COMBINED]
                more, w = pooled(methods)
                weights.append(w)
                own = {m: t.proba["temperature"] for m, t in zip(COMBINED, methods, strict=True)}
                parts.append(replace(first, proba=own | more))
            out.setdefault(data, []).append(together(parts))
    return out, np.array(weights)


def scores(held: HeldOut, name: str) -> tuple[float, float, float]:
    labels = held.labels(name)
    loss = metrics.log_loss(held.y, held.proba[name], held.classes)
    return loss, metrics.accuracy(held.y, labels), metrics.macro_f1(held.y, labels)


def consensus_tables(tests: Tests, weights: np.ndarray) -> dict[str, str]:
    names = (*COMBINED, *JOINT)
    all_data = tests | {"all tests": every(tests)}
    mean = {d: {n: np.mean([scores(t, n) for t in ts], axis=0) for n in names} for d, ts in all_data.items()}
    best = {d: min(COMBINED, key=lambda m, d=d: mean[d][m][0]) for d in all_data}
    rows = [[d, *(" / ".join(f"{v:.3f}" for v in mean[d][n]) for n in names)] for d in all_data]
    minus = " | ".join(f"{n} minus best" for n in JOINT)
    return {
        "scores": markdown("data | " + " | ".join(names), rows),
        "differences": markdown(
            f"data | best method | {minus} | weighted better in",
            (difference(d, ts, best[d]) for d, ts in all_data.items()),
        ),
        "labels": markdown(
            f"data | cells | best method | {minus}", (f1_change(d, ts, best[d]) for d, ts in tests.items())
        ),
        "weights": ", ".join(f"{m} {w:.2f}" for m, w in zip(COMBINED, weights.mean(axis=0), strict=True)),
    }


def difference(data: str, tests: list[HeldOut], best: str) -> list[str]:
    """Log loss minus that of the method that is best on these tests."""
    rows = {n: [losses(t, t.proba[n]) - losses(t, t.proba[best]) for t in tests] for n in JOINT}
    several = data == "all tests"
    cells = [over_tests(d.mean() for d in rows[n]) if several else over_cells(rows[n]) for n in JOINT]
    return [data, f"`{best}`", *cells, f"{sum(d.mean() < 0 for d in rows['weighted'])} of {len(tests)}"]


def f1_change(data: str, tests: list[HeldOut], best: str) -> list[object]:
    y = np.concatenate([t.y for t in tests])
    labels = {n: np.concatenate([t.labels(n) for t in tests]) for n in (best, *JOINT)}
    return [data, len(y), f"`{best}`", *(change(y, labels[n], labels[best], "macro_f1") for n in JOINT)]
