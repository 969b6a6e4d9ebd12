"""Scores of all predictors on the conditions that were held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.evaluation import leaderboard
from sc_annotate.perturbation.profile_groups import PROFILES
from sc_annotate.perturbation.screen import leveled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate.evaluation import Leaderboard
    from sc_annotate.perturbation.folds import HeldOut
    from sc_annotate.predictors import Screen

LEAST = 4
"""With fewer held-out conditions no interval means anything."""


def needed(targets: Sequence[tuple[str, ...]], asked: Sequence[tuple[str, ...]], baseline: str) -> list[str]:
    """The methods that stand beside any other."""
    names = [baseline, "no_change", "mean"]
    if any(len(each) == 1 for each in targets):
        names.append("linear")
    if any(len(each) > 1 for each in [*targets, *asked]):
        names.append("additive")
    return list(dict.fromkeys(names))


def boards(
    held: HeldOut, screen: Screen, profiles: AnnData, rows: NDArray[np.bool_], label: str, *, n_top: int, rng: int
) -> tuple[dict[str, Leaderboard], str]:
    """One leaderboard for conditions of one target and one for combinations, and what follows from them."""
    many = np.array([len(each) > 1 for each in screen.targets])
    parts = ("half_1", "half_2", "control_half_1", "control_half_2")
    layers = {name: np.asarray(profiles.layers[name], np.float64)[rows] for name in parts if name in profiles.layers}
    # Log fold changes have no gene that is highest in control.
    top = None if str(profiles.uns[PROFILES].get("values", "expression")) == "lfc" else n_top
    scores: dict[str, Leaderboard] = {}
    verdicts = []
    for name, kind, beside in (("single", ~many, "linear"), ("double", many, "additive")):
        at = np.flatnonzero(kind & (held.fold >= 0))
        if at.size < LEAST:
            continue
        used = {m: values[at] for m, values in held.predicted.items() if m in (label, "no_change", "mean", beside)}
        used |= {m: values[at] for m, values in held.predicted.items() if m not in used and m != "additive"}
        halves = None
        if len(layers) == len(parts):
            one, two = (
                leveled(layers[h][at], layers[f"control_{h}"][at], screen.control) for h in ("half_1", "half_2")
            )
            halves = (one, two, screen.control, screen.control)
        board = leaderboard(
            screen.mean[at],
            used,
            control=screen.control,
            perturbed_mean=screen.mean.mean(axis=0),
            training_mean=held.predicted["mean"][at],
            targets=[screen.targets[i] for i in at],
            genes=screen.genes,
            reference=[m for m in used if m != label],
            n_top=top,
            halves=halves,
            rng=rng,
        )
        scores[name] = board
        verdicts.append(
            f"Held-out conditions of {'one target' if name == 'single' else 'several targets'}: {board.verdict}"
        )
    return scores, " ".join(verdicts)
