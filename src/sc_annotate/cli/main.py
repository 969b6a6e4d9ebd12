"""The command line: ``sc-annotate demo | train | annotate | convert | perturb | info | methods | inspect``."""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sc_annotate import __version__
from sc_annotate._core.arguments import seed
from sc_annotate._core.files import one_line
from sc_annotate._core.settings import settings
from sc_annotate._store.h5ad_files import read_h5ad, write_h5ad, write_results
from sc_annotate.cli import convert, list_methods, perturb
from sc_annotate.errors import InputError, ScAnnotateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; bad input ends in one readable line and exit code 1."""
    args = _parser().parse_args(argv)
    settings.progress = sys.stderr.isatty()
    logging.basicConfig(level=logging.INFO if args.verbose else logging.WARNING, format="%(levelname)s: %(message)s")
    # Deprecation notices of other packages are of no use on a terminal.
    warnings.simplefilter("ignore", FutureWarning)
    command: Callable[[argparse.Namespace], None] = args.run
    try:
        command(args)
    except (ScAnnotateError, OSError) as error:
        print(f"sc-annotate {args.command}: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"sc-annotate {args.command}: interrupted; nothing was written", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sc-annotate", description="Annotate the cells of an AnnData (h5ad) file, or predict perturbations."
    )
    parser.add_argument("--version", action="version", version=f"sc-annotate {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="annotate real PBMCs and score the labels against held-out truth")
    demo.add_argument("--folder", default="sc_annotate_demo", help="where the results go (default: %(default)s)")
    demo.add_argument("--seed", type=int, default=0)
    demo.set_defaults(run=_demo)

    train = commands.add_parser("train", help="fit a model on a labelled h5ad file")
    train.add_argument("reference", help="labelled cells (.h5ad)")
    train.add_argument("model", help="file to write (.safetensors)")
    _training_options(train, required=True)
    train.add_argument("--force", action="store_true", help="replace the model file if it exists")
    train.add_argument("--layer", help="layer of the reference")
    train.add_argument(
        "--backed", action="store_true", help="read the matrix block by block; it need not fit in memory"
    )
    train.set_defaults(run=_train)

    annotate = commands.add_parser("annotate", help="annotate the cells of an h5ad file")
    annotate.add_argument("query", help="cells to annotate (.h5ad)")
    annotate.add_argument("output", help="file to write (.h5ad); never the query itself")
    source = annotate.add_mutually_exclusive_group()
    source.add_argument("--model", help="a fitted model (.safetensors), its https address, or celltypist:NAME")
    source.add_argument("--reference", help="labelled cells (.h5ad)")
    _training_options(annotate, required=False)
    annotate.add_argument("--layer", help="layer of the query")
    annotate.add_argument("--reference-layer", help="layer of the reference")
    annotate.add_argument(
        "--backed", action="store_true", help="read matrices block by block; they need not fit in memory"
    )
    annotate.add_argument("--key-added", default="annotation", help="name of the result (default: %(default)s)")
    annotate.add_argument("--force", action="store_true", help="replace the output file if it exists")
    annotate.set_defaults(run=_annotate)

    convert.add(commands)
    perturb.add(commands)

    info = commands.add_parser("info", help="show the card of a model file")
    info.add_argument("model", help="a fitted model (.safetensors), its https address, or celltypist:NAME")
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


def _training_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--labels-key",
        action="append",
        required=required,
        help="column of obs with the types; repeat it for each finer level, coarse to fine",
    )
    parser.add_argument("--batch-key", help="column of obs with batches or donors")
    parser.add_argument("--method", help="see `sc-annotate methods` (default: logreg)")
    list_methods.add_param(parser)
    parser.add_argument("--n-top-genes", type=int, help="variable genes used (default: 2,000)")
    parser.add_argument("--min-cells", type=int, help="leave out types with fewer cells (default: 2)")
    parser.add_argument("--max-cells", type=int, help="reference cells to learn from (default: 30,000; 0: all)")
    parser.add_argument("--cv", type=int, help="1: one hold-out (default); k: k folds; 0: no scores")
    parser.add_argument("--gene-symbols", help="column of var with other gene names")
    parser.add_argument("--seed", type=int, help="(default: 0)")


def _labels_key(args: argparse.Namespace) -> Any:
    """One name, several, or None."""
    keys = args.labels_key
    return keys[0] if keys and len(keys) == 1 else keys


def _written(args: argparse.Namespace) -> dict[str, Any]:
    """The options that were written, as arguments; those that mean nothing to the call are refused by it, by name."""
    names = {"rng": "seed"} | {
        name: name for name in ("method", "batch_key", "n_top_genes", "min_cells", "cv", "layer", "gene_symbols")
    }
    out = {name: getattr(args, option) for name, option in names.items() if getattr(args, option) is not None}
    if args.param:
        out["method_kwargs"] = list_methods.params_of(args.param)
    if args.max_cells is not None:
        out["max_cells"] = args.max_cells or None
    return out


def _train(args: argparse.Namespace) -> None:
    from sc_annotate import tl
    from sc_annotate._core import registry

    if not args.model.endswith(".safetensors"):
        raise InputError(f"a model file ends in .safetensors, not {args.model!r}.")
    if Path(args.model).exists() and not args.force:
        raise InputError(f"{args.model!r} exists already; choose another name, or pass --force to replace it.")
    if args.method and not registry.get("annotation", args.method).saves:
        raise InputError(f"a {args.method!r} model cannot be saved; `sc-annotate methods` lists those that can.")
    model = tl.fit_annotator(read_h5ad(args.reference, backed=args.backed), _labels_key(args), **_written(args))
    model.save(args.model, overwrite=args.force)
    print(model)
    print(f"written to {args.model}")


def _annotate(args: argparse.Namespace) -> None:
    from sc_annotate import get, tl

    output = Path(args.output)
    if output.suffix != ".h5ad":
        raise InputError(f"the output is an .h5ad file, not {args.output!r}.")
    if output.is_dir():
        raise InputError(f"the output {args.output!r} is a folder; name a file in it.")
    if output.exists() and any(output.samefile(p) for p in (args.query, args.reference) if p and Path(p).exists()):
        raise InputError(f"the output {args.output!r} is an input; choose another name.")
    if output.exists() and not args.force:
        raise InputError(f"{args.output!r} exists already; choose another name, or pass --force to replace it.")
    if not output.parent.is_dir():
        raise InputError(f"the folder {str(output.parent)!r} does not exist; make it first.")
    adata = read_h5ad(args.query, backed=args.backed)
    reference = args.model if args.model else read_h5ad(args.reference, backed=args.backed) if args.reference else None
    more = {} if args.reference_layer is None else {"reference_layer": args.reference_layer}
    tl.annotate(adata, reference, _labels_key(args), key_added=args.key_added, **more, **_written(args))
    if args.backed:
        write_results(args.query, adata, args.key_added, output)
    else:
        write_h5ad(adata, output)
    print(get.report(adata, args.key_added))
    print(f"written to {args.output}")


def _info(args: argparse.Namespace) -> None:
    from sc_annotate import tl

    if args.model.endswith(".h5ad"):
        raise InputError(f"{args.model!r} is no model file; `sc-annotate inspect` says what an h5ad file holds.")
    print(tl.load(args.model))


def _inspect(args: argparse.Namespace) -> None:
    from sc_annotate import pp

    adata = read_h5ad(args.file, backed=True)
    print(pp.inspect(adata, layer=args.layer, gene_symbols=args.gene_symbols))


def _demo(args: argparse.Namespace) -> None:
    from sc_annotate.benchmark.demo import demo

    demo(Path(args.folder), rng=seed(args.seed, "--seed"))


if __name__ == "__main__":
    sys.exit(main())
