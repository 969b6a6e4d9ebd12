"""Whether two source trees give the same results: a fixed list of calls on real and on simulated cells.

For changes of the structure, which must not change a number. Each tree runs the calls in a process of its own, and a third
process compares what they left::

    PYTHONPATH=OLD/src python benchmarks/compare_trees.py run --out before --data FOLDER
    PYTHONPATH=NEW/src python benchmarks/compare_trees.py run --out after --data FOLDER
    python benchmarks/compare_trees.py compare before after

Texts (labels, sets, statuses) have to be identical, and numbers equal to within 1e-5. What was renamed, and what may differ
for a reason, stands in ``_compare_exceptions.py``. Without ``--data`` (and SC_ANNOTATE_DATA) cases that need files are
skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np


def run(out: Path, data: Path | None, wanted: list[str] | None) -> int:
    from _compare_annotation import CASES as ANNOTATION
    from _compare_calls import Calls
    from _compare_perturbation import CASES as PERTURBATION
    from _compare_plain import write

    import sc_annotate as sca

    sca.settings.progress = False
    print(f"tree: {Path(sca.__file__).parent}", file=sys.stderr)
    cases = ANNOTATION | PERTURBATION
    failed, took = 0, {}
    for name in wanted or cases:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            calls = Calls(Path(folder))
            start = time.process_time()
            try:
                cases[name](calls, data if data is not None else Path(folder))
            except Exception as error:  # noqa: BLE001
                failed += 1
                calls.keep("failed", f"{type(error).__name__}: {error}")
                traceback.print_exc()
        took[name] = time.process_time() - start
        print(f"{name}: {took[name]:.1f} CPU s, {len(calls.found)} values", file=sys.stderr, flush=True)
        write(out, name, calls.found)
    (out / "seconds.json").write_text(json.dumps(took, indent=1), encoding="utf-8")
    print(f"{sum(took.values()):.0f} CPU s in all, {failed} cases failed", file=sys.stderr)
    return failed


def compare(before: Path, after: Path, most: int) -> int:
    from _compare_exceptions import Comparison
    from _compare_plain import read

    old, new = read(before), read(after)
    total = Comparison()
    for name in sorted(set(old) | set(new)):
        if name not in old or name not in new:
            total.differences.append(f"{name}: only in {'before' if name in old else 'after'}")
            continue
        total.add(name, old[name], new[name])
    print(total.summary(most))
    return len(total.differences)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("run", "compare"))
    parser.add_argument("folders", nargs="*", type=Path, help="compare: the folders before and after")
    parser.add_argument("--out", type=Path, help="run: the folder to write")
    parser.add_argument("--data", type=Path, help="run: h5ad files of real cells; by default SC_ANNOTATE_DATA")
    parser.add_argument("--cases", nargs="*", help="run: only these")
    parser.add_argument("--most", type=int, default=40, help="compare: differences that are listed")
    args = parser.parse_args()
    np.seterr(all="ignore")
    if args.what == "run":
        data = args.data or (Path(os.environ["SC_ANNOTATE_DATA"]) if "SC_ANNOTATE_DATA" in os.environ else None)
        sys.exit(bool(run(args.out, data, args.cases)))
    sys.exit(bool(compare(*args.folders, args.most)))


if __name__ == "__main__":
    main()
