"""How well cells of a type that the reference lacks are found: every type left out in turn.

Run by hand: ``python benchmarks/unfamiliar.py --data FOLDER``; writes docs/benchmarks_unfamiliar.md.
"""

from __future__ import annotations

import argparse
import datetime
from importlib.metadata import version
from pathlib import Path

import anndata as ad
import numpy as np

import sc_annotate as sca
from sc_annotate._core.read import open_input
from sc_annotate._core.variable_genes import variable_genes
from sc_annotate.annotators.logreg import LogReg
from sc_annotate.evaluation import leave_one_type_out
from sc_annotate.tl._training import labelled_cells, read_training
from sc_annotate.trust import Familiarity

LEAST = 25
FILES = {
    "kang": "kang2018_pbmc_ifnb",
    "scmixology": "scmixology_celseq2_dropseq",
    "pbmc_3tech": "pbmc_3tech",
}
INTRO = """# Benchmark: cells of a type that the reference lacks

Each type with at least {least} cells is left out of the reference in turn; the query then holds all of its cells and a
fifth of the others. *AUROC* says how well a score ranks unseen cells above known ones (0.5: not at all); *found* is
the share of unseen cells with a p-value below 0.05, *false alarms* the share of known held-out cells below it. Means
over {seeds} seeds; the worst type in brackets.

What to keep in mind:

* **Confidence does not find new types.** The two rows of logistic regression show what rejecting on its probabilities
  (`confidence`) or its energy would find. On some data that is nearly nothing, or worse than chance.
* The default (`score`) combines four parts (`mahalanobis`, `relative`, `residual`, `energy`), each as its tail
  probability among held-out reference cells. All of this data was looked at while the parts were built, and the
  simulated data is easier than real data: take the figures as the best to expect.
* A type close to one that stays is hard for every score: kinds of T cells without one another are found little better
  than by chance. The table by type shows it.

Made on {date} with sc_annotate {own}, numpy {numpy}, scikit-learn {sklearn}, by `benchmarks/unfamiliar.py`.
"""


def simulated() -> ad.AnnData:
    return sca.datasets.simulate_reference(1500, 2000, 8, n_batches=3, batch_strength=0.2, ambient=0.1, rng=12)


def arrays(adata: ad.AnnData) -> tuple[object, np.ndarray]:
    cells = labelled_cells(adata, "cell_type", batch_key=None, min_cells=2, what="adata")
    training = read_training(adata, open_input(adata), cells, labels_key="cell_type", wanted="log", what="adata")
    return training.X, training.y


def one(X: object, y: np.ndarray, split: object, seed: int) -> dict[str, dict[str, float]]:
    genes = variable_genes(X[split.train], 2000)
    train, test = X[split.train][:, genes], X[split.test][:, genes]
    types, codes = np.unique(y[split.train], return_inverse=True)
    unseen = y[split.test] == split.name
    known = Familiarity().fit(train, codes, rng=seed)
    scores = {"score (default)": known.score(test), **known.parts(test)}
    method = LogReg().fit(train, y[split.train], genes=genes.astype(str), rng=seed)
    scores["logreg: confidence"] = 1 - method.predict_proba(test).max(axis=1)
    scores["logreg: energy"] = -np.log(np.exp(method.decision(test).astype(float)).sum(axis=1))
    out = {name: {"auroc": sca.metrics.auroc(unseen, s)} for name, s in scores.items()}
    p = known.p_values(scores["score (default)"])
    out["score (default)"] |= {"found": float((p < 0.05)[unseen].mean()), "alarms": float((p < 0.05)[~unseen].mean())}
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    data = {"pbmc68k": sca.datasets.pbmc68k(), "simulation": simulated()}
    data |= {name: ad.read_h5ad(args.data / f"{file}.h5ad") for name, file in FILES.items()}
    by_type: dict[str, dict[str, dict[str, dict[str, list[float]]]]] = {}
    for name, adata in data.items():
        X, y = arrays(adata)
        for seed in range(args.seeds):
            for split in leave_one_type_out(y, rng=seed):
                if (y == split.name).sum() < LEAST:
                    continue
                for score, values in one(X, y, split, seed).items():
                    for key, value in values.items():
                        by_type.setdefault(name, {}).setdefault(split.name, {}).setdefault(score, {}).setdefault(
                            key, []
                        ).append(value)
        print(name, "done", flush=True)
    order = ["kang", "scmixology", "simulation", "pbmc68k", "pbmc_3tech"]
    scores = list(next(iter(by_type["pbmc68k"].values())))

    def mean(name: str, score: str, key: str) -> np.ndarray:
        return np.array([np.mean(values[score][key]) for values in by_type[name].values()])

    lines = [
        INTRO.format(
            least=LEAST,
            seeds=args.seeds,
            date=datetime.datetime.now(tz=datetime.UTC).date(),
            own=sca.__version__,
            numpy=version("numpy"),
            sklearn=version("scikit-learn"),
        ),
        "## AUROC: mean (worst type)\n",
        "| score | " + " | ".join(order) + " |",
        "| --- |" + " --- |" * len(order),
    ]
    for score in scores:
        cells = [f"{mean(n, score, 'auroc').mean():.3f} ({mean(n, score, 'auroc').min():.3f})" for n in order]
        lines.append(f"| {score} | " + " | ".join(cells) + " |")
    lines += ["\n## With the default line (p < 0.05)\n", "| data | found | false alarms |", "| --- | --- | --- |"]
    for n in order:
        found, alarms = (mean(n, "score (default)", key).mean() for key in ("found", "alarms"))
        lines.append(f"| {n} | {found:.2f} | {alarms:.2f} |")
    lines += [
        "\n## By type left out\n",
        "| data | type | AUROC | found | AUROC of confidence |",
        "| --- | --- | --- | --- | --- |",
    ]
    for n in order:
        for t, values in sorted(by_type[n].items(), key=lambda item: -np.mean(item[1]["score (default)"]["auroc"])):
            own = values["score (default)"]
            lines.append(
                f"| {n} | {t} | {np.mean(own['auroc']):.2f} | {np.mean(own['found']):.2f} | "
                f"{np.mean(values['logreg: confidence']['auroc']):.2f} |"
            )
    page = Path(__file__).parents[1] / "docs" / "benchmarks_unfamiliar.md"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
