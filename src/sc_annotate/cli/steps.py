"""What can be done with an annotated object: vote, roll up, find the evidence, draw, tabulate.

``annotate`` does these after labelling the cells, the commands of these names with a file that was annotated before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sc_annotate.cli import pictures
from sc_annotate.cli.options import Option, add, value, written
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

    from sc_annotate.cli.output import Outputs

VOTE = (
    Option("--min-share", "min_share", "smallest share of the winner of a cluster (default: 0)", float, more=value("SHARE")),
    Option("--guard", "guard", "share that keeps a type without a cluster (default: 0.5)", float, more=value("SHARE")),
    Option("--min-confidence", "min_confidence", "of a protected type's cells (default: 0.5)", float, more=value("SHARE")),
)  # fmt: skip
ROLLUP = (
    Option(
        "--ontology", "ontology", "OBO file (default: levels, else the installed Cell Ontology)", more=value("FILE")
    ),
    Option("--override", "overrides", "ontology id of a label; may be repeated", many=True, more=value("LABEL=ID")),
)
EVIDENCE = (
    Option("--n-genes", "n_genes", "genes in each direction (default: 10)", int, more=value("N")),
    Option("--evidence-groupby", "groupby", "column of obs: evidence by label and group", more=value("COLUMN")),
    Option(
        "--saliency", "saliency", "kind of evidence, of networks (default: the most faithful one)", more=value("NAME")
    ),
)


@dataclass(frozen=True)
class Files:
    """Paths of the other files to write; None for those that were not requested."""

    table: Path | None
    evidence: Path | None
    figures: Path | None


def add_steps(parser: Any, first: Sequence[Option]) -> None:
    """Options of what follows the labels; `first` are those of the function itself."""
    group = parser.add_argument_group("after labelling")
    add(group, first)
    group.add_argument("--rollup", action="store_true", help="broader labels where the type is uncertain")
    add(group, ROLLUP)
    add_files(group)


def add_files(group: Any) -> None:
    """Options of files beside the h5ad file."""
    group.add_argument("--evidence", metavar="FILE.csv", help="table to write: the genes for and against the labels")
    add(group, EVIDENCE)
    group.add_argument("--table", metavar="FILE.csv", help="table to write: label, confidence and status of each cell")
    group.add_argument("--figures", metavar="FOLDER", help="folder to write pictures to (PNG)")


def check_files(args: argparse.Namespace, outputs: Outputs) -> Files:
    """Refuse files that cannot be written, and options without what they belong to."""
    if args.evidence is None and written(args, EVIDENCE):
        raise InputError(
            "--n-genes, --evidence-groupby and --saliency say what is in --evidence FILE.csv; name that too."
        )
    if not getattr(args, "rollup", True) and written(args, ROLLUP):
        raise InputError("--ontology and --override say how to roll up; pass --rollup too.")
    rollup_arguments(args, ROLLUP)
    return Files(
        None if args.table is None else outputs.file(args.table, ".csv", "the table"),
        None if args.evidence is None else outputs.file(args.evidence, ".csv", "the table of evidence"),
        None if args.figures is None else outputs.folder(args.figures, pictures.names()),
    )


def rollup_arguments(args: argparse.Namespace, options: Sequence[Option]) -> dict[str, Any]:
    """The options of a roll-up that were written, as the function takes them."""
    stated = written(args, options)
    if "overrides" in stated:
        pairs = [text.partition("=") for text in stated["overrides"]]
        if any(not equals for _, equals, _ in pairs):
            raise InputError("--override takes LABEL=ID, such as --override 'T reg=CL:0000815'.")
        names = [label.strip() for label, _, _ in pairs]
        if twice := [name for i, name in enumerate(names) if name in names[:i]]:
            raise InputError(f"--override {twice[0]!r} occurs twice; leave one out.")
        stated["overrides"] = {label.strip(): term.strip() for label, _, term in pairs}
    return stated


def compute(adata: AnnData, key: str, args: argparse.Namespace, *, model: str | None = None) -> None:
    """Roll up and find the evidence, as requested."""
    from sc_annotate import tl

    if getattr(args, "rollup", False):
        tl.rollup(adata, key, **rollup_arguments(args, ROLLUP))
    if args.evidence is not None:
        tl.evidence(adata, key, model=model, **written(args, EVIDENCE))


def of_cells(adata: AnnData, key: str) -> pd.DataFrame:
    """Label, confidence and status of each cell; a file's first column has a name too."""
    from sc_annotate import get

    table = get.annotation(adata, key)
    name = table.index.name
    return table.rename_axis(index=name if isinstance(name, str) and name and name not in table else "cell")


def write_files(adata: AnnData, key: str, files: Files, outputs: Outputs, matrix: dict[str, Any] | None = None) -> None:
    """Write the tables and pictures."""
    from sc_annotate import get

    if files.table is not None:
        outputs.table(files.table, of_cells(adata, key), index=True)
    if files.evidence is not None:
        outputs.table(files.evidence, get.evidence(adata, key), index=False)
    if files.figures is not None:
        pictures.draw(adata, key, files.figures, outputs, matrix)
