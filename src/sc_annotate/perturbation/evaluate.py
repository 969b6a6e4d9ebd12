"""Any model's predicted perturbations, beside the baselines they must beat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.evaluation.leaderboard import Leaderboard, leaderboard
from sc_annotate.perturbation import tables
from sc_annotate.perturbation.predict import SELECTED
from sc_annotate.perturbation.scale import check_prediction
from sc_annotate.perturbation.screen import Recorded
from sc_annotate.perturbation.truth import Scored, Truth, additive_baseline, linear_baseline, mean_baseline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.perturbation.requests import EvaluationRequest, TableRequest
    from sc_annotate.perturbation.tables import Table

OURS = ("no_change", "mean", "additive")


def evaluate(truth: Any, predictions: Any, how: TableRequest, request: EvaluationRequest) -> Leaderboard:
    """Read what was measured and what was predicted, and score it beside the baselines."""
    recorded = Recorded.of(truth)
    if how.control is None:
        how = how.but(control="control" if recorded is None else recorded.control)
    if recorded is not None:
        how = how.but(has_covariates=len(recorded.covariate_keys) > 0)
    measured = Truth.of(truth, _how_truth(truth, predictions, how), request)
    models = _read_predictions(predictions, how, request)
    notes = [SELECTED] if recorded is not None and recorded.selected else []
    scored = _scored(measured, models, how, request)
    if scored.columns.size < measured.table.genes.size:
        notes.append(
            f"compared on {scored.columns.size} of {measured.table.genes.size} genes, those that all predictions have"
        )
    compared: dict[str, NDArray[np.float64]] = {}
    for name, each in models.items():
        compared[name], more = _aligned(each, scored, delta=request.is_delta(name), check_scale=request.check_scale)
        notes += more
    middle, more = mean_baseline(scored)
    notes += more
    if (additive := additive_baseline(scored)) is not None:
        compared["additive"] = additive
    references = request.references
    if "linear" not in compared:
        linear, more = linear_baseline(scored)
        notes += more
        if linear is not None:
            compared["linear"] = linear
            references.append("linear")
    n_top, control = request.n_top, scored.control
    if not control.any() and n_top is not None:
        request.refuse("n_top", why="truth holds changes, so no gene is highest in control: all genes are used")
        n_top = None
        notes.append("truth holds changes, so no gene is highest in control: all genes are used")
    board = leaderboard(
        scored.values,
        compared,
        control=control,
        perturbed_mean=middle,
        targets=scored.targets,
        genes=scored.genes,
        conditions=[measured.table.names[i] for i in scored.rows],
        reference=references,
        n_top=n_top,
        halves=scored.halves,
        t=scored.t,
        n_boot=request.n_boot,
        rng=request.rng,
    )
    return replace(board, notes=notes)


def _models(predictions: Any) -> dict[Any, Any]:
    if not hasattr(predictions, "items") or type(predictions).__name__ == "DataFrame":
        raise InputError("predictions must be a dict of models: {'my_model': conditions x genes}.")
    return dict(predictions)


def _how_truth(truth: Any, predictions: Any, how: TableRequest) -> TableRequest:
    """A DataFrame may name its conditions by its rows where predictions have the column."""
    key = how.perturbation_key
    if key is None or _has_column(truth, key) or type(truth).__name__ != "DataFrame":
        return how
    if not any(_has_column(each, key) for each in _models(predictions).values()):
        raise InputError(f"neither truth nor a prediction has a column {key!r} (perturbation_key).")
    return how.but(perturbation_key=None)


def _has_column(table: Any, key: str | None) -> bool:
    return key in getattr(getattr(table, "obs", table), "columns", ())


def _read_predictions(predictions: Any, how: TableRequest, request: EvaluationRequest) -> dict[str, Table]:
    """The tables of all models."""
    models = {}
    for name, each in _models(predictions).items():
        if not isinstance(name, str) or not name or name in OURS:
            raise InputError(
                f"{name!r} cannot be the name of a model: it must be a string, and {', '.join(OURS)} are computed from truth."
            )
        own = how if _has_column(each, how.perturbation_key) else how.but(perturbation_key=None)
        models[name] = tables.read_table(each, own, what=f"predictions[{name!r}]")
    kinds = request.predictions_are
    if not isinstance(kinds, str) and (unknown := sorted(set(kinds) - set(models))):
        raise InputError(f"predictions_are names {unknown[0]!r}, which is not among the predictions.")
    return models


def _scored(measured: Truth, models: dict[str, Table], how: TableRequest, request: EvaluationRequest) -> Scored:
    """Which conditions and genes are scored: those of one covariate, without training conditions."""
    table = measured.table
    columns = tables.shared_genes(table, models.values(), need_all=request.genes == "all")
    trained = _trained(request, table, how)
    rows = np.flatnonzero(~table.is_control & ~trained)
    if not rows.size:
        raise InputError(
            "no condition is left to score: all of truth are training conditions. Leave some out of training."
        )
    among = set(measured.covariate[rows].tolist())
    if len(among) > 1:
        shown = ", ".join(sorted(among)[:4])
        raise InputError(
            f"the conditions to score are of {len(among)} covariates ({shown}), and telling those apart is not telling "
            "perturbations apart. Evaluate one at a time: subset truth, or name the others in training."
        )
    return Scored(measured, rows, columns, trained)


def _trained(request: EvaluationRequest, table: Table, how: TableRequest) -> NDArray[np.bool_]:
    """Rows of truth that the models were fitted on."""
    seen = np.zeros(len(table.names), dtype=bool)
    place = {name: i for i, name in enumerate(table.names)} | {key: i for i, key in enumerate(table.keys)}
    for name in map(str, request.training or ()):
        if name == how.control:
            continue
        head, mark, tail = name.partition("|")
        key = how.parse([head])[0].canonical + mark + tail
        row = place.get(name, place.get(key))
        if row is None:
            raise InputError(f"training names {name!r}, which truth does not have.")
        seen[row] = not table.is_control[row]
    return seen


def _aligned(each: Table, scored: Scored, *, delta: bool, check_scale: bool) -> tuple[NDArray[np.float64], list[str]]:
    """A prediction in the order of truth, absolute, NaN where it has no row; and notes on it."""
    table = scored.table
    here = tables.columns_of(each, scored.genes)
    row = {key: i for i, key in enumerate(each.keys)}
    at = np.array([row.get(table.keys[i], -1) for i in scored.rows], dtype=np.intp)
    if (at < 0).all():
        raise InputError(
            f"{each.what} has none of the conditions to score: its rows are named {', '.join(each.names[:3])}, those of "
            f"truth {', '.join(table.names[i] for i in scored.rows[:3])}. Name rows so, or name the column with "
            f"perturbation_key. {tables.AVERAGE}"
        )
    out = np.full((scored.rows.size, scored.columns.size), np.nan)
    out[at >= 0] = each.X[at[at >= 0]][:, here]
    controls = {table.keys[i]: table.X[i, scored.columns] for i in np.flatnonzero(table.is_control)}
    if not controls:
        controls = {"": scored.truth.control[0, scored.columns]}
    if check_scale:
        check_prediction(each.what, out, scored.control, delta, scored.values)
        tables.check_control(each, controls, here, delta)
    if delta:
        out += scored.control
    extra = [n for n, k in zip(each.names, each.keys, strict=True) if k not in set(table.keys) and k]
    note = f"not in truth, so not scored: {len(extra)} of the conditions of {each.what}, {', '.join(extra[:5])}"
    return out, [note] if extra else []
