"""Speed and memory: annotating, fitting, and both on files larger than memory, beside bare products and CellTypist.

Needs celltypist besides the package, and Linux; each stage takes a few minutes on two cores::

    OMP_NUM_THREADS=1 python benchmarks/speed.py --stage all --out FOLDER --write docs/performance.md

FOLDER keeps the results of each stage as JSON, so that the page can be made from several runs; ratios are always of
one run. The files of ``backed`` (2.5 GB) are written there too, and removed. ``--stage page`` only makes the page. Where
BLAS has more threads than cores are free, the times say nothing: hence the variable.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _speed_backed import backed, same
from _speed_measure import machine
from _speed_memory import annotate, fit, types
from _speed_page import page, tables
from _speed_plot import plot

import sc_annotate as sca

if TYPE_CHECKING:
    from collections.abc import Callable

STAGES = ("annotate", "types", "fit", "fit50", "backed", "same")
SIZES = (10_000, 100_000, 300_000, 1_000_000)


def stages(smaller: int, rounds: int, folder: Path) -> dict[str, Callable[[], dict[str, Any]]]:
    n = 100_000 // smaller
    return {
        "annotate": lambda: annotate(n, rounds),
        "types": lambda: types(n, rounds),
        "fit": lambda: fit(n, max(1, rounds // 2)),
        "fit50": lambda: fit(n * 2 // 5, 1, n_types=50),
        "backed": lambda: backed([size // smaller for size in SIZES], max(1, rounds // 2), folder),
        "same": lambda: same(10_000 // smaller, folder),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", choices=(*STAGES, "all", "page"), default="all")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for results and for files while they are needed"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the cells; in a subfolder of its own")
    parser.add_argument("--rounds", type=int, default=5, help="how often each call is repeated")
    parser.add_argument("--write", type=Path, help="the page to write; its picture goes to _static beside it")
    args = parser.parse_args()
    folder = args.out / "quick" if args.quick else args.out
    folder.mkdir(parents=True, exist_ok=True)
    sca.settings.progress = False
    work = stages(10 if args.quick else 1, args.rounds, folder)
    wanted = {"all": STAGES, "page": ()}.get(args.stage, (args.stage,))
    for stage in wanted:
        print(f"{stage}:", file=sys.stderr, flush=True)
        start = time.perf_counter()
        found = work[stage]() | {"machine": machine(), "rounds": args.rounds}
        found["took"] = time.perf_counter() - start
        (folder / f"{stage}.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    kept = {s: folder / f"{s}.json" for s in STAGES}
    results = {s: json.loads(path.read_text(encoding="utf-8")) for s, path in kept.items() if path.exists()}
    for name, text in tables({s: found for s, found in results.items() if not wanted or s in wanted}).items():
        print(f"## {name}\n\n{text}\n")
    if args.write:
        args.write.write_text(page(results), encoding="utf-8")
        plot(results, args.write.parent / "_static" / "performance.png")


if __name__ == "__main__":
    main()
