"""Processor time and memory of annotating with thousands of types, and of saving and loading such a model.

Simulated counts, every type with as many cells; Linux. The numbers that the package is held to: 5,000 types x 500 genes
below 600 s of processor time and 10 GB::

    OMP_NUM_THREADS=1 python benchmarks/many_types.py
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from scipy.sparse import csr_array, vstack

import sc_annotate as sca

MOST_SECONDS, MOST_GB = 600, 10
ROWS = 5_000


def seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def counts(profiles: np.ndarray, n: int, seed: int) -> ad.AnnData:
    random = np.random.default_rng(seed)
    codes = np.arange(n) % len(profiles)
    parts = [csr_array(random.poisson(profiles[codes[i : i + ROWS]]).astype(np.float32)) for i in range(0, n, ROWS)]
    obs = pd.DataFrame(
        {"type": pd.Categorical([f"type {code:05d}" for code in codes])}, index=[f"{seed}:{i}" for i in range(n)]
    )
    var = pd.DataFrame(index=[f"Gene{i}" for i in range(profiles.shape[1])])
    return ad.AnnData(vstack(parts, format="csr"), obs=obs, var=var)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--types", type=int, default=5_000)
    parser.add_argument("--genes", type=int, default=500)
    parser.add_argument("--cells", type=int, default=50_000, help="of the reference; the query has a tenth")
    parser.add_argument(
        "--all-cells", action="store_true", help="max_cells=None: else too few are held out to calibrate"
    )
    args = parser.parse_args()
    sca.settings.progress = False
    profiles = np.random.default_rng(1).gamma(0.3, 3, (args.types, args.genes))
    reference, query = counts(profiles, args.cells, 0), counts(profiles, args.cells // 10, 2)
    found: dict[str, float] = {"gigabytes_before": gigabytes()}

    def timed(name: str, started: float) -> None:
        found[f"{name}_seconds"], found[f"{name}_gigabytes"] = seconds() - started, gigabytes()
        print(name, {k: round(v, 2) for k, v in found.items() if k.startswith(name)}, file=sys.stderr, flush=True)

    started = seconds()
    model = sca.tl.fit_annotator(reference, "type", **({"max_cells": None} if args.all_cells else {}))
    timed("fit", started)
    sca.tl.annotate(query, model)
    timed("fit_and_annotate", started)
    found["accuracy"] = float(np.mean(query.obs["annotation"].astype(str) == query.obs["type"].astype(str)))
    with tempfile.TemporaryDirectory() as folder:
        started = seconds()
        path = model.save(Path(folder) / "model.safetensors")
        timed("save", started)
        found["file_gigabytes"] = path.stat().st_size / 1e9
        started = seconds()
        sca.load(path)
        timed("load", started)
    print(json.dumps({**vars(args), **{name: round(value, 3) for name, value in found.items()}}))
    return int(found["fit_and_annotate_seconds"] > MOST_SECONDS or found["fit_and_annotate_gigabytes"] > MOST_GB)


if __name__ == "__main__":
    sys.exit(main())
