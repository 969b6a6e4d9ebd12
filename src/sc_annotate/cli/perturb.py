"""``sc-annotate perturb``: predict perturbations from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import refuse
from sc_annotate._store.h5ad_files import read_h5ad, write_h5ad
from sc_annotate.cli import list_methods
from sc_annotate.cli.options import Option
from sc_annotate.cli.output import say
from sc_annotate.errors import InputError

AVERAGING = ("perturbation_key", "control", "replicate_key", "layer", "total_counts_key", "min_cells")
"""Options on how cells are averaged."""
_OPTIONS = tuple(
    Option(f"--{flag}", argument, "")
    for flag, argument in [
        *((name.replace("_", "-"), name) for name in (*AVERAGING, "method", "baseline")),
        *(("seed", "rng"), ("predict", "conditions"), ("param", "method_kwargs"), ("no-scores", "evaluate")),
    ]
)
"""What the arguments of the function are called here."""

if TYPE_CHECKING:
    import argparse

    from anndata import AnnData

    from sc_annotate.cli.output import Outputs


def add(commands: Any) -> None:
    """Add the command to the parser."""
    perturb = commands.add_parser(
        "perturb", help="predict what perturbations do, and score it against simple baselines"
    )
    perturb.add_argument(
        "screen", help="cells of a perturbation screen, profiles of its conditions, or log fold changes (.h5ad)"
    )
    perturb.add_argument(
        "--predict",
        action="append",
        metavar="CONDITION",
        help="gene, or A+B; may be given several times (default: all measured)",
    )
    perturb.add_argument("--output", help="file to write (.h5ad): conditions x genes; never the screen itself")
    perturb.add_argument("--perturbation-key", help="column of obs (default: perturbation)")
    perturb.add_argument("--control", help="name of unperturbed cells (default: control)")
    perturb.add_argument("--method", help="a perturbation method; by default the baseline")
    list_methods.add_param(perturb)
    perturb.add_argument(
        "--lfc", action="store_true", help="the file holds log fold changes to control, one row a condition"
    )
    perturb.add_argument("--baseline", help="simple method to compare with (default: linear)")
    perturb.add_argument("--replicate-key", help="column of obs: controls are matched by it")
    perturb.add_argument("--total-counts-key", help="column of obs with the cells' total counts")
    perturb.add_argument("--layer", help="layer with the values")
    perturb.add_argument("--min-cells", type=int, help="leave out smaller conditions (default: 10)")
    perturb.add_argument(
        "--no-scores", action="store_true", help="hold nothing out: faster, without scores and intervals"
    )
    perturb.add_argument("--scores", help="table to write (.csv): every method on held-out conditions")
    perturb.add_argument("--seed", type=int, default=0)
    perturb.add_argument("--force", action="store_true", help="replace the output file if it exists")
    perturb.set_defaults(run=run, options=_OPTIONS)


def run(args: argparse.Namespace, outputs: Outputs) -> None:
    """Predict, print what was found, write it to the files that were named."""
    from sc_annotate import get, tl

    output = None if args.output is None else outputs.file(args.output, ".h5ad", "the output")
    if args.scores is not None and args.no_scores:
        raise InputError("--scores names a file for scores, and --no-scores makes none; leave out one of them.")
    scores = None if args.scores is None else outputs.file(args.scores, ".csv", "the table of scores")
    if args.lfc:
        refuse(
            _written(args, tuple(name for name in AVERAGING if name not in ("perturbation_key", "layer"))),
            why="log fold changes (--lfc) are not averaged over cells",
        )
    adata = _screen(args.screen, args)
    kwargs = list_methods.params_of(args.param)
    # Another screen is a file here: profiles, or what they are made of, as of the screen itself.
    kwargs |= {name: _profiles(value, args) for name, value in kwargs.items() if str(value).endswith(".h5ad")}
    tl.predict_perturbation(
        adata,
        conditions=args.predict,
        method=args.method,
        method_kwargs=kwargs or None,
        evaluate=not args.no_scores,
        **_written(args, ("baseline",)),
        **({} if args.lfc else _written(args, AVERAGING)),
        key_added="sc_annotate_perturb",
        rng=args.seed,
    )
    found = get.perturbation(adata, "sc_annotate_perturb")
    for name, reason in zip(found.obs_names, found.obs["reason"], strict=True):
        if reason:
            say(f"{name}: not predicted; {reason}")
            continue
        delta = found[name].layers["delta"][0]
        top = abs(delta).argsort()[::-1][:5]
        say(f"{name}: " + ", ".join(f"{found.var_names[i]} {delta[i]:+.2f}" for i in top))
    if found.uns["verdict"]:
        say(found.uns["verdict"])
    if scores is not None:
        outputs.table(scores, get.leaderboard(adata, "sc_annotate_perturb"), index=False)
    if output is not None:
        write_h5ad(found, output)
        outputs.wrote(args.output)


def _written(args: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    """Options that were written, so that the function sees which are defaults."""
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def _screen(path: str, args: argparse.Namespace) -> AnnData:
    """What a file holds; log fold changes as profiles."""
    from sc_annotate import pp

    adata = read_h5ad(path)
    if not args.lfc:
        _not_lfc(path, adata, args)
        return adata
    key = args.perturbation_key or ("perturbation" if "perturbation" in adata.obs else None)
    return pp.profiles_from_lfc(adata, key, layer=args.layer)


def _profiles(path: str, args: argparse.Namespace) -> AnnData:
    from sc_annotate import pp
    from sc_annotate.perturbation.screen import is_profiles

    adata = _screen(path, args)
    return adata if is_profiles(adata) else pp.perturbation_profiles(adata, rng=args.seed, **_written(args, AVERAGING))


def _not_lfc(path: str, adata: AnnData, args: argparse.Namespace) -> None:
    """Log fold changes have one row a condition and go below 0, which expression of cells does not."""
    from sc_annotate.perturbation.screen import is_profiles

    if is_profiles(adata) or not adata.n_obs:
        return
    key = args.perturbation_key or "perturbation"
    names = adata.obs[key] if key in adata.obs else adata.obs_names
    values = adata.layers[args.layer] if args.layer in adata.layers else adata.X
    if values is not None and names.nunique() == adata.n_obs and np.nanmin(values[:1000].min()) < 0:
        raise InputError(
            f"{path!r} has negative values and one row for each condition, as log fold changes have: pass --lfc for those "
            "(sca.pp.profiles_from_lfc in Python)."
        )
