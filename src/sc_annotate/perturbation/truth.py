"""What was measured, and what follows from it alone: baselines, halves and t-statistics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import registry
from sc_annotate.errors import InputError, MatrixError
from sc_annotate.evaluation.leaderboard_de import t_against_rest
from sc_annotate.perturbation.screen import HALVES, Recorded, leveled
from sc_annotate.perturbation.tables import check_truth, read_table
from sc_annotate.predictors import Screen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.perturbation.requests import EvaluationRequest, TableRequest
    from sc_annotate.perturbation.tables import Table

FEWEST = 3
"""Training conditions that a line is fitted on."""


@dataclass(frozen=True)
class Truth:
    """What was measured: a table, the control of each of its rows, and, from profiles, what else is known."""

    table: Table
    control: NDArray[np.float64]
    covariate: NDArray[np.str_]
    layers: dict[str, NDArray[np.float64]]
    n_cells: NDArray[np.int64] | None

    @classmethod
    def of(cls, source: Any, how: TableRequest, request: EvaluationRequest) -> Truth:
        recorded = Recorded.of(source)
        delta = request.truth_is == "delta" or (request.truth_is is None and recorded is not None and recorded.is_lfc)
        table = read_table(source, how, what="truth", is_truth=True, need_control=not delta)
        if not np.isfinite(table.X).all():
            raise MatrixError("truth has NaN values. Leave those conditions, or those genes, out of it.")
        if table.is_control.all():
            raise InputError("truth has no perturbed condition, only control.")
        if not delta and recorded is None and request.check_scale:
            check_truth(table.X)
        covariate = np.array([name.partition("|")[2] if how.has_covariates else "" for name in table.names], dtype=str)
        layers: dict[str, NDArray[np.float64]] = {}
        n_cells = None
        if recorded is not None:
            known = [name for name in ("control", "se", *HALVES) if name in source.layers]
            layers = {name: np.asarray(source.layers[name], dtype=np.float64) for name in known}
            n_cells = np.asarray(source.obs["n_cells"], dtype=np.int64) if "n_cells" in source.obs else None
        if delta:
            return cls(table, np.zeros_like(table.X), covariate, layers, n_cells)
        own = {covariate[i]: table.X[i] for i in np.flatnonzero(table.is_control)}
        if lacking := sorted(set(covariate.tolist()) - set(own)):
            raise InputError(f"truth has no control for {lacking[0]!r}. Keep the control row of every covariate.")
        matched = np.stack([own[c] for c in covariate.tolist()])
        if "control" in layers:
            # Models predict beside one control, so changes from matched controls are laid on that.
            table = replace(table, X=leveled(table.X, layers["control"], matched))
            for half in HALVES[:2]:
                if f"control_{half}" in layers and half in layers:
                    layers[half] = leveled(layers[half], layers[f"control_{half}"], matched)
                    layers[f"control_{half}"] = matched
        return cls(table, matched, covariate, layers, n_cells)


@dataclass(frozen=True)
class Scored:
    """The conditions and genes of a truth that are scored, and the conditions that models were trained on."""

    truth: Truth
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    trained: NDArray[np.bool_]

    @property
    def table(self) -> Table:
        return self.truth.table

    @property
    def values(self) -> NDArray[np.float64]:
        return self.table.X[self.rows][:, self.columns]

    @property
    def control(self) -> NDArray[np.float64]:
        return self.truth.control[self.rows][:, self.columns]

    @property
    def genes(self) -> NDArray[np.str_]:
        return self.table.genes[self.columns]

    @property
    def targets(self) -> list[tuple[str, ...]]:
        return [self.table.targets[i] for i in self.rows]

    @property
    def alike(self) -> NDArray[np.bool_]:
        """Rows of truth of the covariate that is scored."""
        return np.asarray(self.truth.covariate == self.truth.covariate[self.rows[0]])

    @property
    def halves(self) -> Any:
        if not all(name in self.truth.layers for name in HALVES):
            return None
        return tuple(self.truth.layers[name][self.rows][:, self.columns] for name in HALVES)

    @property
    def t(self) -> NDArray[np.float64] | None:
        """t-statistics of each condition against all other perturbed cells, where profiles have standard errors."""
        truth = self.truth
        if "se" not in truth.layers or truth.n_cells is None:
            return None
        rows = np.flatnonzero(~self.table.is_control & self.alike)
        if rows.size < 2:
            return None
        errors = truth.layers["se"][rows][:, self.columns]
        t = t_against_rest(self.table.X[rows][:, self.columns], errors, truth.n_cells[rows])
        return t[np.searchsorted(rows, self.rows)]


def mean_baseline(scored: Scored) -> tuple[NDArray[np.float64], list[str]]:
    """Mean of the training profiles for each scored condition; without any, of all profiles of the covariate."""
    X, trained, alike = scored.table.X, scored.trained, scored.alike
    if (trained & alike).any():
        return X[trained & alike][:, scored.columns].mean(axis=0), []
    if trained.any():
        # The mean change in other contexts, on the control that the condition has.
        change = (X - scored.truth.control)[trained][:, scored.columns].mean(axis=0)
        return scored.control + change, ["mean is the mean change in the other covariates"]
    use = ~scored.table.is_control & alike
    note = "no training conditions were named: mean is the mean of the scored conditions, so it has seen them"
    return X[use][:, scored.columns].mean(axis=0), [note]


def additive_baseline(scored: Scored) -> NDArray[np.float64] | None:
    """Control plus the changes of the single perturbations, where truth has them all; None where there is nothing."""
    table, control, covariate = scored.table, scored.truth.control, scored.truth.covariate.tolist()
    single = {
        (each[0], c): i for i, (each, c) in enumerate(zip(table.targets, covariate, strict=True)) if len(each) == 1
    }
    out = np.full((scored.rows.size, scored.columns.size), np.nan)
    for j, i in enumerate(scored.rows):
        parts = [single.get((gene, covariate[i])) for gene in table.targets[i]]
        rows = [row for row in parts if row is not None]
        if len(parts) > 1 and len(rows) == len(parts):
            change = (table.X[rows] - control[rows]).sum(axis=0)
            out[j] = (control[i] + change)[scored.columns]
    return out if np.isfinite(out).any() else None


def linear_baseline(scored: Scored) -> tuple[NDArray[np.float64] | None, list[str]]:
    """The linear model fitted on the training conditions of the same covariate; None where it cannot predict all."""
    rows = np.flatnonzero(scored.trained & scored.alike)
    if rows.size < FEWEST:
        return None, []
    table, control = scored.table, scored.control[0]
    changes = (table.X[rows] - scored.truth.control[rows])[:, scored.columns]
    line: Any = registry.make("perturbation", "linear", {})
    model = line.fit(Screen(scored.genes, control, control + changes, [table.targets[i] for i in rows]))
    reasons = model.why_not(scored.targets)
    if (lost := np.flatnonzero(reasons != "")).size:
        return None, [
            f"linear is not among the baselines: it could not predict {lost.size} of {scored.rows.size} conditions, which would "
            f"then not be scored ({table.names[scored.rows[lost[0]]]}: {reasons[lost[0]]})"
        ]
    return model.predict(scored.targets), [f"linear: {note}" for note in model.notes_]
