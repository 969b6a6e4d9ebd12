"""Peak memory of training networks on 50,000 cells x 20,000 genes, and of predicting with them.

Simulated CSR values, 8 % of them above 0; Linux. The number that the package is held to: 6 GB::

    OMP_NUM_THREADS=1 python benchmarks/deep_memory.py mlp_torch
    OMP_NUM_THREADS=1 python benchmarks/deep_memory.py nact
    OMP_NUM_THREADS=1 python benchmarks/deep_memory.py mlp_torch --file cells.h5ad

With ``--file`` the cells are written to an h5ad file, by a process of its own where there is none yet, and read block by block
(``max_cells=None``). With ``--steps`` the training ends after so many minibatches: memory grows no more after the first few,
and predicting is measured with a network that was trained on a few of the cells.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time

import numpy as np
from scipy.sparse import csr_array, vstack

import sc_annotate as sca
from sc_annotate._core import registry
from sc_annotate.neural import libraries

MOST_GB = 6
ROWS, FILLED = 1_000, 0.08


def gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def cells(n: int, n_genes: int, n_types: int) -> tuple[csr_array, np.ndarray]:
    random = np.random.default_rng(0)
    codes, parts = np.arange(n) % n_types, []
    for start in range(0, n, ROWS):
        block = random.random((min(ROWS, n - start), n_genes), dtype=np.float32)
        block[block >= FILLED] = 0
        block *= 3 / FILLED
        # Ten genes of each type are up.
        own = codes[start : start + len(block), None] * 10 + np.arange(10)
        block[np.arange(len(block))[:, None], own] += 1
        parts.append(csr_array(block))
    return vstack(parts, format="csr"), np.array([f"type {code}" for code in codes])


def stop_after(steps: int) -> None:
    from sc_annotate.neural.module import Training

    original, done = Training.training_step, [0]

    def step(self: Training, batch: object, index: int) -> object:
        done[0] += 1
        if done[0] > steps:
            raise KeyboardInterrupt
        return original(self, batch, index)

    Training.training_step = step


def write(file: str, n: int, n_genes: int, n_types: int) -> None:
    """Counts, as whole numbers."""
    import anndata as ad
    import pandas as pd

    X, y = cells(n, n_genes, n_types)
    np.ceil(X.data, out=X.data)
    adata = ad.AnnData(X, obs=pd.DataFrame({"cell_type": y}, index=[f"cell {i}" for i in range(n)]))
    adata.var_names = [f"Gene{i}" for i in range(n_genes)]
    adata.write_h5ad(file)


def from_file(args: argparse.Namespace) -> dict[str, float]:
    """Fit on all cells of a backed file, all genes."""
    import multiprocessing
    from pathlib import Path

    import anndata as ad

    if not Path(args.file).exists():
        made = multiprocessing.get_context("spawn").Process(
            target=write, args=(args.file, args.cells, args.genes, args.types)
        )
        made.start()
        made.join()
    backed = ad.read_h5ad(args.file, backed="r")
    found = {"before": gigabytes()}
    start, clock = time.process_time(), time.perf_counter()
    model = sca.tl.fit_annotator(
        backed, "cell_type", method=args.method, method_kwargs={"epochs": args.epochs}, n_top_genes=None,
        max_cells=None, cv=0, trust=None,
    )  # fmt: skip
    found |= {"fit_seconds": time.process_time() - start, "wall_seconds": time.perf_counter() - clock}
    found |= {"fit": gigabytes(), "learned_from": float(model.counts.sum())}
    query = ad.read_h5ad(args.file, backed="r")[:8192].to_memory()
    sca.tl.annotate(query, model)
    right = query.obs["annotation"].astype(str) == query.obs["cell_type"].astype(str)
    return found | {"fit_and_predict": gigabytes(), "accuracy": float(right.mean())}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("method")
    parser.add_argument("--cells", type=int, default=50_000)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--types", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--file")
    args = parser.parse_args()
    sca.settings.progress = False
    libraries.lightning()
    if args.file:
        return report(args, from_file(args))
    X, y = cells(args.cells, args.genes, args.types)
    genes = np.array([f"Gene{i}" for i in range(args.genes)])
    found = {"matrix": (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / 1e9, "before": gigabytes()}
    make = lambda: registry.make("annotation", args.method, {"epochs": args.epochs})
    few = make().fit(X[:640], y[:640], genes=genes) if args.steps else None
    if args.steps:
        stop_after(args.steps)
    start = time.process_time()
    try:
        model = make().fit(X, y, genes=genes)
    except KeyboardInterrupt:
        model = few
    found |= {"fit": gigabytes(), "fit_seconds": time.process_time() - start}
    labels = model.classes_[model.predict_proba(X[:8192]).argmax(axis=1)]
    found |= {"fit_and_predict": gigabytes(), "accuracy": float(np.mean(labels == y[:8192]))}
    return report(args, found)


def report(args: argparse.Namespace, found: dict[str, float]) -> int:
    print(json.dumps({**vars(args), **{name: round(value, 3) for name, value in found.items()}}))
    return int(found["fit_and_predict"] > MOST_GB)


if __name__ == "__main__":
    sys.exit(main())
