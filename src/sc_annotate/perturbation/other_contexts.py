"""A context predicted from the others, and the intervals that follow from how that fares in those."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.evaluation import error_quantile
from sc_annotate.perturbation.embeddings import parameters
from sc_annotate.perturbation.folds import maker, predicted
from sc_annotate.predictors import Screen

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate.perturbation.one_context import One, Plan

    Context = tuple[Screen, AnnData, NDArray[np.bool_]]


def elsewhere_of(label: str, contexts: dict[str, Context]) -> Screen:
    """Mean changes in the other contexts, each condition by those that have it, on the control of this one."""
    here = contexts[label][0]
    sums: dict[tuple[str, ...], list[NDArray[np.float64]]] = {}
    for other, (screen, _, _) in contexts.items():
        if other != label:
            for targets, change in zip(screen.targets, screen.delta, strict=True):
                sums.setdefault(targets, []).append(change)
    mean = here.control + np.stack([np.mean(changes, axis=0) for changes in sums.values()])
    return Screen(here.genes, here.control, mean, list(sums))


def _errors(plan: Plan, contexts: dict[str, Context]) -> dict[str, NDArray[np.float64]]:
    """Of all conditions of each context, whatever was asked: how far what the others say of them is off."""
    out = {}
    for label, (screen, _, _) in contexts.items():
        source = elsewhere_of(label, contexts)
        make = maker(plan.method, parameters(plan.method_kwargs | {"source": source}, screen), **plan.embeddings)
        model = make().fit(source, rng=plan.rng)
        out[label] = np.abs(predicted(model, screen.targets, len(screen.genes)) - screen.mean)
    return out


def ends_from_elsewhere(plan: Plan, contexts: dict[str, Context], found: dict[str, One]) -> dict[str, One]:
    """Intervals of a context from the errors in the others, which were predicted in the same way.

    Not from those of the condition itself: what A lacks of B, B lacks of A.
    """
    out, of = {}, _errors(plan, contexts)
    for label, one in found.items():
        lower, upper = np.full((2, *one.values.shape), np.nan)
        shares: dict[str, list[float]] = {"single": [], "double": []}
        errors = np.concatenate([each for name, each in of.items() if name != label])
        whose = [each for name in of if name != label for each in contexts[name][0].targets]
        known = np.isfinite(errors).all(axis=1)
        for i, each in enumerate(one.asked):
            if not np.isfinite(one.values[i]).all():
                continue
            alike = np.array([w != each and (len(w) > 1) == (len(each) > 1) for w in whose], dtype=bool)
            width = np.full(one.values.shape[1], np.inf)
            if (alike & known).any():
                width = error_quantile(errors[alike & known], plan.coverage)
            lower[i], upper[i] = one.values[i] - width, one.values[i] + width
            if one.own[i] and np.isfinite(width).all():
                inside = np.abs(one.values[i] - one.observed[i]) <= width
                shares["double" if len(each) > 1 else "single"].append(float(inside.mean()))
        held = {kind: float(np.mean(share)) for kind, share in shares.items() if len(share) > 1}
        held |= {f"{kind}_worst_tenth": float(np.quantile(s, 0.1)) for kind, s in shares.items() if len(s) > 1}
        out[label] = replace(one, lower=lower, upper=upper, coverage=held)
    return out
