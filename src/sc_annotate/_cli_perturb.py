"""``sc-annotate perturb``: predict perturbations from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sc_annotate._core.files import read_h5ad, write_h5ad
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the command to the parser."""
    perturb = commands.add_parser(
        "perturb", help="predict what perturbations do, and score it against simple baselines"
    )
    perturb.add_argument("screen", help="cells of a perturbation screen, or profiles of its conditions (.h5ad)")
    perturb.add_argument(
        "--predict",
        action="append",
        metavar="CONDITION",
        help="gene, or A+B; may be given several times (default: all measured)",
    )
    perturb.add_argument("--output", help="file to write (.h5ad): conditions x genes; never the screen itself")
    perturb.add_argument("--perturbation-key", default="perturbation", help="column of obs (default: %(default)s)")
    perturb.add_argument("--control", default="control", help="name of unperturbed cells (default: %(default)s)")
    perturb.add_argument("--method", help="a perturbation method; by default the baseline")
    perturb.add_argument("--baseline", default="linear", help="(default: %(default)s)")
    perturb.add_argument("--replicate-key", help="column of obs: controls are matched by it")
    perturb.add_argument("--total-counts-key", help="column of obs with the cells' total counts")
    perturb.add_argument("--layer", help="layer with the values")
    perturb.add_argument(
        "--min-cells", type=int, default=10, help="leave out smaller conditions (default: %(default)s)"
    )
    perturb.add_argument(
        "--no-scores", action="store_true", help="hold nothing out: faster, without scores and intervals"
    )
    perturb.add_argument("--scores", help="table to write (.csv): every method on held-out conditions")
    perturb.add_argument("--seed", type=int, default=0)
    perturb.add_argument("--force", action="store_true", help="replace the output file if it exists")
    perturb.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Predict, print what was found, write it where asked."""
    from sc_annotate import get, tl

    output = None if args.output is None else Path(args.output)
    if output is not None:
        _check_output(output, Path(args.screen), force=args.force)
    adata = read_h5ad(args.screen)
    tl.predict_perturbation(
        adata,
        args.perturbation_key,
        args.control,
        conditions=args.predict,
        method=args.method,
        baseline=args.baseline,
        evaluate=not args.no_scores,
        replicate_key=args.replicate_key,
        layer=args.layer,
        total_counts_key=args.total_counts_key,
        min_cells=args.min_cells,
        key_added="sc_annotate_perturb",
        rng=args.seed,
    )
    found = get.perturbation(adata, "sc_annotate_perturb")
    for name, reason in zip(found.obs_names, found.obs["reason"], strict=True):
        if reason:
            print(f"{name}: not predicted; {reason}")
            continue
        delta = found[name].layers["delta"][0]
        top = abs(delta).argsort()[::-1][:5]
        print(f"{name}: " + ", ".join(f"{found.var_names[i]} {delta[i]:+.2f}" for i in top))
    if found.uns["verdict"]:
        print(found.uns["verdict"])
    if args.scores is not None:
        get.leaderboard(adata, "sc_annotate_perturb").to_csv(args.scores, index=False)
        print(f"written to {args.scores}")
    if output is not None:
        write_h5ad(found, output)
        print(f"written to {output}")


def _check_output(output: Path, screen: Path, *, force: bool) -> None:
    if output.suffix != ".h5ad":
        raise InputError(f"the output is an .h5ad file, not {str(output)!r}.")
    if output.is_dir() or not output.parent.is_dir():
        raise InputError(f"{str(output)!r} is a folder, or in a folder that does not exist; name a file.")
    if output.exists() and screen.exists() and output.samefile(screen):
        raise InputError(f"the output {str(output)!r} is the screen; choose another name.")
    if output.exists() and not force:
        raise InputError(f"{str(output)!r} exists already; choose another name, or pass --force to replace it.")
