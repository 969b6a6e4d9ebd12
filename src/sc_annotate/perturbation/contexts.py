"""Several contexts, such as cell lines or times: predicted one by one, scored one by one and together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._data.obs import check_column
from sc_annotate._vocabulary.conditions import names_of
from sc_annotate.errors import InputError
from sc_annotate.evaluation import error_quantile
from sc_annotate.evaluation.leaderboard_pool import pooled
from sc_annotate.perturbation.held_out import Ends
from sc_annotate.perturbation.method import predicted
from sc_annotate.perturbation.one_context import Predicted, predict_context
from sc_annotate.perturbation.screen import Recorded, context_of
from sc_annotate.predictors import Screen

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate.evaluation import Leaderboard
    from sc_annotate.perturbation.method import Method
    from sc_annotate.perturbation.requests import PredictionRequest, ProfilesRequest
    from sc_annotate.perturbation.screen import Context


@dataclass(frozen=True)
class Contexts:
    """What was measured in each combination of covariates, by its name such as ``"K562|24h"``."""

    keys: list[str]
    measured: dict[str, Context]
    table: pd.DataFrame
    """Covariates of each context, in their order."""
    notes: list[str]
    """Which contexts were left out."""

    @classmethod
    def of(cls, profiles: AnnData, keys: list[str]) -> Contexts:
        recorded = Recorded.of(profiles)
        made_by = recorded.covariate_keys if recorded is not None else []
        if made_by != keys:
            raise InputError(
                f"the profiles were made with covariate_keys={made_by}, not {keys}. Pass the same, or make them again."
            )
        for key in keys:
            check_column(profiles, key, argument="covariate_keys")
        if lacking := [name for name in ("targets", "is_control") if name not in profiles.obs]:
            raise InputError(f"adata lacks {lacking}: it was changed since. Make the profiles again.")
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
            out[label] = context_of(some, what=f"the profiles of {label}")
            kept.append(rows[0])
        if len(out) < 2:
            raise InputError(
                f"covariate_keys={keys} give {len(out)} contexts with two conditions or more beside the control. Leave "
                "covariate_keys out for one context."
            )
        table = profiles.obs[keys].iloc[kept].astype(str).astype(object)
        table.index = [str(i) for i in range(len(table))]
        return cls(keys, out, table, notes)

    @property
    def labels(self) -> list[str]:
        return list(self.measured)

    def screen(self, label: str) -> Screen:
        return self.measured[label].screen

    def requested(self, conditions: Any, how: ProfilesRequest) -> dict[str, list[tuple[str, ...]]]:
        """What to predict in each context: all of it, unless ``"A|line"`` names one."""
        if conditions is None:
            return {label: context.screen.targets for label, context in self.measured.items()}
        if isinstance(conditions, str) or not hasattr(conditions, "__iter__"):
            how.targets(conditions)
        out: dict[str, list[tuple[str, ...]]] = {label: [] for label in self.measured}
        for condition in conditions:
            written = condition if isinstance(condition, str) else ""
            named = [label for label in self.measured if written.endswith(f"|{label}")]
            # "|" may stand between targets, too.
            if not named and "|" in written and "|" not in how.separator:
                raise InputError(f"{condition!r} names no context; there are: {', '.join(map(repr, self.measured))}.")
            named = [max(named, key=len)] if named else []
            (targets,) = how.targets([written[: -1 - len(named[0])] if named else condition])
            for label in named or self.measured:
                if targets not in out[label]:
                    out[label].append(targets)
        if not any(out.values()):
            how.targets([])
        return out

    def others(self, label: str) -> Screen:
        """Mean changes in the other contexts, each condition by those that have it, on the control of this one."""
        here = self.screen(label)
        changes: dict[tuple[str, ...], list[NDArray[np.float64]]] = {}
        for other, context in self.measured.items():
            if other != label:
                for targets, change in zip(context.screen.targets, context.screen.delta, strict=True):
                    changes.setdefault(targets, []).append(change)
        mean = here.control + np.stack([np.mean(each, axis=0) for each in changes.values()])
        return Screen(here.genes, here.control, mean, list(changes))


def predict_contexts(
    request: PredictionRequest, method: Method, contexts: Contexts, requested: dict[str, list[tuple[str, ...]]]
) -> tuple[dict[str, Predicted], dict[str, Leaderboard], str]:
    """Every context with its scores, the scores of all together, and what follows from those."""
    across = method.name == "transfer" and method.params.get("source") is None
    if across:
        request.refuse("n_folds", why="each context is held out as a whole, since it is predicted from the others")
    found: dict[str, Predicted] = {}
    for label, context in contexts.measured.items():
        if requested[label]:
            source = contexts.others(label) if across else None
            found[label] = predict_context(request, method, context, requested[label], source=source)
    if across and request.evaluate:
        found = _ends_from_others(request, method, contexts, found)
    boards: dict[str, Leaderboard] = {}
    verdicts = []
    for kind, words in (("single", "one target"), ("double", "several targets")):
        parts = {label: each.boards[kind] for label, each in found.items() if kind in each.boards}
        if parts:
            boards[kind] = pooled(parts, rng=request.rng)
            among = (f"in {len(parts)} contexts" if len(parts) > 1 else f"in {next(iter(parts))}") + (
                ", each predicted from the others" if across else ""
            )
            verdicts.append(f"Held-out conditions of {words} {among}: {boards[kind].verdict}")
    return found, boards, " ".join(verdicts)


def joined(
    found: dict[str, Predicted], boards: dict[str, Leaderboard], verdict: str, contexts: Contexts
) -> tuple[Predicted, dict[str, Any]]:
    """All contexts below each other, and what has to be stored to tell them apart."""
    every, labels = list(found.values()), contexts.labels

    def stacked(name: str) -> Any:
        return np.concatenate([getattr(each, name) for each in every])

    shares = [each.ends.coverage for each in every]
    coverage = {
        kind: float(np.mean([share[kind] for share in shares if kind in share]))
        for kind in {kind for share in shares for kind in share}
    }
    lower, upper = (np.concatenate([getattr(each.ends, end) for each in every]) for end in ("lower", "upper"))
    whole = Predicted(
        targets=[targets for each in every for targets in each.targets],
        control=np.mean([each.control for each in every], axis=0),
        values=stacked("values"),
        observed=stacked("observed"),
        reason=stacked("reason"),
        held_out=stacked("held_out"),
        ends=Ends(lower, upper, coverage),
        boards=boards,
        verdict=verdict,
        notes=[f"{label}: {note}" for label, each in found.items() for note in each.notes] + contexts.notes,
        controls=np.stack([each.screen.control for each in contexts.measured.values()]),
    )
    context = np.concatenate([np.full(len(each.targets), labels.index(label)) for label, each in found.items()])
    return whole, {
        "conditions": np.array([f"{name}|{label}" for label, each in found.items() for name in names_of(each.targets)]),
        "covariate_keys": np.array(contexts.keys),
        "context": context.astype(np.int64),
        "covariates": contexts.table,
        "context_scores": {
            str(labels.index(label)): {kind: board.to_dict() for kind, board in each.boards.items()}
            for label, each in found.items()
            if each.boards
        },
    }


def _ends_from_others(
    request: PredictionRequest, method: Method, contexts: Contexts, found: dict[str, Predicted]
) -> dict[str, Predicted]:
    """Intervals of a context from the errors in the others, which were predicted in the same way.

    Not from those of the condition itself: what A lacks of B, B lacks of A.
    """
    out, errors_in = {}, _errors(request, method, contexts)
    for label, one in found.items():
        lower, upper = np.full((2, *one.values.shape), np.nan)
        shares: dict[str, list[float]] = {"single": [], "double": []}
        errors = np.concatenate([each for name, each in errors_in.items() if name != label])
        whose = [each for name in errors_in if name != label for each in contexts.screen(name).targets]
        known = np.isfinite(errors).all(axis=1)
        for i, each in enumerate(one.targets):
            if not np.isfinite(one.values[i]).all():
                continue
            alike = np.array([w != each and (len(w) > 1) == (len(each) > 1) for w in whose], dtype=bool)
            width = np.full(one.values.shape[1], np.inf)
            if (alike & known).any():
                width = error_quantile(errors[alike & known], request.coverage)
            lower[i], upper[i] = one.values[i] - width, one.values[i] + width
            if one.held_out[i] and np.isfinite(width).all():
                inside = np.abs(one.values[i] - one.observed[i]) <= width
                shares["double" if len(each) > 1 else "single"].append(float(inside.mean()))
        held = {kind: float(np.mean(share)) for kind, share in shares.items() if len(share) > 1}
        held |= {f"{kind}_worst_tenth": float(np.quantile(s, 0.1)) for kind, s in shares.items() if len(s) > 1}
        out[label] = replace(one, ends=Ends(lower, upper, held))
    return out


def _errors(request: PredictionRequest, method: Method, contexts: Contexts) -> dict[str, NDArray[np.float64]]:
    """Errors of all conditions of each context, requested or not, as predicted from the other contexts."""
    out = {}
    for label, context in contexts.measured.items():
        source = contexts.others(label)
        model = method.having(source).fitted_to(context.screen)().fit(source, rng=request.rng)
        out[label] = np.abs(predicted(model, context.screen.targets, len(source.genes)) - context.screen.mean)
    return out
