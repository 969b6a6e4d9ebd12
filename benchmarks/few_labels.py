"""Logistic regression on genes and on principal components, with few labels and many cells without one.

Run by hand; it takes about a minute on one core::

    OMP_NUM_THREADS=1 python benchmarks/few_labels.py --data FOLDER --write docs/few_labels.md

FOLDER has pbmc_3tech.h5ad and kang2018_pbmc_ifnb.h5ad, as of ``benchmarks/annotators.py``. Only the part of the page below its
marker is written.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from annotators import N_GENES, PACKAGES, Data, load
from sc_annotate import __version__
from sc_annotate._core import registry
from sc_annotate.annotators.variable_genes import variable_genes
from sc_annotate.evaluation import leave_one_group_out
from sc_annotate.metrics import macro_f1

FLOOR = 0.1
LEAST = 10  # cells of a type; one cell of a smaller one moves a macro-F1 by points
SIZES = (5, 10, 50, None)
N_DRAWS, N_BOOT = 5, 2000
MARKER = "<!-- written by benchmarks/few_labels.py -->\n"
# Name: method, its parameters, and whether it gets the cells without a label.
ARMS = {
    "`logreg`": ("logreg", {}, False),
    f"`logreg`, `sd_floor={FLOOR}`": ("logreg", {"sd_floor": FLOOR}, False),
    "`logreg_pca`": ("logreg_pca", {}, True),
    "`logreg_pca`, labelled cells only": ("logreg_pca", {}, False),
    "`logreg_pca`, `n_components=20`": ("logreg_pca", {"n_components": 20}, True),
}
SAME_FLOOR, OWN = f"`logreg`, `sd_floor={FLOOR}`", "`logreg_pca`"


def few(y: np.ndarray, cells: np.ndarray, n: int | None, seed: int) -> np.ndarray:
    """`n` random cells of each type, all of a type that has fewer."""
    if n is None:
        return cells
    order = np.random.default_rng(seed).permutation(cells)
    return np.sort(np.concatenate([order[y[order] == name][:n] for name in np.unique(y[cells])]))


def predicted(data: Data, n: int | None, seed: int) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Labels of all cells by each arm, every cell by models that were fitted on the other batches; and processor seconds."""
    found = {name: np.empty(len(data.y), dtype=data.y.dtype) for name in ARMS}
    seconds = dict.fromkeys(ARMS, 0.0)
    for split in leave_one_group_out(data.batch):
        columns = variable_genes(data.X[split.train], N_GENES)
        labelled = few(data.y, split.train, n, seed)
        rest = np.setdiff1d(split.train, labelled)
        X = data.X[:, columns]
        for name, (method, params, beside) in ARMS.items():
            more = {"unlabelled": X[rest]} if beside and len(rest) else {}
            start = time.process_time()
            model = registry.make("annotation", method, params)
            model.fit(X[labelled], data.y[labelled], genes=data.genes[columns], rng=seed, **more)
            seconds[name] += time.process_time() - start
            found[name][split.test] = model.classes_[model.predict_proba(X[split.test]).argmax(axis=1)]
    return found, seconds


def scores(codes: np.ndarray, labels: np.ndarray, weights: np.ndarray, k: int, least: int) -> np.ndarray:
    """Macro-F1 for each row of weights (replicates x cells), over the types with so many cells that have any weight."""
    truth = weights @ (codes[:, None] == np.arange(k))
    called = weights @ (labels[:, None] == np.arange(k))
    right = weights @ ((codes[:, None] == np.arange(k)) & (labels == codes)[:, None])
    f1 = np.divide(2 * right, truth + called, out=np.zeros_like(truth, dtype=float), where=truth + called > 0)
    counted = (truth > 0) & (np.bincount(codes, minlength=k) >= least)
    return (f1 * counted).sum(axis=1) / counted.sum(axis=1)


def difference(data: Data, draws: list[dict[str, np.ndarray]], least: int = 1) -> tuple[float, float, float]:
    """Mean over draws of the paired difference, and its interval from resampled draws and cells."""
    types, codes = np.unique(data.y, return_inverse=True)
    generator = np.random.default_rng(0)
    weights = np.zeros((N_BOOT + 1, len(codes)))
    weights[0] = 1
    for name in np.unique(data.batch):
        inside = np.flatnonzero(data.batch == name)
        even = np.full(len(inside), 1 / len(inside))
        weights[1:, inside] = generator.multinomial(len(inside), even, size=N_BOOT)
    gaps = np.array(
        [
            np.subtract(
                *(
                    scores(codes, np.searchsorted(types, draw[arm]), weights, len(types), least)
                    for arm in (OWN, SAME_FLOOR)
                )
            )
            for draw in draws
        ]
    )
    chosen = generator.integers(len(draws), size=(N_BOOT, len(draws)))
    resampled = gaps[:, 1:][chosen, np.arange(N_BOOT)[:, None]].mean(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(gaps[:, 0].mean()), float(low), float(high)


def section(data: Data) -> str:
    texts: dict[str, list[str]] = {name: [] for name in ARMS}
    gaps: dict[int, list[str]] = {1: []}
    if np.unique(data.y, return_counts=True)[1].min() < LEAST:
        gaps[LEAST] = []
    seconds = dict.fromkeys(ARMS, 0.0)
    for n in SIZES:
        draws = []
        for seed in range(1 if n is None else N_DRAWS):
            labels, took = predicted(data, n, seed)
            draws.append(labels)
            seconds = {name: max(seconds[name], took[name] / len(np.unique(data.batch))) for name in ARMS}
        for name in ARMS:
            texts[name].append(f"{np.mean([macro_f1(data.y, draw[name]) for draw in draws]):.3f}")
        for least, found in gaps.items():
            found.append("{:+.3f} ({:+.3f}, {:+.3f})".format(*difference(data, draws, least)))
        print(data.name, n, {name: text[-1] for name, text in texts.items()}, gaps, file=sys.stderr, flush=True)
    size = f"{data.X.shape[0]:,} cells, {data.X.shape[1]:,} genes, {len(np.unique(data.y))} types, {data.text}"
    head = ["method", *("all" if n is None else str(n) for n in SIZES), "seconds"]
    lines = [f"### {data.name}", "", f"{size}.", "", f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {name} | {' | '.join(texts[name])} | {seconds[name]:.2f} |" for name in ARMS]
    for least, found in gaps.items():
        of = "" if least == 1 else f", types of {least} cells or more"
        lines.append(f"| **difference** of {OWN} and {SAME_FLOOR}{of} | {' | '.join(found)} | |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", type=Path, required=True)
    arguments = parser.parse_args()
    sets = [data for data in load(arguments.data) if data.name in ("pbmc_3tech", "kang")]
    made = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    text = "\n".join(section(data) for data in sets)
    text += (
        f"\nMade on {datetime.datetime.now(tz=datetime.UTC):%Y-%m-%d} with sc_annotate {__version__}, {made}, "
        f"Python {platform.python_version()}, by `benchmarks/few_labels.py`.\n"
    )
    page = arguments.write.read_text(encoding="utf-8")
    if MARKER not in page:
        parser.error(f"{arguments.write} lacks the line {MARKER.strip()}")
    arguments.write.write_text(page.partition(MARKER)[0] + MARKER + "\n" + text, encoding="utf-8")


if __name__ == "__main__":
    main()
