"""Cells out of distribution where the query differs from the reference in other ways too: its make-up, and its batch."""

from __future__ import annotations

import numpy as np

import sc_annotate as sca
from sc_annotate.annotators.variable_genes import variable_genes
from sc_annotate.evaluation import leave_one_type_out
from sc_annotate.trust import Familiarity

OWN = ("mahalanobis", "relative", "residual", "energy")
SHARES = (0.01, 0.05, 0.3)
LEAST = 25
BATCHES = [
    ("kang", ["ctrl101"], ["ctrl107"], "another donor"),
    ("kang", ["stim101"], ["stim107"], "another donor, treated"),
    ("kang", ["ctrl101", "ctrl107"], ["stim101", "stim107"], "treated cells after untreated ones"),
    ("pbmc_3tech", ["3pv2"], ["5p"], "another chemistry"),
    ("pbmc_3tech", ["5p"], ["3pv2"], "another chemistry"),
    ("scmixology", ["sc_celseq2_5cl_p1"], ["sc_celseq2_5cl_p2"], "another plate"),
]


def both(X: object, train: np.ndarray, y: np.ndarray, test: np.ndarray, seed: int) -> list[tuple[object, np.ndarray]]:
    """Scores and p-values of the test cells, with their neighbourhood and each by itself."""
    genes = variable_genes(X[train], 2000)
    _, codes = np.unique(y[train], return_inverse=True)
    out = []
    for combine in (None, OWN):
        known = Familiarity() if combine is None else Familiarity(combine=combine)
        score = known.fit(X[train][:, genes], codes, rng=seed).score(X[test][:, genes])
        out.append((score, known.p_values(score)))
    return out


def shares(data: dict[str, tuple[object, np.ndarray]], seeds: int) -> list[str]:
    """How the share of unseen cells in the query matters."""
    lines = ["| data | score | " + " | ".join(f"{s:.0%} unseen" for s in SHARES) + " |", "| --- |" + " --- |" * 4]
    for name, (X, y) in data.items():
        found: dict[tuple[str, float], list[tuple[float, float]]] = {}
        for seed in range(seeds):
            random = np.random.default_rng(seed)
            for split in leave_one_type_out(y, rng=seed):
                if (y == split.name).sum() < LEAST:
                    continue
                unseen, known = (split.test[(y[split.test] == split.name) == is_it] for is_it in (True, False))
                for share in SHARES:
                    n = min(unseen.size, max(1, round(share / (1 - share) * known.size)))
                    test = np.concatenate([known, random.permutation(unseen)[:n]])
                    truth = y[test] == split.name
                    for score, (s, p) in zip(("default", "alone"), both(X, split.train, y, test, seed), strict=True):
                        row = (sca.metrics.auroc(truth, s), float((p[truth] < 0.05).mean()))
                        found.setdefault((score, share), []).append(row)
        for score in ("default", "alone"):
            means = [np.mean(found[score, share], axis=0) for share in SHARES]
            lines.append(f"| {name} | {score} | " + " | ".join(f"{a:.2f}, {f:.2f}" for a, f in means) + " |")
    return lines


def batches(data: dict[str, tuple[object, np.ndarray, np.ndarray]], seeds: int) -> list[str]:
    """What a new batch does, without an unseen type and with one."""
    lines = [
        "| reference | query | score | false positive rate, no unseen type | AUROC, detected, false positive rate with an unseen type |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, here, there, words in BATCHES:
        X, y, batch = data[name]
        train, test = np.flatnonzero(np.isin(batch, here)), np.flatnonzero(np.isin(batch, there))
        test = test[np.isin(y[test], y[train])]
        alarms: dict[str, list[float]] = {"default": [], "alone": []}
        rows: dict[str, list[tuple[float, float, float]]] = {"default": [], "alone": []}
        for seed in range(seeds):
            for score, (_, p) in zip(alarms, both(X, train, y, test, seed), strict=True):
                alarms[score].append(float((p < 0.05).mean()))
            for unseen in np.unique(y[test]):
                truth = y[test] == unseen
                if truth.sum() < LEAST:
                    continue
                for score, (s, p) in zip(rows, both(X, train[y[train] != unseen], y, test, seed), strict=True):
                    flagged = p < 0.05
                    rows[score].append(
                        (sca.metrics.auroc(truth, s), float(flagged[truth].mean()), float(flagged[~truth].mean()))
                    )
        for score in alarms:
            auroc, found, false = np.mean(rows[score], axis=0)
            lines.append(
                f"| {name}, {' + '.join(here)} | {' + '.join(there)}: {words} | {score} | {np.mean(alarms[score]):.2f} | "
                f"{auroc:.2f}, {found:.2f}, {false:.2f} |"
            )
    return lines
