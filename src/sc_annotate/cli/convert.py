"""``sc-annotate convert``: a model of CellTypist as a model file of ours."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from sc_annotate.cli.output import say
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import argparse

    from sc_annotate.cli.output import Outputs


def add(commands: Any) -> None:
    """Add the command to the parser."""
    convert = commands.add_parser("convert", help="make a model file from a CellTypist model (.pkl)")
    convert.add_argument("source", help="a CellTypist model (.pkl)")
    convert.add_argument("model", help="file to write (.safetensors)")
    convert.add_argument(
        "--trust-pickle",
        action="store_true",
        help="read the pickle: nothing in it is run, and what does not belong in a CellTypist model is refused",
    )
    convert.add_argument("--force", action="store_true", help="replace the model file if it exists")
    convert.set_defaults(run=_convert, inputs=("source",))


def _convert(args: argparse.Namespace, outputs: Outputs) -> None:
    from sc_annotate import tl

    path = outputs.file(args.model, ".safetensors", "a model file")
    if not args.trust_pickle:
        raise InputError(
            f"models of CellTypist are pickles, which are read only if you say so: pass --trust-pickle if you trust the source "
            f"of {args.source!r}. Nothing in it is run."
        )
    with warnings.catch_warnings():
        # The card repeats it.
        warnings.simplefilter("ignore", UserWarning)
        model = tl.convert_celltypist(args.source, trust_pickle=True)
    model.save(path, overwrite=args.force)
    say(model)
    outputs.wrote(args.model)
