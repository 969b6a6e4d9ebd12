"""Predictions, intervals and scores in one context."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.perturbation.embeddings import check_elsewhere, check_shared, check_source, parameters
from sc_annotate.perturbation.folds import hold_out, maker, predicted, reasons, splits_of
from sc_annotate.perturbation.held_out_scores import boards, needed
from sc_annotate.perturbation.intervals import intervals
from sc_annotate.perturbation.notes import told

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate.evaluation import Leaderboard
    from sc_annotate.perturbation.folds import HeldOut
    from sc_annotate.predictors import Embedding, Screen


@dataclass(frozen=True)
class Plan:
    """What is asked for, alike in all contexts."""

    method: str
    label: str
    baseline: str
    method_kwargs: dict[str, Any]
    embeddings: dict[str, Embedding | None]
    evaluate: bool
    n_folds: int | None
    coverage: float
    n_top: int
    rng: int


@dataclass(frozen=True)
class One:
    """Conditions x genes of one context; ``boards`` by kind of condition."""

    asked: list[tuple[str, ...]]
    control: NDArray[np.float64]
    values: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    observed: NDArray[np.float64]
    reason: NDArray[np.str_]
    own: NDArray[np.bool_]
    coverage: dict[str, float] = field(default_factory=dict)
    boards: dict[str, Leaderboard] = field(default_factory=dict)
    verdict: str = ""
    notes: list[str] = field(default_factory=list)


def predict_one(
    plan: Plan,
    screen: Screen,
    profiles: AnnData,
    rows: NDArray[np.bool_],
    asked: list[tuple[str, ...]],
    *,
    elsewhere: Screen | None = None,
) -> One:
    """Predict what was asked in one context.

    `elsewhere` holds what other contexts say, on the control of this one: the method then takes it as its source, and all
    methods are scored as if nothing had been perturbed here.
    """
    kwargs = plan.method_kwargs if elsewhere is None else plan.method_kwargs | {"source": elsewhere}
    label, rng = plan.label, plan.rng
    params = parameters(kwargs, screen)
    make = maker(plan.method, params, **plan.embeddings)
    check_shared(plan.embeddings["gene_embedding"], screen.genes.tolist(), argument="gene_embedding", what="genes")
    named = {target for each in [*screen.targets, *asked] for target in each}
    check_shared(plan.embeddings["perturbation_embedding"], named, argument="perturbation_embedding", what="targets")
    if plan.evaluate:
        for name, value in params.items() if elsewhere is None else ():
            check_source(name, value, screen)
        check_elsewhere(plan.embeddings["perturbation_embedding"], screen)
    makers = {label: make} | {
        name: maker(name, {}) for name in needed(screen.targets, asked, plan.baseline) if name != label
    }
    final = make().fit(screen.select(np.arange(len(screen.targets))), rng=rng)
    values = predicted(final, asked, len(screen.genes))
    reason = reasons(final, asked, values)
    place = {targets: i for i, targets in enumerate(screen.targets)}
    at = np.array([place.get(targets, -1) for targets in asked], dtype=np.intp)
    new = [asked[i] for i in np.flatnonzero(at < 0)]
    held: HeldOut | None = None
    if plan.evaluate:
        if elsewhere is None:
            held = hold_out(screen, makers, new, splits_of(screen.targets, plan.n_folds, rng), rng=rng)
        else:
            held = whole_context(screen, elsewhere, makers, new, rng=rng)
    own = at >= 0 if held is not None else np.zeros(len(asked), dtype=bool)
    lower, upper = np.full((2, *values.shape), np.nan)
    found: dict[str, float] = {}
    if held is not None:
        # The only condition of its kind is in no fold.
        own &= held.fold[at] >= 0
        values[own] = held.predicted[label][at[own]]
        reason = np.where(own, held.why_not[label][at], reason)
        lower, upper, found = intervals(held, label, screen.mean, screen.targets, asked, at, values, plan.coverage)
    observed = np.full_like(values, np.nan)
    observed[at >= 0] = screen.mean[at[at >= 0]]
    scores, verdict = (
        ({}, "") if held is None else boards(held, screen, profiles, rows, label, n_top=plan.n_top, rng=rng)
    )
    notes = [str(note) for note in getattr(final, "notes_", [])]
    # With a source, intervals come from the other contexts, later.
    ends = upper if elsewhere is None else np.zeros_like(upper)
    notes += told(screen, asked, reason, ends, scores, plan.method, evaluate=held is not None)
    return One(asked, screen.control, values, lower, upper, observed, reason, own, found, scores, verdict, notes)


def whole_context(
    screen: Screen, elsewhere: Screen, makers: dict[str, Any], new: list[tuple[str, ...]], *, rng: int
) -> HeldOut:
    """What methods say of a context of which they know the control alone."""
    from sc_annotate.perturbation.folds import HeldOut

    found, why = {}, {}
    others = np.full((1, len(new), len(screen.genes)), np.nan)
    for i, (name, make) in enumerate(makers.items()):
        model = make().fit(replace(elsewhere), rng=rng)
        found[name] = predicted(model, screen.targets, len(screen.genes))
        why[name] = reasons(model, screen.targets, found[name])
        if i == 0 and new:
            others[0] = predicted(model, new, len(screen.genes))
    return HeldOut(found, why, np.zeros(len(screen.targets), dtype=np.intp), others)
