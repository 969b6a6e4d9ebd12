"""Every built-in annotator with its defaults on four measured data sets.

Run by hand; it takes about a quarter of an hour on one core (one thread, so that seconds can be compared)::

    OMP_NUM_THREADS=1 python benchmarks/annotators.py --data FOLDER --write docs/benchmarks_annotators.md

FOLDER has pbmc_3tech.h5ad, kang2018_pbmc_ifnb.h5ad and scmixology_celseq2_dropseq.h5ad, with the types in
``obs["cell_type"]`` and the batches in ``obs["batch"]``.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import anndata as ad
import numpy as np
import scanpy as sc
from scipy.sparse import csr_array

from sc_annotate import __version__
from sc_annotate._core import registry
from sc_annotate.annotators.chosen_genes import choose_genes
from sc_annotate.evaluation import cross_validate, leave_one_group_out, stratified
from sc_annotate.metrics import accuracy, log_loss, macro_f1

N_GENES = 2000
PACKAGES = ("numpy", "scipy", "scikit-learn", "scanpy")

HEAD = """# Benchmark: cell type annotation methods

**Summary.** `logreg` and `linear_svm` are among the best five methods on every data set and take less than a second.
No other method is better on all of them: `logreg_pca`, `random_forest` and `knn` are ahead on `pbmc_3tech`, and behind on
`pbmc68k` and `kang`. Differences of one or two points are within the noise. All methods are far better than `majority`, which predicts
the most common type for every cell.

Every built-in method with its defaults, on four small measured data sets. Use the tables to choose which methods to try
first, not as a ranking for your data.

Limits:

* The data sets are small (700 to 1,556 cells) and three of the four are blood. With a few hundred test cells,
  differences of one or two points are within the noise, whatever the standard deviation over seeds.
* The defaults were chosen on these very data sets, so the scores are optimistic. For `logreg` the choice moved the
  macro-F1 by one or two points, for `knn` (cosine, weights by class size) and `mlp` (weight decay) by more.
* The labels of `pbmc68k` come from similarity to bulk profiles, which favours correlation and linear models.
* `pbmc68k` is five-fold cross-validation within one sample. The others leave one batch out at a time, which is closer to annotating a new experiment.
* The macro-F1 is over the types that occur among the test cells. In `pbmc_3tech` two of them have 3 and 7 cells, so one cell can change the score by several points.
* Raw probabilities are shown (log loss, lower is better); `sca.tl.annotate` calibrates them afterwards.

All methods get the same cells, log1p of counts per 10,000, and the same {n_genes} genes, chosen on the training cells as
`sca.tl.annotate` does (all genes where there are fewer). Accuracy, macro-F1 and log loss are means over folds or batches, then over {seeds} seeds
(at most 3 where batches are left out); in brackets the standard deviation over seeds. The seed draws the folds of
`pbmc68k`, and the method's own random numbers everywhere; a method without any has 0 outside `pbmc68k`. Seconds are
processor time of one fit and one prediction on one thread.

Made on {date} with sc_annotate {ours}, {versions}, Python {python}, by `benchmarks/annotators.py`.
"""


@dataclass(frozen=True)
class Data:
    """One data set, log1p of counts per 10,000."""

    name: str
    text: str
    X: csr_array
    y: np.ndarray
    genes: np.ndarray
    batch: np.ndarray | None = None

    def splits(self, seed):
        return stratified(self.y, 5, rng=seed) if self.batch is None else leave_one_group_out(self.batch)


def strings(column):
    return column.astype(str).to_numpy().astype(str)


def load(folder: Path) -> list[Data]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = sc.datasets.pbmc68k_reduced()
    X = csr_array(small.raw.X).astype(np.float32)
    genes = np.array(small.raw.var_names, dtype=str)
    out = [Data("pbmc68k", "five folds", X, strings(small.obs["bulk_labels"]), genes)]
    for file, name in (
        ("pbmc_3tech", "pbmc_3tech"),
        ("kang2018_pbmc_ifnb", "kang"),
        ("scmixology_celseq2_dropseq", "scmixology"),
    ):
        adata = ad.read_h5ad(folder / f"{file}.h5ad")
        if name != "pbmc_3tech":  # that one is normalised already
            sc.pp.normalize_total(adata, target_sum=1e4)
            sc.pp.log1p(adata)
        X = csr_array(adata.X).astype(np.float32)
        genes = np.array(adata.var_names, dtype=str)
        batch = strings(adata.obs["batch"])
        text = f"{len(np.unique(batch))} batches, one left out at a time"
        out.append(Data(name, text, X, strings(adata.obs["cell_type"]), genes, batch))
    return out


def run(data: Data, names: list[str], seeds: int) -> dict[str, np.ndarray]:
    """Scores by method: seeds x (accuracy, macro-F1, log loss, seconds), means over folds."""
    scores: dict[str, list[list[float]]] = {name: [] for name in names}
    if data.batch is not None:
        seeds = min(seeds, 3)  # the splits are the same for all
    for seed in range(seeds):
        parts = []
        for split in data.splits(seed):
            batch = None if data.batch is None else data.batch[split.train]
            parts.append((split, choose_genes(data.X[split.train], data.y[split.train], N_GENES, batch)))
        for name in names:
            rows = []
            for split, columns in parts:
                start = time.process_time()
                out = cross_validate(
                    lambda name=name: registry.make("annotation", name),
                    data.X[:, columns],
                    data.y,
                    [split],
                    genes=data.genes[columns],
                    rng=seed,
                )
                seconds = time.process_time() - start
                rows.append(
                    (
                        accuracy(out.y, out.labels),
                        macro_f1(out.y, out.labels),
                        log_loss(out.y, out.proba, out.classes),
                        seconds,
                    )
                )
            scores[name].append(np.mean(rows, axis=0).tolist())
            print(f"{data.name} seed {seed} {name}: {np.round(scores[name][-1], 3).tolist()}", file=sys.stderr)
    return {name: np.array(rows) for name, rows in scores.items()}


def table(data: Data, scores: dict[str, np.ndarray]) -> str:
    size = f"{data.X.shape[0]:,} cells, {data.X.shape[1]:,} genes, {len(np.unique(data.y))} types"
    lines = [
        f"## {data.name}",
        "",
        f"{size}; {data.text}.",
        "",
        "| method | accuracy | macro-F1 | log loss | seconds |",
        "|---|---|---|---|---|",
    ]
    for name, rows in sorted(scores.items(), key=lambda item: -item[1][:, 1].mean()):
        mean, sd = rows.mean(axis=0), rows.std(axis=0)
        three = " | ".join(f"{m:.3f} ({s:.3f})" for m, s in zip(mean[:3], sd[:3], strict=True))
        lines.append(f"| `{name}` | {three} | {mean[3]:.2f} |")
    return "\n".join(lines) + "\n"


def summary(all_scores: dict[str, dict[str, np.ndarray]], names: list[str]) -> str:
    lines = [
        "## Summary",
        "",
        "Accuracy / macro-F1 (standard deviation of the macro-F1).",
        "",
        "| method | " + " | ".join(all_scores) + " |",
        "|---" * (1 + len(all_scores)) + "|",
    ]
    for name in names:
        cells = []
        for scores in all_scores.values():
            mean, sd = scores[name].mean(axis=0), scores[name].std(axis=0)
            cells.append(f"{mean[0]:.3f} / {mean[1]:.3f} ({sd[1]:.3f})")
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the h5ad files")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", nargs="*", help="default: all built-in ones without an extra")
    parser.add_argument("--write", type=Path, default=Path(__file__).parents[1] / "docs" / "benchmarks_annotators.md")
    args = parser.parse_args()
    records = registry.table("annotation").values()
    names = args.methods or [m.name for m in records if m.source == "sc_annotate" and m.extra is None]
    data_sets = load(args.data)
    scores = {data.name: run(data, names, args.seeds) for data in data_sets}
    head = HEAD.format(
        n_genes=f"{N_GENES:,}",
        seeds=args.seeds,
        date=datetime.datetime.now(datetime.UTC).date(),
        ours=__version__,
        versions=", ".join(f"{package} {version(package)}" for package in PACKAGES),
        python=platform.python_version(),
    )
    page = "\n".join([head, summary(scores, names), *(table(data, scores[data.name]) for data in data_sets)])
    print(page)
    args.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
