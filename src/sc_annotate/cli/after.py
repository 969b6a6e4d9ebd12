"""``sc-annotate vote``, ``rollup``, ``evidence``, ``plot`` and ``report``: more of a file that was annotated before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_annotate._store.h5ad_files import read_h5ad, write_h5ad
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate.cli import pictures, steps
from sc_annotate.cli.options import Option, add, choice, value, written
from sc_annotate.cli.output import say

if TYPE_CHECKING:
    import argparse

    from sc_annotate.cli.output import Outputs

KEY = (Option("--key", "key", "name of the result (default: annotation)", more=value("NAME")),)
ROLLUP = (
    *steps.ROLLUP,
    Option("--coverage", "coverage", "least probability of the broader label (default: 0.9)", float, more=value("SHARE")),
    Option("--by", "by", "summed probability, or the prediction set", more=choice("probability", "set")),
)  # fmt: skip
VOTE = (Option("--groupby", "groupby", "column of obs with clusters", more={"metavar": "COLUMN", "required": True}),)
EVIDENCE = (
    Option(
        "--model", "model", "the model that labelled the cells, for methods that are not linear", more=value("FILE")
    ),
    Option("--groupby", "groupby", "column of obs: evidence by label and group", more=value("COLUMN")),
    steps.EVIDENCE[0],
    Option("--max-cells", "max_cells", "cells of each type that are used", int, more=value("N")),
    steps.EVIDENCE[2],
    Option("--seed", "rng", "(default: 0)", int, more=value("N")),
)


def add_commands(commands: Any) -> None:
    """Add the commands to the parser."""
    vote = _command(commands, "vote", "one label for each cluster", _vote, (*VOTE, *steps.VOTE, *KEY))
    rollup = _command(commands, "rollup", "broader labels where the type is uncertain", _rollup, (*ROLLUP, *KEY))
    for each in (vote, rollup):
        each.add_argument("output", help="file to write (.h5ad); never the input")
    evidence = _command(commands, "evidence", "the genes for and against each label", _evidence, (*EVIDENCE, *KEY))
    evidence.add_argument("table", help="table to write (.csv)")
    plot = _command(commands, "plot", "draw the pictures of a result", _plot, KEY)
    plot.add_argument("figures", help="folder to write them to (PNG)")
    report = _command(commands, "report", "summarise a result", _report, KEY)
    report.add_argument("--table", metavar="FILE.csv", help="table to write: label, confidence and status of each cell")
    report.add_argument("--html", metavar="FILE.html", help="the report as a page")


def _command(commands: Any, name: str, help_text: str, run: Any, options: tuple[Option, ...]) -> Any:
    parser = commands.add_parser(name, help=f"{help_text}, of an annotated h5ad file")
    parser.add_argument("annotated", help="cells that were annotated (.h5ad)")
    add(parser, options)
    parser.add_argument("--force", action="store_true", help="replace the files to be written if they exist")
    parser.set_defaults(run=run, options=options)
    return parser


def _vote(args: argparse.Namespace, outputs: Outputs) -> None:
    from sc_annotate import tl

    output = outputs.file(args.output, ".h5ad", "the output")
    adata = read_h5ad(args.annotated)
    tl.vote(adata, **written(args, (*VOTE, *steps.VOTE, *KEY)))
    write_h5ad(adata, output)
    outputs.wrote(args.output)


def _rollup(args: argparse.Namespace, outputs: Outputs) -> None:
    from sc_annotate import tl

    output = outputs.file(args.output, ".h5ad", "the output")
    stated = steps.rollup_arguments(args, (*ROLLUP, *KEY))
    adata = read_h5ad(args.annotated)
    tl.rollup(adata, **stated)
    write_h5ad(adata, output)
    outputs.wrote(args.output)


def _evidence(args: argparse.Namespace, outputs: Outputs) -> None:
    from sc_annotate import get, tl

    table = outputs.file(args.table, ".csv", "the table of evidence")
    adata, key = read_h5ad(args.annotated), args.key or DEFAULT_KEY
    tl.evidence(adata, key, **written(args, EVIDENCE))
    outputs.table(table, get.evidence(adata, key), index=False)


def _plot(args: argparse.Namespace, outputs: Outputs) -> None:
    from sc_annotate import get

    folder = outputs.folder(args.figures, pictures.names())
    adata, key = read_h5ad(args.annotated), args.key or DEFAULT_KEY
    get.annotation(adata, key)
    pictures.draw(adata, key, folder, outputs)


def _report(args: argparse.Namespace, outputs: Outputs) -> None:
    from sc_annotate import get

    table = None if args.table is None else outputs.file(args.table, ".csv", "the table")
    page = None if args.html is None else outputs.file(args.html, ".html", "the page")
    adata, key = read_h5ad(args.annotated, backed=True), args.key or DEFAULT_KEY
    found = get.report(adata, key)
    say(found)
    if table is not None:
        outputs.table(table, steps.of_cells(adata, key), index=True)
    if page is not None:
        head = "<!DOCTYPE html><html><head><meta charset='utf-8'><meta name='color-scheme' content='light dark'>"
        outputs.text(page, f"{head}<title>sc-annotate</title></head><body>{found._repr_html_()}</body></html>\n")
