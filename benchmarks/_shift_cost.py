"""What annotating and fitting cost in two source trees: one process a tree, in turn, so that a busy spell hits both.

Run by trust_shift.py, and by itself for one tree: ``python _shift_cost.py CELLS STAGE`` prints seconds and megabytes.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import subprocess
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

from _shift_words import Bar, plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STAGES = ("annotate", "fit", "fit, batches")
MOST = {"annotate": 1.3, "fit": 1.5, "fit, batches": 1.5}
MOST_ALIGNED, MOST_MEMORY = 1.5, 1.1


def measured(call: Callable[[], Any], times: int) -> tuple[float, float]:
    """Lowest processor seconds and lowest megabytes of some calls; memory beyond what there was before."""
    from _speed_measure import extra_memory

    seconds, megabytes = [], []
    for _ in range(times):
        start = time.process_time()
        megabytes.append(extra_memory(call) / 1e6)
        seconds.append(time.process_time() - start)
    return min(seconds), min(megabytes)


def one_tree(n: int, stage: str) -> dict[str, tuple[float, float]]:
    from _speed_data import Tissue
    from _speed_memory import EASY, HARD

    import sc_annotate as sca

    sca.settings.progress = False
    logging.getLogger("sc_annotate").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    if stage == "annotate":
        tissue = Tissue(10, EASY)
        model = sca.tl.fit_annotator(tissue.counts(max(n // 10, 3000), 1), "cell_type")
        cells = tissue.counts(n, 0)
        out = {stage: measured(lambda: sca.tl.annotate(cells, model), 4)}
        if "align" in {field.name for field in dataclasses.fields(sca.trust.Options)}:
            options = sca.trust.Options(align="shift")
            out["annotate, aligned"] = measured(lambda: sca.tl.annotate(cells, model, trust=options), 4)
        return out
    tissue = Tissue(10, HARD[10])
    cells = tissue.counts(n, 0)
    cells.obs["batch"] = [f"batch {i % 4}" for i in range(n)]
    sca.tl.fit_annotator(cells[:2000].copy(), "cell_type")  # loads packages and compiles
    batch_key = "batch" if stage == "fit, batches" else None
    return {stage: measured(lambda: sca.tl.fit_annotator(cells, "cell_type", batch_key=batch_key), 1)}


def run(tree: Path, n: int, stage: str) -> dict[str, tuple[float, float]]:
    env = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__, str(n), stage], env=env, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def cost(before: Path, after: Path, n: int, rounds: int, stages: tuple[str, ...] = STAGES) -> str:
    """Table and requirements: the lowest of all rounds of each tree."""
    table, bars = [], []
    for stage in stages:
        found: dict[str, list[dict[str, tuple[float, float]]]] = {"before": [], "after": []}
        for _ in range(rounds):
            for name, tree in (("before", before), ("after", after)):
                found[name].append(run(tree, n, stage))
        old = min(x[stage][0] for x in found["before"]), min(x[stage][1] for x in found["before"])
        for call in found["after"][0]:
            new = min(x[call][0] for x in found["after"]), min(x[call][1] for x in found["after"])
            seconds, memory = new[0] / old[0], new[1] / old[1]
            table.append(
                [call, *(f"{x:.1f}" for x in (old[0], new[0], old[1], new[1])), f"{seconds:.2f}", f"{memory:.2f}"]
            )
            most = MOST.get(call, MOST_ALIGNED)
            bars.append(Bar(f"{call}: at most {most} times the time", seconds <= most, f"{seconds:.2f}"))
            bars.append(Bar(f"{call}: memory as before", memory <= MOST_MEMORY, f"{memory:.2f} times"))
    head = "call|before: CPU s|after|before: MB|after|time, ratio|memory, ratio"
    return "\n".join([f"== cost, {n:,} cells", plain(head, table), *map(str, bars)])


if __name__ == "__main__":
    print(json.dumps(one_tree(int(sys.argv[1]), sys.argv[2])))
