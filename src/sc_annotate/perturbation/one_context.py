"""Predictions, intervals and scores in one context."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._vocabulary.conditions import SEPARATOR
from sc_annotate.perturbation.held_out import (
    Ends,
    HeldOut,
    baselines,
    hold_out,
    intervals,
    positions,
    scores,
    splits_of,
)
from sc_annotate.perturbation.method import Method, predicted, reasons

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.evaluation import Leaderboard
    from sc_annotate.perturbation.held_out import Makers
    from sc_annotate.perturbation.requests import PredictionRequest
    from sc_annotate.perturbation.screen import Context
    from sc_annotate.predictors import Screen


@dataclass(frozen=True)
class Predicted:
    """Requested conditions x genes of one context; ``boards`` by kind of condition."""

    targets: list[tuple[str, ...]]
    control: NDArray[np.float64]
    values: NDArray[np.float64]
    observed: NDArray[np.float64]
    reason: NDArray[np.str_]
    held_out: NDArray[np.bool_]
    ends: Ends
    boards: dict[str, Leaderboard] = field(default_factory=dict)
    verdict: str = ""
    notes: list[str] = field(default_factory=list)
    controls: NDArray[np.float64] | None = None
    """Of several contexts below each other: the control of each; ``control`` is then their mean."""


def predict_context(
    request: PredictionRequest,
    method: Method,
    context: Context,
    requested: list[tuple[str, ...]],
    *,
    source: Screen | None = None,
) -> Predicted:
    """Predict the requested conditions in one context.

    `source` holds what was measured in the other contexts, on the control of this one: the method then takes it as its
    source, and all methods are scored as if nothing had been perturbed here.
    """
    screen, rng = context.screen, request.rng
    here = method if source is None else method.having(source)
    make = here.fitted_to(screen)
    here.check_names(screen, requested)
    if request.evaluate and source is None:
        here.check_independent(screen)
    label = method.label
    makers = {label: make} | {
        name: Method(name, {}).fitted_to(screen)
        for name in baselines(screen.targets, requested, request.baseline)
        if name != label
    }
    final = make().fit(screen.select(np.arange(len(screen.targets))), rng=rng)
    values = predicted(final, requested, len(screen.genes))
    reason = reasons(final, requested, values)
    at = positions(screen, requested)
    observed = np.full_like(values, np.nan)
    observed[at >= 0] = screen.mean[at[at >= 0]]
    known = [str(note) for note in getattr(final, "notes_", [])]
    if not request.evaluate:
        notes = known + notes_on(screen, requested, reason, method.name)
        nothing = np.zeros(len(requested), dtype=bool)
        ends = Ends.unknown(values.shape)
        return Predicted(requested, screen.control, values, observed, reason, nothing, ends, notes=notes)
    new = [requested[i] for i in np.flatnonzero(at < 0)]
    if source is None:
        held = hold_out(screen, makers, new, splits_of(screen.targets, request.n_folds, rng), rng=rng)
    else:
        held = hold_out_context(screen, source, makers, new, rng=rng)
    # The only condition of its kind is in no fold.
    own = (at >= 0) & (held.fold[at] >= 0)
    values[own] = held.predicted[label][at[own]]
    reason = np.where(own, held.why_not[label][at], reason)
    ends = intervals(held, requested, values, request.coverage)
    boards, verdict = scores(held, context, n_top=request.n_top, rng=rng)
    notes = known + notes_on(screen, requested, reason, method.name)
    if source is None:
        # With a source, intervals come from the other contexts, later.
        notes += notes_on_ends(ends)
    notes += notes_on_scores(requested, boards)
    return Predicted(requested, screen.control, values, observed, reason, own, ends, boards, verdict, notes)


def hold_out_context(
    screen: Screen, source: Screen, makers: Makers, new: list[tuple[str, ...]], *, rng: int
) -> HeldOut:
    """Predictions of a whole context by methods that know its control alone."""
    found, why = {}, {}
    others = np.full((1, len(new), len(screen.genes)), np.nan)
    for i, (name, make) in enumerate(makers.items()):
        model = make().fit(replace(source), rng=rng)
        found[name] = predicted(model, screen.targets, len(screen.genes))
        why[name] = reasons(model, screen.targets, found[name])
        if i == 0 and new:
            others[0] = predicted(model, new, len(screen.genes))
    return HeldOut(screen, found, why, np.zeros(len(screen.targets), dtype=np.intp), others)


def notes_on(screen: Screen, requested: list[tuple[str, ...]], reason: NDArray[np.str_], method: str) -> list[str]:
    """Notes on conditions that are not predicted, and on targets that nothing is known of."""
    notes = []
    lost = np.flatnonzero(reason != "")
    if lost.size:
        first = int(lost[0])
        notes.append(
            f"{lost.size} of {len(requested)} conditions cannot be predicted; {SEPARATOR.join(requested[first])}: "
            f"{reason[first]}"
        )
        single = {each[0] for each in screen.targets if len(each) == 1}
        sums = [i for i in lost.tolist() if len(requested[i]) > 1 and set(requested[i]) <= single]
        if sums and method != "additive":
            notes.append(
                f"{len(sums)} of them are combinations of measured single perturbations: method='additive' predicts those"
            )
    known = {target for each in screen.targets for target in each}
    strange = sorted(
        {
            t
            for i, each in enumerate(requested)
            if not reason[i]
            for t in each
            if t not in known and t not in screen.genes
        }
    )
    if strange:
        notes.append(
            f"{', '.join(map(repr, strange[:5]))} {'is' if len(strange) == 1 else 'are'} neither measured targets nor "
            f"genes of the screen: {method} predicts the same for all such targets"
        )
    return notes


def notes_on_ends(ends: Ends) -> list[str]:
    """A note on predictions without an interval."""
    open_ended = np.asarray(np.isinf(ends.upper).any(axis=1))
    if not open_ended.any():
        return []
    return [
        f"{int(open_ended.sum())} of {len(open_ended)} predictions have no interval (their ends are infinite): too few "
        "conditions of their kind could be held out"
    ]


def notes_on_scores(requested: list[tuple[str, ...]], boards: dict[str, Leaderboard]) -> list[str]:
    """Notes on kinds of conditions that were requested and could not be scored."""
    kinds = (("single", False, "single perturbations"), ("double", True, "combinations"))
    return [
        f"too few {words} could be held out to score predictions of them"
        for kind, several, words in kinds
        if kind not in boards and any((len(each) > 1) == several for each in requested)
    ]
