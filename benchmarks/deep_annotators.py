"""Networks and classical annotators, with their defaults, on the same held-out cells of five measured data sets.

Run by hand; it takes about half an hour on one core, and continues where it was interrupted::

    OMP_NUM_THREADS=1 python benchmarks/deep_annotators.py --data FOLDER --keep FOLDER --write docs/deep.md

The first folder has pbmc_3tech.h5ad, kang2018_pbmc_ifnb.h5ad, scmixology_celseq2_dropseq.h5ad and kang2018_pbmc_14k.h5ad,
with the types in ``obs["cell_type"]`` and batches in ``obs["batch"]`` (``obs["condition"]`` in the last); the second gets
the predictions. ``--quick`` prints a small corner of the table, for which no folder is needed.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from _deep_cells import found, load

import sc_annotate as sca
from sc_annotate._core import registry

if TYPE_CHECKING:
    from collections.abc import Iterable

DEEP = ("mlp_torch", "nact", "actinn")
CLASSICAL = (
    *("logreg", "logreg_pca", "linear_svm", "lda", "nearest_centroid", "correlation", "knn", "naive_bayes"),
    *("random_forest", "gradient_boosting", "mlp", "celltypist"),
)
METHODS = (*CLASSICAL, *DEEP, "majority")
QUICK = ("logreg", "nearest_centroid", "mlp_torch", "majority")
SEVERAL = ("logreg", "mlp_torch", "nact")
SEEDS = (0, 4, 5)  # 1 and 2 chose the defaults
PACKAGES = ("numpy", "scipy", "scikit-learn", "scanpy", "torch", "lightning")
BEGIN, END = "% results of benchmarks/deep_annotators.py", "% end of results"

LEAST_DIFFERENCE = {"pbmc68k": -0.03}  # of mlp_torch to logreg; -.02 on the others
LEAST_F1 = {"pbmc68k": 0.66, "pbmc_3tech": 0.77, "kang": 0.87}  # of nact
MOST_ECE, MOST_SECONDS = 0.06, 60

Scores = dict[str, dict[str, list[dict[str, float]]]]
"""By data set and method, one entry a seed."""


def markdown(head: str, rows: Iterable[Iterable[str]]) -> str:
    lines = [f"| {head} |", "|---" * (1 + head.count("|")) + "|", *("| " + " | ".join(row) + " |" for row in rows)]
    return "\n".join(lines) + "\n"


def signed(each: dict[str, float]) -> str:
    return f"{each['difference']:+.3f} [{each['low']:+.3f}, {each['high']:+.3f}]"


def of_one(methods: dict[str, list[dict[str, float]]]) -> str:
    head = "method | accuracy | macro-F1 | minus `logreg` | ECE | calibrated | CPU s | MB"
    rows = []
    for name, (first, *_) in sorted(methods.items(), key=lambda item: -item[1][0]["macro_f1"]):
        gap = "" if name == "logreg" else signed(first)
        four = [f"{first[key]:.3f}" for key in ("accuracy", "macro_f1", "raw", "calibrated")]
        rows.append([f"`{name}`", *four[:2], gap, *four[2:], f"{first['seconds']:.2f}", f"{first['megabytes']:.0f}"])
    return markdown(head, rows)


def over_seeds(scores: Scores) -> str:
    """Means over seeds of the macro-F1 and of the difference to logreg, each with its standard deviation."""
    rows = []
    for data, methods in scores.items():
        for name, seeds in methods.items():
            if len(seeds) > 1:
                f1, gaps = ([each[key] for each in seeds] for key in ("macro_f1", "difference"))
                gap = "" if name == "logreg" else f"{np.mean(gaps):+.3f} ({np.std(gaps):.3f})"
                each = ", ".join(f"{value:.3f}" for value in f1)
                rows.append([data, f"`{name}`", f"{np.mean(f1):.3f} ({np.std(f1):.3f})", each, gap])
    return markdown("data | method | macro-F1 | each seed | minus `logreg`", rows)


def targets(scores: Scores) -> str:
    """What the networks are held to, on one seed and in the mean over seeds."""
    rows = []

    def row(what: str, least: str, seeds: list[float], met: list[bool]) -> None:
        words = ["yes" if each else "**no**" for each in met]
        several = [f"{np.mean(seeds):.3f}", words[1]] if len(seeds) > 1 else ["", ""]
        rows.append([what, least, f"{seeds[0]:.3f}", words[0], *several])

    for data, methods in scores.items():
        if mlp := methods.get("mlp_torch"):
            least = LEAST_DIFFERENCE.get(data, -0.02)
            gaps = [each["difference"] for each in mlp]
            row(
                f"`mlp_torch` minus `logreg`, {data}",
                f"≥ {least:.2f}",
                gaps,
                [gaps[0] >= least, np.mean(gaps) >= least],
            )
            errors = [each["calibrated"] for each in mlp]
            met = [errors[0] <= MOST_ECE, np.mean(errors) <= MOST_ECE]
            row(f"`mlp_torch`, ECE after calibration, {data}", f"≤ {MOST_ECE}", errors, met)
        if (nact := methods.get("nact")) and data in LEAST_F1:
            f1 = [each["macro_f1"] for each in nact]
            met = [f1[0] >= LEAST_F1[data], np.mean(f1) >= LEAST_F1[data]]
            row(f"`nact`, macro-F1, {data}", f"≥ {LEAST_F1[data]}", f1, met)
            taken = [each["seconds"] for each in nact]
            met = [taken[0] < MOST_SECONDS, np.mean(taken) < MOST_SECONDS]
            row(f"`nact`, CPU seconds a fold, {data}", f"< {MOST_SECONDS}", taken, met)
    return markdown("what | target | seed 0 | met | mean over seeds | met", rows)


def results(scores: Scores, sizes: dict[str, str]) -> str:
    made = (
        f"Made on {datetime.datetime.now(datetime.UTC).date()} with sc_annotate {sca.__version__}, "
        + ", ".join(f"{package} {version(package)}" for package in PACKAGES)
        + f", Python {platform.python_version()}, by `benchmarks/deep_annotators.py`.\n"
    )
    parts = [made, "### Targets\n", targets(scores), "### Several seeds\n", over_seeds(scores)]
    for name, methods in scores.items():
        parts += [f"### {name}\n", sizes[name] + "\n", of_one(methods)]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with the h5ad files; without it, pbmc68k alone")
    parser.add_argument("--keep", type=Path, help="folder for predictions, which are not computed again")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many, for the methods compared over several")
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--write", type=Path, help="page whose results are replaced")
    parser.add_argument("--quick", action="store_true", help="one seed and few methods on pbmc68k")
    args = parser.parse_args()
    sca.settings.progress = False
    known = registry.table("annotation")
    names = [name for name in (QUICK if args.quick else args.methods) if name in known]
    n_seeds = 1 if args.quick else args.seeds
    data_sets = load(None if args.quick else args.data)
    with tempfile.TemporaryDirectory() as folder:
        keep = args.keep or Path(folder)
        keep.mkdir(parents=True, exist_ok=True)
        scores: Scores = {name: {} for name in data_sets}
        for seed in SEEDS[:n_seeds]:
            for name, data in data_sets.items():
                logreg = None
                for method in ("logreg", *(each for each in names if each != "logreg")):
                    # Whole batches are the same folds for all seeds.
                    if seed == SEEDS[0] or (data.batch is None and method in SEVERAL):
                        own = found(data, method, seed, keep / f"{name}-{method}-{seed}.npz")
                        logreg = logreg or own
                        scores[name].setdefault(method, []).append(own.scores(logreg))
                        row = {key: round(value, 3) for key, value in scores[name][method][-1].items()}
                        print(name, seed, method, row, file=sys.stderr, flush=True)
    sizes = {
        name: f"{data.X.shape[0]:,} cells, {data.X.shape[1]:,} genes, {len(np.unique(data.y))} types; "
        + ("five folds." if data.batch is None else f"{len(np.unique(data.batch))} batches, one held out at a time.")
        for name, data in data_sets.items()
    }
    text = results(scores, sizes)
    print(text)
    if args.write is not None:
        page = args.write.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN + "\n")
        _, _, after = rest.partition(END + "\n")
        args.write.write_text(f"{before}{BEGIN}\n\n{text}\n{END}\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
