"""Any model's predicted perturbations, beside the baselines they must beat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import whole
from sc_annotate._vocabulary import conditions
from sc_annotate.errors import InputError
from sc_annotate.evaluation.leaderboard import Leaderboard, leaderboard
from sc_annotate.perturbation import evaluate_inputs as inputs
from sc_annotate.perturbation.evaluate_truth import (
    additive_baseline,
    halves_of,
    linear_baseline,
    mean_baseline,
    read_truth,
    recorded,
    t_of,
)
from sc_annotate.perturbation.mixscape import SELECTED
from sc_annotate.perturbation.scale import check_prediction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate.perturbation.evaluate_inputs import Table
    from sc_annotate.perturbation.evaluate_truth import Truth

OURS = ("no_change", "mean", "additive")


def evaluate_perturbation(
    truth: AnnData | pd.DataFrame,
    predictions: Mapping[str, AnnData | pd.DataFrame],
    *,
    control: str | None = None,
    perturbation_key: str | None = None,
    separator: str | Sequence[str] = "+",
    training: Sequence[str] | None = None,
    reference: str | Sequence[str] = "mean",
    truth_is: Literal["expression", "delta"] | None = None,
    predictions_are: Literal["expression", "delta"] | Mapping[str, str] = "expression",
    genes: Literal["all", "shared"] = "all",
    check_scale: bool = True,
    n_top: int | None = 1000,
    n_boot: int = 2000,
    rng: int = 0,
) -> Leaderboard:
    """Put predicted perturbations of any model on one leaderboard with the simple baselines.

    Genes and conditions are matched by name, never by order: ``"B+A"`` and ``"A+B"`` are one condition, ``"A+ctrl"`` is
    ``"A"``. ``no_change``, ``mean`` and, where `truth` has combinations and their single perturbations, ``additive`` are
    always added, and with `training` also ``linear``, fitted on those conditions, where it can predict all that are scored
    (their targets are among the genes) and `predictions` has none of that name. A condition that some model does not predict is counted and named, not scored; see
    :class:`~sc_annotate.evaluation.leaderboard.Leaderboard`. Nothing is stored, and the arguments are not changed.

    Parameters
    ----------
    truth
        Measured profiles, conditions x genes: what :func:`sc_annotate.pp.perturbation_profiles` makes (with its halves
        there is a ceiling, with its standard errors there are weighted metrics), or any AnnData or DataFrame with a row
        for the control, mean natural log1p of counts per 10,000.
    predictions
        For each model an AnnData or DataFrame, conditions x genes, on the scale of `truth`. A row of NaN, or no row, is
        a condition that is not predicted. A row for the control is compared with that of `truth`.
    control
        Name of the control; by default the one that profiles record, else ``"control"``.
    perturbation_key
        Column of ``obs`` (of a DataFrame: column) with the names of the conditions, in `truth` and in `predictions`; by
        default the names of the rows.
    separator
        What stands between the targets of a combination.
    training
        Conditions of `truth` that the models were fitted on: they are not scored, ``mean`` is their mean, and ``linear``
        is fitted on them. By default all conditions are scored, and ``mean`` is theirs: then it has seen what it is scored
        on, and nothing is left to fit a line on; hand in what :func:`sc_annotate.get.perturbation` says of held-out
        conditions under the name ``"linear"``.
    reference
        Models, besides the baselines, that all others are held against.
    truth_is
        ``"delta"`` for changes to control, such as log fold changes; by default what profiles record, else
        ``"expression"``.
    predictions_are
        The same for the predictions, or for each of them by name.
    genes
        ``"all"``: every model must predict all genes of `truth`; ``"shared"``: all are compared on the genes that all
        predict.
    check_scale
        Refuse what is not on the scale of `truth`. Turn it off for a model that is known to be that far off.
    n_top
        Genes, highest in control, for the metrics of the founding paper; None for all.
    n_boot
        Replicates of the bootstrap over conditions.
    rng
        Its seed.

    Returns
    -------
    Leaderboard

    Raises
    ------
    sc_annotate.errors.InputError
        No control, names that cannot be read or occur twice, nothing to score, a model with the name of a baseline.
    sc_annotate.errors.GeneError
        Genes missing in a prediction, or twice in a table.
    sc_annotate.errors.MatrixError
        Another scale (counts, changes, another base), or another control.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import sc_annotate as sca
    >>> rng = np.random.default_rng(0)
    >>> names = [f"G{i}" for i in range(20)]
    >>> profiles = pd.DataFrame(rng.gamma(2.0, size=(1, 20)) + 0.3 * rng.random((21, 20)), columns=names)
    >>> profiles.index = ["control", *names]
    >>> shrunk = 0.5 * profiles[1:] + 0.5 * profiles[1:].mean()
    >>> board = sca.tl.evaluate_perturbation(profiles, {"shrunk": shrunk[names[::-1]]})
    >>> board.methods, board.calls[0]
    (['shrunk', 'no_change', 'mean'], 'informative')
    """
    if not hasattr(reference, "__iter__"):
        raise InputError(f"reference must be the name of a model, or a list of them, not {reference!r}.")
    n_boot, rng = whole(n_boot, "n_boot", least=1), whole(rng, "rng", least=0)
    n_top = None if n_top is None else whole(n_top, "n_top", least=1)
    measured = read_truth(truth, control, perturbation_key, separator, truth_is, check_scale)
    table = measured.table
    tables, kinds = _read_predictions(predictions, truth, control, perturbation_key, separator, predictions_are)
    columns = inputs.shared_genes(table, list(tables.values()), genes)
    notes = [SELECTED] if recorded(truth, "drop_escapers", False) else []
    if columns.size < table.genes.size:
        notes.append(f"compared on {columns.size} of {table.genes.size} genes, those that all predictions have")
    seen = _training(training, table, separator, control or recorded(truth, "control", "control"))
    scored = np.flatnonzero(measured.perturbed & ~seen)
    if not scored.size:
        raise InputError(
            "no condition is left to score: all of truth are training conditions. Leave some out of training."
        )
    among = set(measured.covariate[scored].tolist())
    if len(among) > 1:
        shown = ", ".join(sorted(among)[:4])
        raise InputError(
            f"the conditions to score are of {len(among)} covariates ({shown}), and telling those apart is not telling "
            "perturbations apart. Evaluate one at a time: subset truth, or name the others in training."
        )
    base = measured.control[scored][:, columns]
    given = {}
    for name, each in tables.items():
        given[name], said = _aligned(
            each, table, scored, columns, base, measured, kinds[name] == "delta", check_scale=check_scale
        )
        notes += said
    middle, said = mean_baseline(measured, seen, scored, columns)
    notes += said
    additive = additive_baseline(measured, scored, columns)
    if additive is not None:
        given["additive"] = additive
    beside = [reference] if isinstance(reference, str) else [*reference]
    if "linear" not in given:
        linear, said = linear_baseline(measured, seen, scored, columns)
        notes += said
        if linear is not None:
            given["linear"] = linear
            beside.append("linear")
    if not base.any() and n_top is not None:
        n_top = None
        notes.append("truth holds changes, so no gene is highest in control: all genes are used")
    board = leaderboard(
        table.X[scored][:, columns],
        given,
        control=base,
        perturbed_mean=middle,
        targets=[table.targets[i] for i in scored],
        genes=table.genes[columns],
        conditions=[table.names[i] for i in scored],
        reference=beside,
        n_top=n_top,
        halves=halves_of(measured, scored, columns),
        t=t_of(measured, scored, columns),
        n_boot=n_boot,
        rng=rng,
    )
    return replace(board, notes=notes)


def _read_predictions(
    predictions: Any,
    source: Any,
    control: str | None,
    key: str | None,
    separator: str | Sequence[str],
    kinds: Any,
) -> tuple[dict[str, Table], dict[str, str]]:
    """The tables of all models, and whether each holds expression or changes."""
    if not hasattr(predictions, "items") or type(predictions).__name__ == "DataFrame":
        raise InputError("predictions must be a dict of models: {'my_model': conditions x genes}.")
    if not isinstance(kinds, str) and not hasattr(kinds, "items"):
        raise InputError(f"predictions_are must be 'expression' or 'delta', or a dict of them by model, not {kinds!r}.")
    tables, said = {}, {}
    for name, each in predictions.items():
        if not isinstance(name, str) or not name or name in OURS:
            raise InputError(
                f"{name!r} cannot be the name of a model: it must be a string, and {', '.join(OURS)} are computed from truth."
            )
        what = f"predictions[{name!r}]"
        tables[name] = inputs.read_table(
            each,
            what=what,
            control=recorded(source, "control", "control") if control is None else control,
            perturbation_key=key if key is not None and _has_column(each, key) else None,
            separator=separator,
            covariates=len(recorded(source, "covariate_keys", ())) > 0,
            exact=False,
        )
        said[name] = kinds if isinstance(kinds, str) else kinds.get(name, "expression")
        if said[name] not in ("expression", "delta"):
            raise InputError(f"predictions_are must be 'expression' or 'delta', not {said[name]!r} for {name!r}.")
    if not isinstance(kinds, str) and (unknown := sorted(set(kinds) - set(tables))):
        raise InputError(f"predictions_are names {unknown[0]!r}, which is not among the predictions.")
    return tables, said


def _has_column(source: Any, key: str) -> bool:
    return key in getattr(getattr(source, "obs", source), "columns", ())


def _training(
    names: Sequence[str] | None, table: Table, separator: str | Sequence[str], control: str
) -> NDArray[np.bool_]:
    """Rows of truth that the models were fitted on."""
    seen = np.zeros(len(table.names), dtype=bool)
    if names is None:
        return seen
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        raise InputError(f"training must be a list of conditions, not {names!r}.")
    place = {name: i for i, name in enumerate(table.names)} | {key: i for i, key in enumerate(table.keys)}
    for name in map(str, names):
        if name == control:
            continue
        head, mark, tail = name.partition("|")
        key = conditions.parse([head], control=control, separator=separator)[0].canonical + mark + tail
        row = place.get(name, place.get(key))
        if row is None:
            raise InputError(f"training names {name!r}, which truth does not have.")
        seen[row] = not table.is_control[row]
    return seen


def _aligned(
    each: Table,
    truth: Table,
    scored: NDArray[np.intp],
    columns: NDArray[np.intp],
    base: NDArray[np.float64],
    measured: Truth,
    delta: bool,
    *,
    check_scale: bool,
) -> tuple[NDArray[np.float64], list[str]]:
    """A prediction in the order of truth, absolute, NaN where it has no row; and what to tell about it."""
    here = inputs.columns_of(each, truth.genes[columns])
    row = {key: i for i, key in enumerate(each.keys)}
    keys = [truth.keys[i] for i in scored]
    at = np.array([row.get(key, -1) for key in keys], dtype=np.intp)
    if (at < 0).all():
        raise InputError(
            f"{each.what} has none of the conditions to score: its rows are named {', '.join(each.names[:3])}, those of "
            f"truth {', '.join(truth.names[i] for i in scored[:3])}. Name rows so, or name the column with perturbation_key. "
            f"{inputs.AVERAGE}"
        )
    out = np.full((scored.size, columns.size), np.nan)
    out[at >= 0] = each.X[at[at >= 0]][:, here]
    controls = {truth.keys[i]: truth.X[i, columns] for i in np.flatnonzero(truth.is_control)}
    if not controls:
        controls = {"": measured.control[0, columns]}
    if check_scale:
        check_prediction(each.what, out, base, delta, truth.X[scored][:, columns])
        inputs.check_control(each, controls, here, delta)
    if delta:
        out += base
    extra = [n for n, k in zip(each.names, each.keys, strict=True) if k not in set(truth.keys) and k]
    said = f"not in truth, so not scored: {len(extra)} of the conditions of {each.what}, {', '.join(extra[:5])}"
    return out, [said] if extra else []
