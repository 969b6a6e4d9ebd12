"""Methods on the command line: their parameters, and the list of them."""

from __future__ import annotations

import json
from textwrap import fill
from typing import TYPE_CHECKING, Any

from sc_annotate._core.registry import ENTRY_POINT_GROUPS
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from sc_annotate.cli.output import Outputs

_WORDS = {"true": True, "false": False, "none": None, "null": None}


def add(commands: Any) -> None:
    """Add the command ``methods`` to the parser."""
    methods = commands.add_parser("methods", help="list the methods")
    methods.add_argument("--task", choices=list(ENTRY_POINT_GROUPS), help="methods of one task (default: all)")
    methods.add_argument("--parameters", action="store_true", help="also what --param takes, with the defaults")
    methods.set_defaults(run=run)


def add_param(parser: Any) -> None:
    """Add ``--param`` to a command that fits a method."""
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="parameter of the method, see `sc-annotate methods --parameters`; may be repeated",
    )


def params_of(written: Sequence[str]) -> dict[str, Any]:
    """The values of ``--param``, as ``method_kwargs``.

    ``true``, ``false`` and ``none`` in any case, numbers and lists as in JSON are read as such; anything else, also in
    quotation marks, is a string.
    """
    out: dict[str, Any] = {}
    for text in written:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name.isidentifier():
            raise InputError(f"--param takes NAME=VALUE, such as --param n_components=5, not {text!r}.")
        if name in out:
            raise InputError(f"--param {name} occurs twice; leave one out.")
        out[name] = _value(value)
    return out


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def run(args: argparse.Namespace, _: Outputs) -> None:
    """Print the methods of one task, or of all."""
    from sc_annotate import tl

    tables = {task: tl.methods(task) for task in ([args.task] if args.task else ENTRY_POINT_GROUPS)}
    tables = {task: table for task, table in tables.items() if len(table) or args.task}
    width = max((len(str(name)) for table in tables.values() for name in table.index), default=0)
    for i, (task, table) in enumerate(tables.items()):
        if args.task is None:
            print(f"\n{task}:" if i else f"{task}:")
        if table.empty:
            print(f"no method for {task} is installed")
        for name, row in table.iterrows():
            # No perturbation predictor can be saved, so the note would distinguish none of them.
            saved = " (cannot be saved)" if task == "annotation" and not row["saves"] else ""
            print(f"{name!s:<{width}}  {row['summary']}{saved}")
            if args.parameters:
                indent = " " * (width + 2)
                # Missing for a package that cannot be imported.
                known = isinstance(row["parameters"], str)
                said = (row["parameters"] or "none") if known else "as its package says"
                print(fill(said, 110, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False))
