"""How far confidence, prediction sets, votes of clusters and the consensus of methods can be trusted.

Run by hand; it takes about seven minutes on one core::

    OMP_NUM_THREADS=1 python benchmarks/trust.py --data FOLDER --write docs/benchmarks_trust.md

FOLDER has pbmc_3tech.h5ad, kang2018_pbmc_ifnb.h5ad and scmixology_celseq2_dropseq.h5ad, with the types in
``obs["cell_type"]`` and the batches in ``obs["batch"]``.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from _trust_cells import all_tests, load, together
from _trust_consensus import COMBINED, combined, consensus_tables
from _trust_page import PAGE
from _trust_tables import calibration, every, markdown, sets, sets_by_test, votes

import sc_annotate as sca
from sc_annotate import metrics

if TYPE_CHECKING:
    from _trust_cells import HeldOut
    from _trust_tables import Tests

METHODS = (*COMBINED, "nearest_centroid", "naive_bayes", "linear_svm", "mlp", "random_forest")


def rejection(tests: Tests) -> str:
    rows = []
    for t in every(tests):
        confidence = t.proba["temperature"].max(axis=1)
        curve = metrics.risk_coverage(t.y, t.labels(), confidence)
        risk = [curve["risk"][np.searchsorted(curve["coverage"], c - 1e-9)] for c in (0.8, 0.9, 1)]
        numbers = [f"{v:.3f}" for v in (curve["area"], curve["excess_area"], *risk)]
        wrong = t.labels() != t.y
        auroc = metrics.auroc(wrong, -confidence)
        rows.append([t.test, len(t.y), int(wrong.sum()), *numbers, f"{auroc:.3f}"])
    return markdown("test | cells | wrong | area | excess area | risk at 0.8 | risk at 0.9 | risk at 1 | AUROC", rows)


def tables(folder: Path) -> dict[str, str]:
    data = load(folder)
    found: dict[str, dict[str, list[list[HeldOut]]]] = {}
    for method in METHODS:
        start = time.perf_counter()
        found[method] = {name: all_tests(name, training, method) for name, training in data.items()}
        print(f"{method}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    flat = {m: {d: [together(parts) for parts in groups] for d, groups in own.items()} for m, own in found.items()}
    logreg = flat["logreg"]
    louvain = sca.datasets.pbmc68k().obs["louvain"].astype(str).to_numpy().astype(str)
    parts = {
        "calibration": calibration(flat),
        "sets": sets(logreg["pbmc68k"][0]) | {"by_test": sets_by_test(logreg)},
        "votes": votes(data, logreg, louvain),
        "consensus": consensus_tables(*combined(found)),
        "rejection": {"curve": rejection(logreg)},
    }
    return {f"{part}_{name}": text for part, own in parts.items() for name, text in own.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the h5ad files")
    parser.add_argument("--write", type=Path, default=Path(__file__).parents[1] / "docs" / "benchmarks_trust.md")
    args = parser.parse_args()
    page = PAGE.format(
        date=datetime.datetime.now(tz=datetime.UTC).date(),
        own=sca.__version__,
        versions=", ".join(f"{p} {version(p)}" for p in ("numpy", "scipy", "scikit-learn", "scanpy")),
        **tables(args.data),
    )
    print(page)
    args.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
