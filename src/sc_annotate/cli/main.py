"""The command line ``sc-annotate``: ``demo | train | annotate | vote | rollup | evidence | plot | report | ...``."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sc_annotate import __version__
from sc_annotate._core.arguments import seed
from sc_annotate._core.files import one_line
from sc_annotate._core.settings import settings
from sc_annotate._store.h5ad_files import read_h5ad
from sc_annotate.cli import after, annotate, convert, list_methods, perturb
from sc_annotate.cli.options import spoken
from sc_annotate.cli.output import Outputs
from sc_annotate.errors import InputError, ScAnnotateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class _Terminated(BaseException):
    """The process was asked to end."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; bad input ends in one readable line and exit code 1."""
    args = _parser().parse_args(argv)
    settings.progress = sys.stderr.isatty()
    logging.basicConfig(level=logging.INFO if args.verbose else logging.WARNING, format="%(levelname)s: %(message)s")
    # Deprecation notices of other packages are of no use on a terminal.
    warnings.simplefilter("ignore", FutureWarning)
    command: Callable[[argparse.Namespace, Outputs], None] = args.run
    outputs = Outputs(getattr(args, "force", False))
    try:
        with _termination():
            command(args, outputs)
    except (ScAnnotateError, OSError) as error:
        print(f"sc-annotate {args.command}: {spoken(one_line(error), args.options)}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, _Terminated) as error:
        stopped = "interrupted" if isinstance(error, KeyboardInterrupt) else "terminated"
        left = f"written before: {', '.join(outputs.done)}" if outputs.done else "nothing was written"
        print(f"sc-annotate {args.command}: {stopped}; {left}", file=sys.stderr)
        return 130 if isinstance(error, KeyboardInterrupt) else 143
    return 0


@contextmanager
def _termination() -> Iterator[None]:
    """Let SIGTERM unwind what is being done, so that temporary files are deleted."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set signal handlers
        return

    def end(*_: Any) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sc-annotate", description="Annotate the cells of an AnnData (h5ad) file, or predict perturbations."
    )
    parser.add_argument("--version", action="version", version=f"sc-annotate {__version__}")
    parser.set_defaults(options=())
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
    inspect.set_defaults(run=_inspect)
    for command in commands.choices.values():
        command.add_argument("-v", "--verbose", action="store_true", help="say what is assumed and done")
    return parser


def _info(args: argparse.Namespace, _: Outputs) -> None:
    from sc_annotate import tl

    if args.model.endswith(".h5ad"):
        raise InputError(f"{args.model!r} is no model file; `sc-annotate inspect` says what an h5ad file holds.")
    print(tl.load(args.model))


def _inspect(args: argparse.Namespace, _: Outputs) -> None:
    from sc_annotate import pp

    adata = read_h5ad(args.file, backed=True)
    print(pp.inspect(adata, layer=args.layer, gene_symbols=args.gene_symbols))


def _demo(args: argparse.Namespace, _: Outputs) -> None:
    from sc_annotate.benchmark.demo import demo

    demo(Path(args.folder), rng=seed(args.seed, "--seed"))


if __name__ == "__main__":
    sys.exit(main())
