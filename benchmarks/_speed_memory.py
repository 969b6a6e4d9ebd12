"""Stages of speed.py on data in memory."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
from _speed_data import N_GENES, Tissue, size_of
from _speed_measure import extra_memory, in_turn

import sc_annotate as sca
from sc_annotate import metrics

EASY = 0.8
HARD = {10: 0.52, 50: 0.68}
"""Differences between types that leave a macro-F1 of about 0.9."""

BARE: dict[str, Any] = {"trust": sca.trust.Options(false_positive_rate=None, check_quality=False)}


def celltypist() -> Any:
    """CellTypist, silent."""
    import celltypist as package

    package.logger.set_level(logging.ERROR)
    warnings.filterwarnings("ignore", module="sklearn")
    return package


def train_celltypist(data: Any) -> Any:
    """As its authors advise for many cells."""
    return celltypist().train(
        data, labels="cell_type", use_SGD=True, mini_batch=True, feature_selection=False, n_jobs=2
    )


def table(taken: dict[str, list[float]], n: int, memory: dict[str, int] | None = None, X: int = 1) -> dict[str, Any]:
    rows = {}
    for name, seconds in taken.items():
        rows[name] = {"seconds": min(seconds), "all": seconds, "rate": n / min(seconds)}
        if memory and name in memory:
            rows[name] |= {"extra_mb": memory[name] / 1e6, "extra_share": memory[name] / X}
    return rows


def annotate(n: int, rounds: int) -> dict[str, Any]:
    """Labels of `n` cells of ten types."""
    from sklearn.linear_model import LogisticRegression

    tissue = Tissue(10, EASY)
    few = max(n // 10, 3000)
    small_log, small_counts = tissue.log(few, 1), tissue.counts(few, 1)
    of_log = sca.tl.fit_annotator(small_log, "cell_type")
    of_counts = sca.tl.fit_annotator(small_counts, "cell_type")
    theirs = train_celltypist(small_log)
    part = small_log[:3000]
    sklearn = LogisticRegression(max_iter=50).fit(part.X, part.obs["cell_type"].astype(str))
    log, counts = tissue.log(n, 0), tissue.counts(n, 0)
    W = np.random.default_rng(0).random((N_GENES, 10), dtype=np.float32)
    calls = {
        "X @ W": lambda: log.X @ W,
        "log1p: labels, confidence, sets": lambda: sca.tl.annotate(log, of_log, **BARE),
        "log1p: and unfamiliarity (default)": lambda: sca.tl.annotate(log, of_log),
        "counts: labels, confidence, sets": lambda: sca.tl.annotate(counts, of_counts, **BARE),
        "counts: and quality": lambda: sca.tl.annotate(
            counts, of_counts, trust=sca.trust.Options(false_positive_rate=None)
        ),
        "counts: and unfamiliarity": lambda: sca.tl.annotate(
            counts, of_counts, trust=sca.trust.Options(check_quality=False)
        ),
        "counts: and both (default)": lambda: sca.tl.annotate(counts, of_counts),
        "scikit-learn predict_proba": lambda: sklearn.predict_proba(log.X),
        "CellTypist annotate": lambda: celltypist().annotate(log, model=theirs),
    }
    taken = in_turn(calls, rounds)
    memory = {name: sorted(extra_memory(call) for _ in range(3))[1] for name, call in calls.items()}
    known = log.obs["cell_type"].astype(str).to_numpy()
    right = float((log.obs["annotation"].astype(str).to_numpy() == known).mean())
    return {
        "n": n,
        "density": log.X.nnz / np.prod(log.shape),
        "x_mb": size_of(log.X) / 1e6,
        "accuracy": right,
        "rows": table(taken, n, memory, size_of(log.X)),
    }


def types(n: int, rounds: int) -> dict[str, Any]:
    """Labels of `n` cells of 200 types."""
    tissue = Tissue(200, 1.0)
    # Speed of prediction does not depend on how long a model was fitted.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = sca.tl.fit_annotator(
            tissue.log(8000, 1),
            "cell_type",
            method_kwargs={"max_iter": 15, "tol": 1e-2},
            cv=0,
            trust=sca.trust.Options(scheme="split"),
        )
    log = tissue.log(n, 0)
    W = np.random.default_rng(0).random((N_GENES, 200), dtype=np.float32)
    calls = {
        "X @ W": lambda: log.X @ W,
        "log1p: labels, confidence, sets": lambda: sca.tl.annotate(log, model, **BARE),
        "the same, ten probabilities a cell stored": lambda: sca.tl.annotate(log, model, **BARE, store_proba="topk"),
        "log1p: and unfamiliarity (default)": lambda: sca.tl.annotate(log, model),
    }
    taken = in_turn(calls, rounds)
    memory = {name: sorted(extra_memory(call) for _ in range(3))[1] for name, call in calls.items()}
    return {"n": n, "types": len(model.classes), "rows": table(taken, n, memory, size_of(log.X))}


def fit(n: int, rounds: int, n_types: int = 10) -> dict[str, Any]:
    """Models of `n` cells, and their macro-F1 on a fifth as many others."""
    tissue = Tissue(n_types, HARD[n_types])
    train, test = tissue.log(n, 0), tissue.log(n // 5, 1)
    truth = test.obs["cell_type"].astype(str).to_numpy()
    models: dict[str, Any] = {}

    def ours(name: str, **options: Any) -> Any:
        def call() -> None:
            models[name] = sca.tl.fit_annotator(train, "cell_type", **options)

        return call

    def theirs() -> None:
        models["CellTypist"] = train_celltypist(train)

    bare: dict[str, Any] = {"trust": None, "cv": 0}
    calls = {
        "CellTypist": theirs,
        "logreg, bare": ours("logreg, bare", **bare),
        "logreg, default": ours("logreg, default"),
        "lda, bare": ours("lda, bare", method="lda", **bare),
        "lda, default": ours("lda, default", method="lda"),
        "lda, bare, all cells": ours("lda, bare, all cells", method="lda", max_cells=None, **bare),
    }
    # Loads packages and compiles what is compiled at the first call.
    sca.tl.fit_annotator(tissue.log(2000, 2), "cell_type")
    rows = table(in_turn(calls, rounds, warm=False), n)
    for name, model in models.items():
        if name == "CellTypist":
            labels = celltypist().annotate(test, model=model).predicted_labels["predicted_labels"].to_numpy()
        else:
            sca.tl.annotate(test, model, trust=sca.trust.Options(false_positive_rate=None))
            labels = test.obs["annotation"].to_numpy()
        rows[name]["macro_f1"] = float(metrics.macro_f1(truth, np.asarray(labels, dtype=str)))
    return {"n": n, "types": n_types, "n_test": len(truth), "rows": rows}
