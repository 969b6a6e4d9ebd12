"""The models of scvi-tools, logistic regression and neighbours, with one batch held out at a time.

Run by hand; it takes about an hour on one core, and continues where it was interrupted::

    OMP_NUM_THREADS=1 python benchmarks/scvi_annotators.py --data FOLDER --keep FOLDER

The first folder has kang2018_pbmc_ifnb.h5ad and scmixology_celseq2_dropseq.h5ad, with counts, types in ``obs["cell_type"]``
and batches in ``obs["batch"]``; the second gets the predictions. All methods have the same folds and cells, and the same
2,000 most variable genes of the cells that are not held out.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
from scipy.sparse import csr_matrix, vstack
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

import sc_annotate as sca
from sc_annotate import metrics
from sc_annotate._core import registry
from sc_annotate.annotators.variable_genes import variable_genes
from sc_annotate.evaluation import interval, paired_difference

FILES = {"kang": "kang2018_pbmc_ifnb", "scmixology": "scmixology_celseq2_dropseq"}
METHODS = {
    "logreg": {},
    "pca50_knn11": {},
    "scanvi": {},
    "scanvi, surgery": {"surgery": True, "n_layers": 2},
    "scvi": {},
}
N_GENES = 2000
MOST_SECONDS, LEAST_TO_KNN, LEAST_TO_JOINT = 180, -0.01, -0.03


def load(path: Path) -> dict[str, np.ndarray | csr_matrix]:
    adata = ad.read_h5ad(path)
    counts = csr_matrix(adata.X, dtype=np.float32)
    total = np.asarray(counts.sum(axis=1)).ravel()
    log = counts.multiply(1e4 / total[:, None]).tocsr().log1p().astype(np.float32)
    obs = adata.obs[["cell_type", "batch"]].astype(str)
    return {
        "counts": counts,
        "log": log,
        "y": obs["cell_type"].to_numpy().astype(str),
        "batch": obs["batch"].to_numpy().astype(str),
        "genes": adata.var_names.to_numpy().astype(str),
    }


def predict(method: str, data: dict, train: np.ndarray, test: np.ndarray, genes: np.ndarray, rng: int) -> np.ndarray:
    y, batch, names = data["y"][train], data["batch"][train], data["genes"][genes]
    log = data["log"][:, genes]
    if method == "pca50_knn11":
        # Of all cells, as the joint models; of log values that are centred and not scaled.
        parts = PCA(50, random_state=rng).fit(vstack([log[train], log[test]]).toarray())
        knn = KNeighborsClassifier(11).fit(parts.transform(log[train].toarray()), y)
        return knn.predict(parts.transform(log[test].toarray()))
    if method == "logreg":
        model = registry.make("annotation", method).fit(log[train], y, genes=names, batch=batch, rng=rng)
        return model.classes_[model.predict_proba(log[test]).argmax(axis=1)]
    counts = data["counts"][:, genes]
    model = registry.make("annotation", method.partition(",")[0], METHODS[method])
    model.fit(counts[train], y, genes=names, batch=batch, rng=rng, query=counts[test], query_batch=data["batch"][test])
    return model.classes_[model.predict_query().argmax(axis=1)]


def found(method: str, name: str, data: dict, rng: int, keep: Path) -> dict[str, np.ndarray]:
    """Labels of all cells, each predicted while its batch was held out, and processor seconds of each fold."""
    labels, seconds = np.empty_like(data["y"]), []
    for fold in np.unique(data["batch"]):
        test = data["batch"] == fold
        train, held = np.flatnonzero(~test), np.flatnonzero(test)
        kept = keep / f"{name}-{method.replace(', ', '-')}-{fold}-{rng}.npz"
        if not kept.exists():
            genes = variable_genes(data["log"][train], N_GENES, data["batch"][train])
            start = time.process_time()
            own = predict(method, data, train, held, genes, rng)
            taken = time.process_time() - start
            print(name, method, fold, f"{taken:.1f} s", file=sys.stderr, flush=True)
            np.savez_compressed(kept, labels=own, seconds=taken)
        with np.load(kept, allow_pickle=False) as file:
            labels[held] = file["labels"]
            seconds.append(float(file["seconds"]))
    return {"labels": labels, "seconds": np.array(seconds)}


def of_folds(y: np.ndarray, labels: np.ndarray, batch: np.ndarray) -> float:
    return float(np.mean([metrics.macro_f1(y[batch == each], labels[batch == each]) for each in np.unique(batch)]))


def table(name: str, data: dict, results: dict[str, dict[str, np.ndarray]]) -> str:
    y, batch = data["y"], data["batch"]
    lines = [
        f"### {name}\n",
        f"{len(y):,} cells, {min(N_GENES, len(data['genes'])):,} genes, {len(np.unique(y))} types; "
        f"{len(np.unique(batch))} batches, one held out at a time.\n",
        "| method | accuracy | macro-F1 | mean over folds | minus `logreg` | CPU s a fit | most |",
        "|---|---|---|---|---|---|---|",
    ]
    for method, own in results.items():
        gap = ""
        if method != "logreg":
            of = paired_difference(y, own["labels"], results["logreg"]["labels"], groups=batch)
            gap = f"{of.estimate:+.3f} [{of.low:+.3f}, {of.high:+.3f}]"
        f1 = interval(y, own["labels"], groups=batch).estimate
        lines.append(
            f"| {method} | {metrics.accuracy(y, own['labels']):.3f} | {f1:.3f} | {of_folds(y, own['labels'], batch):.3f} "
            f"| {gap} | {np.mean(own['seconds']):.1f} | {np.max(own['seconds']):.1f} |"
        )
    return "\n".join(lines) + "\n"


def targets(name: str, data: dict, results: dict[str, dict[str, np.ndarray]]) -> str:
    means = {method: of_folds(data["y"], own["labels"], data["batch"]) for method, own in results.items()}
    lines = []

    def line(what: str, value: float, met: bool, least: str) -> None:
        lines.append(f"| {name}: {what} | {least} | {value:.3f} | {'yes' if met else '**no**'} |")

    if "scanvi" in means and "pca50_knn11" in means:
        gap = means["scanvi"] - means["pca50_knn11"]
        line("`scanvi` minus PCA 50 + kNN 11", gap, gap >= LEAST_TO_KNN, f"≥ {LEAST_TO_KNN}")
        most = float(np.max(results["scanvi"]["seconds"]))
        line("`scanvi`, CPU seconds, longest fold", most, most <= MOST_SECONDS, f"≤ {MOST_SECONDS}")
    if "scanvi" in means and "scanvi, surgery" in means:
        gap = means["scanvi, surgery"] - means["scanvi"]
        line("surgery minus joint", gap, gap >= LEAST_TO_JOINT, f"≥ {LEAST_TO_JOINT}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--rng", type=int, default=0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    sca.settings.progress = False
    args.keep.mkdir(parents=True, exist_ok=True)
    names = ["logreg", *(each for each in args.methods if each != "logreg")]
    data_sets = {name: load(args.data / f"{file}.h5ad") for name, file in FILES.items()}
    results: dict[str, dict] = {name: {} for name in data_sets}
    for method in names:
        if method not in ("logreg", "pca50_knn11"):
            from sc_annotate.neural import libraries

            libraries.scvi()  # importing it is no part of a fit
        for name, data in data_sets.items():
            results[name][method] = found(method, name, data, args.rng, args.keep)
    print("| what | target | value | met |\n|---|---|---|---|")
    for name, data in data_sets.items():
        print(targets(name, data, results[name]))
    for name, data in data_sets.items():
        print()
        print(table(name, data, results[name]))


if __name__ == "__main__":
    main()
