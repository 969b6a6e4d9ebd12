"""What confidence, prediction sets and statuses are worth on cells from another batch, in shallow cells and of new types.

Run by hand. To compare two source trees, run each of them and name the rows of the first::

    PYTHONPATH=OLD/src python benchmarks/trust_shift.py --data FOLDER --json before.json
    PYTHONPATH=NEW/src python benchmarks/trust_shift.py --data FOLDER --json after.json --against before.json
    python benchmarks/trust_shift.py --cost OLD/src NEW/src

``--json`` keeps rows of other parts, data sets and batches that the file has already, so that a run may be done in pieces;
``--show`` prints them again. The requirements that are printed are those of the project.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

from _shift_bars import text
from _shift_cells import PARTS, How, data_of, rows
from _shift_cost import STAGES, cost
from _shift_data import LEAST, LEAST_OF_ALL
from _shift_page import page, some_tables

import sc_annotate as sca


def merged(old: list[dict[str, Any]], new: list[dict[str, Any]], done: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """All rows, those of pieces that were run again replaced."""
    return [row for row in old if (row["part"], row.get("asked", row["data"])) not in done] + new


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    folder = os.environ.get("SC_ANNOTATE_DATA")
    parser.add_argument("--data", type=Path, default=folder, help="folder of h5ad files; by default SC_ANNOTATE_DATA")
    parser.add_argument("--part", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--only", nargs="*", help="these data sets")
    parser.add_argument("--batch", help="leave out this batch alone")
    parser.add_argument("--method", default="logreg")
    parser.add_argument("--draws", type=int, default=3, help="of skewed queries and simulated trees")
    parser.add_argument("--thinnings", type=int, default=10)
    parser.add_argument("--json", type=Path, help="where to keep the rows")
    parser.add_argument("--against", type=Path, help="rows of another tree")
    parser.add_argument(
        "--write", type=Path, help="the page to write, docs/benchmarks_shift.md, from rows of all parts"
    )
    parser.add_argument("--tables", action="store_true", help="print the page's tables, without requirements")
    parser.add_argument("--cost", nargs=2, type=Path, metavar="SRC", help="compare these two source trees' costs alone")
    parser.add_argument("--cells", type=int, default=100_000, help="for --cost")
    parser.add_argument("--rounds", type=int, default=2, help="for --cost")
    parser.add_argument("--stage", nargs="*", choices=STAGES, default=STAGES, help="for --cost")
    parser.add_argument("--show", action="store_true", help="run nothing, print what --json has")
    args = parser.parse_args()
    if args.cost:
        print(cost(*args.cost, args.cells, args.rounds, tuple(args.stage)))
        return
    sca.settings.progress = False
    logging.getLogger("sc_annotate").setLevel(logging.ERROR)
    how = How(args.data, args.method, args.draws, args.thinnings, args.batch)
    kept = json.loads(args.json.read_text(encoding="utf-8")) if args.json and args.json.exists() else []
    for part in [] if args.show else args.part:
        for data in data_of(part):
            if args.only and data not in args.only:
                continue
            start = time.process_time()
            new = [row | {"asked": data} for row in rows(part, data, how)]
            kept = merged(kept, new, {(part, data)})
            took = time.process_time() - start
            print(f"{part}, {data}: {len(new)} rows, {took:.0f} CPU s", file=sys.stderr, flush=True)
            if args.json:
                args.json.write_text(json.dumps(kept), encoding="utf-8")
    before = json.loads(args.against.read_text(encoding="utf-8")) if args.against else []
    print(some_tables(kept, before) if args.tables else text(kept, before))
    if args.write:
        numbers = {"least": LEAST_OF_ALL, "removed_least": LEAST, "thinnings": args.thinnings, "draws": args.draws}
        args.write.write_text(page(kept, before, **numbers), encoding="utf-8")


if __name__ == "__main__":
    main()
