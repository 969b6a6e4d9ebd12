"""Several contexts, such as cell lines or times: predicted one by one, scored one by one and together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._data.columns import check_column
from sc_annotate._vocabulary.conditions import as_targets, names_of
from sc_annotate.errors import InputError
from sc_annotate.evaluation.leaderboard_pool import pooled
from sc_annotate.perturbation.one_context import One, Plan, predict_one
from sc_annotate.perturbation.other_contexts import elsewhere_of, ends_from_elsewhere
from sc_annotate.perturbation.profile_groups import PROFILES
from sc_annotate.perturbation.screen import check_profiles, screen_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData

    from sc_annotate.evaluation import Leaderboard
    from sc_annotate.perturbation.other_contexts import Context


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
        written = condition if isinstance(condition, str) else ""
        named = [label for label in contexts if written.endswith(f"|{label}")]
        # "|" may stand between targets, too.
        if not named and "|" in written and "|" not in how.get("separator", ""):
            raise InputError(f"{condition!r} names no context; there are: {', '.join(map(repr, contexts))}.")
        named = [max(named, key=len)] if named else []
        (targets,) = as_targets([written[: -1 - len(named[0])] if named else condition], **how)
        for label in named or contexts:
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
        elsewhere = elsewhere_of(label, contexts) if across else None
        found[label] = predict_one(plan, screen, profiles, rows, asked[label], elsewhere=elsewhere)
    if across and plan.evaluate:
        found = ends_from_elsewhere(plan, contexts, found)
    boards: dict[str, Leaderboard] = {}
    verdicts = []
    for kind, words in (("single", "one target"), ("double", "several targets")):
        parts = {label: one.boards[kind] for label, one in found.items() if kind in one.boards}
        if parts:
            boards[kind] = pooled(parts, rng=plan.rng)
            among = (f"in {len(parts)} contexts" if len(parts) > 1 else f"in {next(iter(parts))}") + (
                ", each predicted from the others" if across else ""
            )
            verdicts.append(f"Held-out conditions of {words} {among}: {boards[kind].verdict}")
    return found, boards, " ".join(verdicts)


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
