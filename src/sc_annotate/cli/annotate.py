"""``sc-annotate train`` and ``annotate``: from labelled cells, a model or marker genes to labels in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_annotate._store.h5ad_files import read_h5ad, write_h5ad, write_results
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate.cli import annotate_options as known
from sc_annotate.cli import list_methods, steps
from sc_annotate.cli.options import add, refuse_others, written
from sc_annotate.cli.output import say
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from anndata import AnnData

    from sc_annotate.cli.output import Outputs

BACKED = "read matrices block by block; they need not fit in memory"


def add_commands(commands: Any) -> None:
    """Add the commands to the parser."""
    train = commands.add_parser("train", help="fit a model on a labelled h5ad file")
    train.add_argument("reference", help="labelled cells (.h5ad)")
    train.add_argument("model", help="file to write (.safetensors)")
    add(train, (*known.LABELS, known.METHOD, *known.FIT))
    list_methods.add_param(train)
    add(train, (*known.FITTED_TRUST, *known.ALIGN, *known.COVERAGE), heading="confidence and prediction sets")
    add(train, (*known.MATRIX, *known.REPRESENTATION), heading="matrix of the reference")
    train.add_argument("--force", action="store_true", help="replace the model file if it exists")
    train.add_argument("--backed", action="store_true", help=BACKED)
    train.set_defaults(run=_train, options=(*known.OF_TRAIN, known.PARAM), inputs=("reference",))

    annotate = commands.add_parser(
        "annotate",
        help="annotate the cells of an h5ad file",
        usage="%(prog)s QUERY.h5ad OUTPUT.h5ad (--model FILE | --reference FILE | --markers FILE) [option ...]",
    )
    _cells(annotate)
    source = annotate.add_mutually_exclusive_group()
    source.add_argument("--model", help="a fitted model (.safetensors), its https address, or celltypist:NAME")
    source.add_argument("--reference", help="labelled cells (.h5ad); without it, the labelled cells of the query")
    source.add_argument("--markers", metavar="FILE", help="marker genes (CSV, GMT or JSON) instead of a reference")
    add(annotate, (*known.LABELS, known.METHODS, *known.FIT))
    list_methods.add_param(annotate)
    trust = (*known.FITTED_TRUST, *known.PREDICTED_TRUST, *known.ALIGN, *known.COVERAGE)
    add(annotate, trust, heading="confidence, prediction sets and status")
    add(annotate, (*known.MATRIX, *known.REPRESENTATION, *known.REFERENCE), heading="matrix")
    add(annotate, known.MARKERS, heading="with --markers")
    add(annotate, known.RESULT, heading="result")
    steps.add_steps(annotate, known.VOTE)
    options = (*known.OF_ANNOTATE, *known.MARKERS, *steps.ROLLUP, *steps.EVIDENCE, known.PARAM, known.LISTS)
    annotate.set_defaults(run=_annotate, options=options)


def _cells(parser: Any) -> None:
    parser.add_argument("query", help="cells to annotate (.h5ad)")
    parser.add_argument("output", help="file to write (.h5ad); never an input")
    parser.add_argument("--backed", action="store_true", help=BACKED)
    parser.add_argument("--force", action="store_true", help="replace the files to be written if they exist")


def _train(args: argparse.Namespace, outputs: Outputs) -> None:
    from sc_annotate import tl
    from sc_annotate._core import registry

    if not args.labels_key:
        raise InputError("--labels-key is missing: name the column of obs with the types.")
    path = outputs.file(args.model, ".safetensors", "a model file")
    if args.method and not registry.get("annotation", args.method).saves:
        raise InputError(f"a {args.method!r} model cannot be saved; `sc-annotate methods` lists those that can.")
    stated = known.arguments(args, known.OF_TRAIN)
    model = tl.fit_annotator(read_h5ad(args.reference, backed=args.backed), stated.pop("labels_key"), **stated)
    model.save(path, overwrite=args.force)
    say(model)
    outputs.wrote(args.model)


def _annotate(args: argparse.Namespace, outputs: Outputs) -> None:
    from sc_annotate import get

    output = outputs.file(args.output, ".h5ad", "the output")
    files = steps.check_files(args, outputs)
    key = args.key_added or DEFAULT_KEY
    adata = _labelled(args)
    steps.compute(adata, key, args, model=args.model)
    write(args, adata, key, output)
    outputs.wrote(args.output)
    matrix = written(args, (*known.MATRIX, *known.REPRESENTATION))
    steps.write_files(adata, key, files, outputs, matrix)
    say(get.report(adata, key))


def _labelled(args: argparse.Namespace) -> AnnData:
    from sc_annotate import tl

    every = (*known.OF_ANNOTATE, *known.MARKERS)
    if args.markers is not None:
        why = "has no meaning for marker lists (--markers)"
        refuse_others(args, every, (*known.OF_MARKERS, *known.VOTE), why=why)
        if args.param:
            raise InputError(f"--param: {why}. Leave it out.")
        adata = read_h5ad(args.query, backed=args.backed)
        tl.annotate_markers(adata, args.markers, **known.arguments(args, known.OF_MARKERS))
        if args.vote is not None:
            tl.vote(adata, args.vote, key=args.key_added or DEFAULT_KEY)
        return adata
    refuse_others(args, every, known.OF_ANNOTATE, why="says how marker lists are used, and there are none (--markers)")
    if args.model is None and args.reference is None and not args.labels_key:
        raise InputError(
            "there is nothing to learn from. Name a model (--model FILE), labelled cells (--reference FILE --labels-key COLUMN), "
            "marker lists (--markers FILE) or, where some cells of the query are labelled, their column (--labels-key COLUMN)."
        )
    stated = known.arguments(args, known.OF_ANNOTATE)
    adata = read_h5ad(args.query, backed=args.backed)
    reference = args.model if args.reference is None else read_h5ad(args.reference, backed=args.backed)
    tl.annotate(adata, reference, stated.pop("labels_key", None), **stated)
    return adata


def write(args: argparse.Namespace, adata: AnnData, key: str, output: Path) -> None:
    """Write the object, or a copy of its file with the result in it."""
    if args.backed:
        write_results(args.query, adata, key, output)
    else:
        write_h5ad(adata, output)
