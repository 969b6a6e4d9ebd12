"""Stored predictions and scores of perturbations, read back and checked."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import Unset, value_of
from sc_annotate._store import perturbation_slots as slots
from sc_annotate._store.reading import SEPARATOR, as_targets, names_of
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

KINDS = {"double": "several targets", "single": "one target"}


@dataclass(frozen=True)
class Predicted:
    """Predicted conditions, as changes from the control; conditions x genes, NaN where there is nothing."""

    genes: NDArray[np.str_]
    conditions: list[str]
    contexts: list[str]
    """Of each condition, the part of its name after the bar; ``""`` where there is one context."""
    reason: list[str]
    held_out: NDArray[np.bool_]
    method: str
    change: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    observed: NDArray[np.float64]
    coverage: float

    def row(self, condition: str) -> int:
        """Index of a condition; ``"B+A"`` is ``"A+B"``."""
        if condition in self.conditions:
            return self.conditions.index(condition)
        written = condition if isinstance(condition, str) else ""
        end = max((f"|{each}" for each in self.contexts if each and written.endswith(f"|{each}")), key=len, default="")
        (name,) = names_of(as_targets([condition.removesuffix(end) if end else condition]))
        name = f"{name}{end}"
        if name in self.conditions:
            return self.conditions.index(name)
        near = difflib.get_close_matches(name, self.conditions, n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        shown = ", ".join(map(repr, self.conditions[:8])) + (", …" if len(self.conditions) > 8 else "")
        raise InputError(
            f"{condition!r} was not predicted. {hint}There are {len(self.conditions)} conditions: {shown}. Predict it with "
            f"sca.tl.predict_perturbation(adata, ..., conditions=[{condition!r}])."
        )

    def targets(self, i: int) -> list[str]:
        """Genes that were perturbed in a condition."""
        end = f"|{self.contexts[i]}" if self.contexts[i] else ""
        return self.conditions[i].removesuffix(end).split(SEPARATOR)


@dataclass(frozen=True)
class Board:
    """Scores of methods on held-out conditions."""

    methods: list[str]
    metrics: list[str]
    baselines: list[str]
    conditions: list[str]
    values: dict[str, NDArray[np.float64]]
    """For each metric methods x conditions."""
    scored: NDArray[np.bool_]
    summary: dict[str, NDArray[Any]]
    """Methods x metrics."""
    differences: dict[str, NDArray[Any]]
    """Baselines x methods x metrics."""
    sd_ratios: NDArray[np.float64]
    ceiling: dict[str, float]
    informative: list[str]
    """Of each method, whether it distinguishes perturbations, in words."""
    verdict: str
    what: str
    """What was scored."""
    own: str | None
    """The requested method."""

    def at(self, metric: str) -> int:
        if metric not in self.metrics:
            raise InputError(f"metric {metric!r} was not scored; there are: {', '.join(map(repr, self.metrics))}.")
        return self.metrics.index(metric)


def read_predicted(adata: AnnData, key: str) -> Predicted:
    stored = slots.read_uns(adata, key)
    control = slots.control_of(adata, key, stored).astype(np.float64)
    genes = slots.genes_of(adata, key)
    change, lower, upper, observed = (
        (np.asarray(adata.varm[key + part], dtype=np.float64).T - control)[:, genes] for part in slots.PARTS
    )
    conditions = [str(name) for name in np.ravel(stored["conditions"])]
    contexts = [""] * len(conditions)
    if "context" in stored:
        labels = ["|".join(map(str, row)) for row in stored["covariates"].to_numpy()]
        contexts = [labels[i] for i in np.atleast_1d(stored["context"])]
    return Predicted(
        genes=np.asarray(adata.var_names, dtype=str)[genes],
        conditions=conditions,
        contexts=contexts,
        reason=[str(why) for why in np.ravel(stored["reason"])],
        held_out=np.ravel(np.asarray(stored["held_out"], dtype=bool)),
        method=str(stored["method"]),
        change=change,
        lower=lower,
        upper=upper,
        observed=observed,
        coverage=float(stored["coverage"]["requested"]),
    )


def read_board(adata: Any, key: str, kind: str | None) -> Board:
    """The scores in an AnnData, or a leaderboard as it was returned; `key` may be a default that was not written."""
    if hasattr(adata, "to_dict") and not hasattr(adata, "obs"):
        stored = adata.to_dict()
        if not isinstance(stored, dict) or not {"methods", "metrics", "summary", "values"} <= set(stored):
            raise InputError(f"adata must be an AnnData or a leaderboard, not {type(adata).__name__}.")
        if kind is not None:
            raise InputError(
                f"kind={kind!r} chooses among the scores in an AnnData; a leaderboard has one kind only. Leave kind out."
            )
        if not isinstance(key, Unset):
            raise InputError(f"key={key!r} names a result in an AnnData; a leaderboard has no name. Leave key out.")
        return _board(stored, "leaderboard", "conditions", None)
    key = value_of(key)
    found = slots.read_uns(adata, key)
    have = [name for name in KINDS if name in found]
    if not have:
        raise InputError(
            f"adata.uns[{key!r}] has no scores: too few conditions could be held out, or evaluate=False. Predict again with "
            "evaluate=True."
        )
    if kind is not None and kind not in have:
        raise InputError(f"kind={kind!r} was not scored in adata.uns[{key!r}]; there is {', '.join(map(repr, have))}.")
    chosen = kind or have[0]
    return _board(found[chosen], key, f"held-out conditions of {KINDS[chosen]}", str(found["method"]))


def _board(stored: dict[str, Any], key: str, what: str, own: str | None) -> Board:
    names = {
        part: [str(v) for v in np.ravel(stored.get(part, []))]
        for part in ("methods", "metrics", "baselines", "conditions", "decisions")
    }
    scored = np.ravel(np.asarray(stored["scored"], dtype=bool))
    some = "" if scored.all() else f" of {scored.size:,}"
    ceiling = np.ravel(np.asarray(stored["ceiling"], dtype=np.float64))
    return Board(
        methods=names["methods"],
        metrics=names["metrics"],
        baselines=names["baselines"],
        conditions=names["conditions"],
        values={m: np.asarray(v, dtype=np.float64) for m, v in stored["values"].items()},
        scored=scored,
        summary={part: np.asarray(v) for part, v in stored["summary"].items()},
        differences={part: np.asarray(v) for part, v in stored["differences"].items()},
        sd_ratios=np.asarray(stored["sd_ratios"], dtype=np.float64),
        ceiling=dict(zip(names["metrics"], ceiling.tolist(), strict=True)),
        informative=names["decisions"],
        verdict=str(stored["verdict"]),
        what=f"{key}: {int(scored.sum()):,}{some} {what}",
        own=own,
    )
