"""The command line ``sc-annotate``: ``demo | train | annotate | vote | rollup | evidence | plot | report | ...``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sc_annotate import __version__
from sc_annotate._core.arguments import seed
from sc_annotate._core.settings import settings
from sc_annotate._store.h5ad_files import read_h5ad
from sc_annotate.cli import after, annotate, convert, list_methods, perturb
from sc_annotate.cli import annotate_options as known
from sc_annotate.cli.endings import PlainFormatter, run
from sc_annotate.cli.output import Outputs, say
from sc_annotate.cli.parser import Parser
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

INPUTS = ("query", "reference", "model", "markers", "ontology", "annotated", "source", "screen", "file")
"""Arguments that are files to read, of commands that do not say otherwise."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; bad input ends in one readable line and an exit code, see docs/cli.md."""
    args, unknown = _parser().parse_known_args(argv)
    if unknown:
        args.parser.unknown(unknown)
    settings.progress = sys.stderr.isatty()
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if args.verbose else logging.WARNING, handlers=[handler])
    outputs = Outputs(getattr(args, "force", False), _inputs(args))
    return run(args, outputs)


def _inputs(args: argparse.Namespace) -> tuple[str, ...]:
    """Names of files that a command reads, which nothing may be written to."""
    named = [getattr(args, name, None) for name in args.inputs]
    # A parameter may be a file too.
    named += [text.partition("=")[2].strip() for text in getattr(args, "param", ())]
    return tuple(text for text in named if text)


def _parser() -> Parser:
    parser = Parser(
        prog="sc-annotate", description="Annotate the cells of an AnnData (h5ad) file, or predict perturbations."
    )
    parser.add_argument("--version", action="version", version=f"sc-annotate {__version__}")
    parser.set_defaults(options=(), inputs=INPUTS)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="annotate real PBMCs and score the labels against held-out truth")
    demo.add_argument("--folder", default="sc_annotate_demo", help="where the results go (default: %(default)s)")
    demo.add_argument("--seed", type=int, default=0)
    demo.set_defaults(run=_demo)

    annotate.add_commands(commands)
    after.add_commands(commands)
    convert.add(commands)
    perturb.add(commands)

    info = commands.add_parser("info", help="show the card of a model file")
    info.add_argument("model", help="a fitted model (.safetensors), or its https address")
    info.set_defaults(run=_info)

    list_methods.add(commands)

    inspect = commands.add_parser("inspect", help="report on the values and genes of an h5ad file")
    inspect.add_argument("file", help="any .h5ad file; only a sample of it is read")
    inspect.add_argument("--layer", help="layer to look at instead of X")
    inspect.add_argument("--gene-symbols", help="column of var with other gene names")
    inspect.set_defaults(run=_inspect, options=(known.MATRIX[0], known.MATRIX[2]))
    for command in commands.choices.values():
        command.add_argument("-v", "--verbose", action="store_true", help="say what is assumed and done")
        command.set_defaults(parser=command)
    return parser


def _info(args: argparse.Namespace, _: Outputs) -> None:
    from sc_annotate import tl

    if args.model.endswith(".h5ad"):
        raise InputError(f"{args.model!r} is no model file; `sc-annotate inspect` says what an h5ad file holds.")
    say(tl.load(args.model))


def _inspect(args: argparse.Namespace, _: Outputs) -> None:
    from sc_annotate import pp

    adata = read_h5ad(args.file, backed=True)
    say(pp.inspect(adata, layer=args.layer, gene_symbols=args.gene_symbols))


def _demo(args: argparse.Namespace, _: Outputs) -> None:
    from sc_annotate.benchmark.demo import demo

    demo(Path(args.folder), rng=seed(args.seed, "--seed"))


if __name__ == "__main__":
    sys.exit(main())
