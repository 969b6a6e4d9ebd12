"""Several contexts, such as cell lines or times: predicted one by one, scored one by one and together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.conditions import as_targets, names_of
from sc_annotate._core.storage import check_column
from sc_annotate.errors import InputError
from sc_annotate.evaluation import Leaderboard, error_quantile
from sc_annotate.evaluation._leaderboard_pool import pooled
from sc_annotate.pp._profile_groups import PROFILES
from sc_annotate.pp._screen import check_profiles, screen_of
from sc_annotate.predictors import Screen
from sc_annotate.tl._perturbation_one import One, Plan, predict_one

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    Context = tuple[Screen, AnnData, NDArray[np.bool_]]


def contexts_of(profiles: AnnData, keys: list[str]) -> tuple[dict[str, Context], pd.DataFrame, list[str]]:
    """The screen of each combination of covariates by its name, their table, and what was left out."""
    made_by = [str(key) for key in np.ravel(profiles.uns[PROFILES].get("covariate_keys", []))]
    if made_by != keys:
        raise InputError(
            f"the profiles were made with covariate_keys={made_by}, not {keys}. Pass the same, or make them anew."
        )
    for key in keys:
        check_column(profiles, key, argument="covariate_keys")
    if lacking := [name for name in ("targets", "is_control") if name not in profiles.obs]:
        raise InputError(f"adata lacks {lacking}: it was changed since. Make the profiles anew.")
    labels = profiles.obs[keys].astype(str).agg("|".join, axis=1).to_numpy()
    out: dict[str, Context] = {}
    notes, kept = [], []
    for label in dict.fromkeys(labels.tolist()):
        rows = np.flatnonzero(labels == label)
        some = profiles[rows].copy()
        if some.n_obs < 3 and not some.obs["is_control"].to_numpy(dtype=bool).all():
            notes.append(
                f"{label} has a single condition, so nothing can be predicted from others there: it is left out"
            )
            continue
        if some.n_obs < 3:
            notes.append(f"{label} has no condition beside the control: it is left out")
            continue
        screen, is_condition = screen_of(check_profiles(some, what=f"the profiles of {label}"))
        out[label] = (screen, some, is_condition)
        kept.append(rows[0])
    if len(out) < 2:
        raise InputError(
            f"covariate_keys={keys} give {len(out)} contexts with two conditions or more beside the control. Leave covariate_keys "
            "out for one context."
        )
    table = profiles.obs[keys].iloc[kept].astype(str).astype(object)
    table.index = [str(i) for i in range(len(table))]
    return out, table, notes


def asked_of(
    conditions: Sequence[str] | None, contexts: dict[str, Context], **how: Any
) -> dict[str, list[tuple[str, ...]]]:
    """What to predict in each context: all of it, unless ``"A|line"`` names one."""
    if conditions is None:
        return {label: screen.targets for label, (screen, _, _) in contexts.items()}
    if isinstance(conditions, str) or not hasattr(conditions, "__iter__"):
        as_targets(conditions, **how)
    out: dict[str, list[tuple[str, ...]]] = {label: [] for label in contexts}
    for condition in conditions:
        head, mark, tail = condition.partition("|") if isinstance(condition, str) else (condition, "", "")
        if mark and tail not in contexts:
            raise InputError(f"{condition!r} names no context; there are: {', '.join(map(repr, contexts))}.")
        (targets,) = as_targets([head], **how)
        for label in [tail] if mark else contexts:
            if targets not in out[label]:
                out[label].append(targets)
    if not any(out.values()):
        as_targets([], **how)
    return out


def predict_contexts(
    plan: Plan, contexts: dict[str, Context], asked: dict[str, list[tuple[str, ...]]]
) -> tuple[dict[str, One], dict[str, Leaderboard], str]:
    """Every context with its scores, the scores of all together, and what follows from those."""
    across = plan.method == "transfer" and plan.method_kwargs.get("source") is None
    found: dict[str, One] = {}
    for label, (screen, profiles, rows) in contexts.items():
        if not asked[label]:
            continue
        elsewhere = _elsewhere(label, contexts) if across else None
        found[label] = predict_one(plan, screen, profiles, rows, asked[label], elsewhere=elsewhere)
    if across and plan.evaluate:
        found = _ends(found, plan.coverage)
    boards: dict[str, Leaderboard] = {}
    verdicts = []
    for kind, words in (("single", "one target"), ("double", "several targets")):
        parts = {label: one.boards[kind] for label, one in found.items() if kind in one.boards}
        if parts:
            boards[kind] = pooled(parts, rng=plan.rng)
            among = f"in {len(parts)} contexts" + (", each predicted from the others" if across else "")
            verdicts.append(f"Held-out conditions of {words} {among}: {boards[kind].verdict}")
    return found, boards, " ".join(verdicts)


def _elsewhere(label: str, contexts: dict[str, Context]) -> Screen:
    """Mean changes in the other contexts, each condition by those that have it, on the control of this one."""
    here = contexts[label][0]
    sums: dict[tuple[str, ...], list[NDArray[np.float64]]] = {}
    for other, (screen, _, _) in contexts.items():
        if other != label:
            for targets, change in zip(screen.targets, screen.delta, strict=True):
                sums.setdefault(targets, []).append(change)
    mean = here.control + np.stack([np.mean(changes, axis=0) for changes in sums.values()])
    return Screen(here.genes, here.control, mean, list(sums))


def _ends(found: dict[str, One], coverage: float) -> dict[str, One]:
    """Intervals of a context from the errors in the others, which were predicted in the same way.

    Not from those of the condition itself: what A lacks of B, B lacks of A.
    """
    out = {}
    for label, one in found.items():
        lower, upper = np.full((2, *one.values.shape), np.nan)
        shares: dict[str, list[float]] = {"single": [], "double": []}
        others = [other for name, other in found.items() if name != label]
        errors = np.concatenate([np.abs(other.values - other.observed) for other in others])
        whose = [each for other in others for each in other.asked]
        known = np.concatenate([other.own for other in others]) & np.isfinite(errors).all(axis=1)
        for i, each in enumerate(one.asked):
            if not np.isfinite(one.values[i]).all():
                continue
            alike = np.array([w != each and (len(w) > 1) == (len(each) > 1) for w in whose], dtype=bool)
            width = np.full(one.values.shape[1], np.inf)
            if (alike & known).any():
                width = error_quantile(errors[alike & known], coverage)
            lower[i], upper[i] = one.values[i] - width, one.values[i] + width
            if one.own[i] and np.isfinite(width).all():
                inside = np.abs(one.values[i] - one.observed[i]) <= width
                shares["double" if len(each) > 1 else "single"].append(float(inside.mean()))
        held = {kind: float(np.mean(share)) for kind, share in shares.items() if len(share) > 1}
        held |= {f"{kind}_worst_tenth": float(np.quantile(s, 0.1)) for kind, s in shares.items() if len(s) > 1}
        out[label] = replace(one, lower=lower, upper=upper, coverage=held)
    return out


def joined(
    found: dict[str, One], table: pd.DataFrame, labels: list[str], keys: list[str]
) -> tuple[One, dict[str, Any]]:
    """All contexts below each other, and what has to be stored to tell them apart."""
    context = np.concatenate([np.full(len(one.asked), labels.index(label)) for label, one in found.items()])
    parts: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in found.values()])
        for name in ("values", "lower", "upper", "observed", "reason", "own")
    }
    kinds = {kind for one in found.values() for kind in one.coverage}
    coverage = {
        kind: float(np.mean([o.coverage[kind] for o in found.values() if kind in o.coverage])) for kind in kinds
    }
    notes = [f"{label}: {note}" for label, one in found.items() for note in one.notes]
    control = np.mean([one.control for one in found.values()], axis=0)
    asked = [each for one in found.values() for each in one.asked]
    about = {
        "conditions": np.array([f"{name}|{label}" for label, one in found.items() for name in names_of(one.asked)]),
        "covariate_keys": np.array(keys),
        "context": context.astype(np.int64),
        "covariates": table,
        "context_scores": {
            str(labels.index(label)): {kind: board.to_dict() for kind, board in one.boards.items()}
            for label, one in found.items()
            if one.boards
        },
    }
    return One(asked=asked, control=control, coverage=coverage, notes=notes, **parts), about
