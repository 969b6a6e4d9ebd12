"""What was measured, and what follows from it alone: baselines, halves and t-statistics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import InputError, MatrixError
from sc_annotate.evaluation.leaderboard_de import t_against_rest
from sc_annotate.perturbation import evaluate_inputs as inputs
from sc_annotate.perturbation.screen import leveled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sc_annotate.perturbation.evaluate_inputs import Table

PROFILES = "perturbation_profiles"
FEWEST = 3
"""Training conditions that a line is fitted on."""
HALVES = ("half_1", "half_2", "control_half_1", "control_half_2")


@dataclass(frozen=True)
class Truth:
    """What was measured: a table, the control of each of its rows, and, from profiles, what else is known."""

    table: Table
    control: NDArray[np.float64]
    covariate: NDArray[np.str_]
    layers: dict[str, NDArray[np.float64]]
    n_cells: NDArray[np.int64] | None

    @property
    def perturbed(self) -> NDArray[np.bool_]:
        return ~self.table.is_control


def recorded(truth: Any, key: str, default: Any) -> Any:
    """What profiles say of themselves."""
    stored = truth.uns.get(PROFILES) if type(truth).__name__ == "AnnData" else None
    return stored.get(key, default) if isinstance(stored, dict) else default


def read_truth(
    truth: Any,
    control: str | None,
    key: str | None,
    separator: str | Sequence[str],
    truth_is: str | None,
    check_scale: bool,
) -> Truth:
    if truth_is not in (None, "expression", "delta"):
        raise InputError(f"truth_is must be 'expression' or 'delta', not {truth_is!r}.")
    profiles = recorded(truth, "schema", None) is not None
    control = recorded(truth, "control", "control") if control is None else control
    delta = truth_is == "delta" or (truth_is is None and recorded(truth, "values", "expression") == "lfc")
    covariates = len(recorded(truth, "covariate_keys", ())) > 0
    table = inputs.read_table(
        truth,
        what="truth",
        control=control,
        perturbation_key=key,
        separator=separator,
        covariates=covariates,
        exact=True,
        with_control=not delta,
    )
    if not np.isfinite(table.X).all():
        raise MatrixError("truth has NaN values. Leave those conditions, or those genes, out of it.")
    if table.is_control.all():
        raise InputError("truth has no perturbed condition, only control.")
    if not delta and not profiles and check_scale:
        inputs.check_truth(table.X)
    covariate = np.array([name.partition("|")[2] if covariates else "" for name in table.names], dtype=str)
    layers: dict[str, NDArray[np.float64]] = {}
    n_cells = None
    if profiles:
        layers = {
            name: np.asarray(truth.layers[name], dtype=np.float64)
            for name in ("control", "se", *HALVES)
            if name in truth.layers
        }
        n_cells = np.asarray(truth.obs["n_cells"], dtype=np.int64) if "n_cells" in truth.obs else None
    if delta:
        matched = np.zeros_like(table.X)
    else:
        own = {covariate[i]: table.X[i] for i in np.flatnonzero(table.is_control)}
        if lacking := sorted(set(covariate.tolist()) - set(own)):
            raise InputError(f"truth has no control for {lacking[0]!r}. Keep the control row of every covariate.")
        matched = np.stack([own[c] for c in covariate.tolist()])
        if "control" in layers:
            # Models answer beside one control, so changes from matched controls are laid on that.
            table = replace(table, X=leveled(table.X, layers["control"], matched))
            for half in ("half_1", "half_2"):
                if f"control_{half}" in layers and half in layers:
                    layers[half] = leveled(layers[half], layers[f"control_{half}"], matched)
                    layers[f"control_{half}"] = matched
    return Truth(table, matched, covariate, layers, n_cells)


def mean_baseline(
    measured: Truth, seen: NDArray[np.bool_], scored: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[NDArray[np.float64], list[str]]:
    """Mean of the training profiles for each scored condition; without any, of all profiles of the covariate."""
    same = measured.covariate == measured.covariate[scored[0]]
    if (seen & same).any():
        return measured.table.X[seen & same][:, columns].mean(axis=0), []
    if seen.any():
        # Learned elsewhere, told here: the mean change, on the control that the condition has.
        change = (measured.table.X - measured.control)[seen][:, columns].mean(axis=0)
        return measured.control[scored][:, columns] + change, ["mean is the mean change in the other covariates"]
    use = measured.perturbed & same
    note = "no training conditions were named: mean is the mean of the scored conditions, so it has seen them"
    return measured.table.X[use][:, columns].mean(axis=0), [note]


def additive_baseline(
    measured: Truth, scored: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.float64] | None:
    """Control plus the changes of the single perturbations, where truth has them all; None where there is nothing."""
    table = measured.table
    single = {
        (each[0], c): i
        for i, (each, c) in enumerate(zip(table.targets, measured.covariate.tolist(), strict=True))
        if len(each) == 1
    }
    out = np.full((scored.size, columns.size), np.nan)
    for j, i in enumerate(scored):
        parts = [single.get((gene, str(measured.covariate[i]))) for gene in table.targets[i]]
        rows = [row for row in parts if row is not None]
        if len(parts) > 1 and len(rows) == len(parts):
            change = (table.X[rows] - measured.control[rows]).sum(axis=0)
            out[j] = (measured.control[i] + change)[columns]
    return out if np.isfinite(out).any() else None


def linear_baseline(
    measured: Truth, seen: NDArray[np.bool_], scored: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[NDArray[np.float64] | None, list[str]]:
    """The linear model fitted on the training conditions of the same covariate; None where it cannot say all."""
    from sc_annotate._core import registry
    from sc_annotate.predictors import Screen

    rows = np.flatnonzero(seen & (measured.covariate == measured.covariate[scored[0]]))
    if rows.size < FEWEST:
        return None, []
    table, control = measured.table, measured.control[scored[0], columns]
    targets = [table.targets[i] for i in scored]
    changes = (table.X[rows] - measured.control[rows])[:, columns]
    line: Any = registry.make("perturbation", "linear", {})
    model = line.fit(Screen(table.genes[columns], control, control + changes, [table.targets[i] for i in rows]))
    reasons = model.why_not(targets)
    if (lost := np.flatnonzero(reasons != "")).size:
        return None, [
            f"linear is not among the baselines: it could not predict {lost.size} of {len(targets)} conditions, which would then "
            f"not be scored ({table.names[scored[lost[0]]]}: {reasons[lost[0]]})"
        ]
    return model.predict(targets), [f"linear: {note}" for note in model.notes_]


def halves_of(measured: Truth, scored: NDArray[np.intp], columns: NDArray[np.intp]) -> Any:
    if not all(name in measured.layers for name in HALVES):
        return None
    return tuple(measured.layers[name][scored][:, columns] for name in HALVES)


def t_of(measured: Truth, scored: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """Each condition against all other perturbed cells, where profiles have standard errors."""
    if "se" not in measured.layers or measured.n_cells is None:
        return None
    rows = np.flatnonzero(measured.perturbed & (measured.covariate == measured.covariate[scored[0]]))
    if rows.size < 2:
        return None
    t = t_against_rest(
        measured.table.X[rows][:, columns], measured.layers["se"][rows][:, columns], measured.n_cells[rows]
    )
    return t[np.searchsorted(rows, scored)]
