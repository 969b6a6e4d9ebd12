"""Whether the genes that networks name decide: what deleting them costs, of all held-out cells of two data sets.

Run by hand; it takes some minutes on one core::

    OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/saliency.py --data FOLDER --write docs/evidence.md

The folder has kang2018_pbmc_ifnb.h5ad; without it, pbmc68k alone. Each cell is predicted, and explained, by the network that
was not fitted on its fold or batch. ``--keep`` names a folder for what was measured, which is not measured again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _deep_cells import FOLDS, load

import sc_annotate as sca
from sc_annotate.annotation.held_out import Candidate
from sc_annotate.annotation.held_out_cells import choose_splits
from sc_annotate.annotation.requests import N_TOP_GENES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sc_annotate.annotation.training import Training

METHODS = ("nact", "mlp_torch", "actinn")
DATA = ("pbmc68k", "kang")
K = 20
DRAWS = 5
BEGIN, END = "% results of benchmarks/saliency.py", "% end of results"


def explained(data: Training, method: str) -> dict[str, np.ndarray]:
    """Of each held-out cell, the probability of its label, and what is lost of it without 20 genes of each kind."""
    found: dict[str, list[np.ndarray]] = {}
    for split in choose_splits(data, FOLDS, 0)[0]:
        batch = None if data.batch is None else data.batch[split.train]
        fitted = Candidate(method, {}, N_TOP_GENES).on_chosen_genes()
        fitted.fit(data.X[split.train], data.y[split.train], genes=data.genes, batch=batch, rng=0)
        for name, values in of_fold(fitted.annotator, data.X[split.test][:, fitted.columns]).items():
            found.setdefault(name, []).append(values)
        print(".", end="", file=sys.stderr, flush=True)
    return {name: np.concatenate(values) for name, values in found.items()}


def of_fold(model: Any, X: Any) -> dict[str, np.ndarray]:
    dense, proba = X.toarray(), model.predict_proba(X)
    codes, rows = proba.argmax(axis=1), np.arange(X.shape[0])
    before, rng = proba[rows, codes], np.random.default_rng(0)

    def cost(genes: np.ndarray) -> np.ndarray:
        without = dense.copy()
        np.put_along_axis(without, genes, 0, axis=1)
        lost: np.ndarray = before - model.predict_proba(without)[rows, codes]
        return lost

    expressed = dense != 0
    random = [first(rng.random(dense.shape) * expressed) for _ in range(DRAWS)]
    out = {
        "before": before,
        "random": np.mean([cost(genes) for genes in random], axis=0),
        "highest": cost(first(dense)),
    }
    for saliency in model.saliencies:
        evidence = model.gene_evidence(X, codes, saliency=saliency)
        out[f"{saliency} own"] = cost(first(np.where(expressed, evidence, -np.inf)))
        means = np.array([evidence[codes == code].mean(axis=0) for code in np.unique(codes)])
        out[f"{saliency} label"] = cost(first(means)[np.searchsorted(np.unique(codes), codes)])
    return out


def first(values: np.ndarray) -> np.ndarray:
    order: np.ndarray = np.argsort(-values, axis=1, kind="stable")[:, :K]
    return order


def interval(values: np.ndarray) -> str:
    """The mean and its 95 % bootstrap interval over cells."""
    rng = np.random.default_rng(0)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(1000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def lines(name: str, method: str, found: dict[str, np.ndarray]) -> Iterable[str]:
    for key in (key for key in found if key.endswith(" own")):
        own, saliency = found[key], key.removesuffix(" own")
        cells = [f"{name}, `{method}`", f"{found['before'].mean():.3f}", f"`{saliency}`", f"{own.mean():.3f}"]
        cells += [interval(own - found["random"]), interval(own - found["highest"])]
        yield "| " + " | ".join([*cells, f"{found[f'{saliency} label'].mean():.3f}"]) + " |"


def kept(path: Path, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    if not path.exists():
        found = make()
        with path.open("wb") as file:
            np.savez_compressed(file, **found)  # type: ignore[arg-type]
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with the h5ad file; without it, pbmc68k alone")
    parser.add_argument("--keep", type=Path, help="folder for what was measured, which is not measured again")
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--write", type=Path, help="page whose results are replaced")
    args = parser.parse_args()
    sca.settings.progress = False
    data_sets = load(args.data)
    head = "| | confidence before | saliency | cost, `own` | minus 20 random | minus the 20 highest | cost, `label` |"
    table = [head, "|" + " --- |" * 7]
    with tempfile.TemporaryDirectory() as folder:
        keep = args.keep or Path(folder)
        for method in args.methods:
            for name, data in ((name, data) for name, data in data_sets.items() if name in DATA):
                found = kept(keep / f"saliency-{name}-{method}.npz", lambda d=data, m=method: explained(d, m))  # type: ignore[misc]
                table += lines(name, method, found)
    text = "\n".join(table)
    print(text)
    if args.write is not None:
        page = args.write.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN + "\n")
        _, _, after = rest.partition(END + "\n")
        args.write.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
