"""Predictions of perturbed profiles beside the baselines they must beat, with intervals and a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.evaluation import _leaderboard_tables as tables
from sc_annotate.evaluation import _leaderboard_task as arrays
from sc_annotate.evaluation._leaderboard_result import Leaderboard
from sc_annotate.evaluation._leaderboard_tables import Scores, Summary
from sc_annotate.evaluation._leaderboard_task import SD_RATIO
from sc_annotate.evaluation._leaderboard_verdict import Findings
from sc_annotate.metrics import perturbation as metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.evaluation._leaderboard_task import Task

__all__ = ["Leaderboard", "leaderboard"]

OBLIGATORY = ("no_change", "mean", "additive")
"""What every method is held against; the first two are added where they are not handed in."""


def leaderboard(
    truth: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    *,
    control: ArrayLike,
    perturbed_mean: ArrayLike,
    targets: Sequence[tuple[str, ...]],
    genes: ArrayLike,
    conditions: Sequence[str] | None = None,
    reference: str | Sequence[str] = "mean",
    n_top: int | None = 1000,
    halves: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike] | None = None,
    training_mean: ArrayLike | None = None,
    t: ArrayLike | None = None,
    n_boot: int = 2000,
    rng: int = 0,
) -> Leaderboard:
    """Score predicted profiles of perturbed conditions beside the simple baselines, on the conditions all can predict.

    ``no_change`` (the control) and ``mean`` (`perturbed_mean`) always take part.

    A method is called *better* than a baseline only where the whole 95 % interval of the paired difference in L2 is
    below 0 and one of the metrics that a constant cannot win (``pearson_perturbed``, ``discrimination``, ``direction``)
    agrees: its own interval lies above chance where the baseline is a constant, else the interval of the paired
    difference lies above 0. It is called *uninformative* where its predictions vary by less than 5 % of the truth, or
    where neither ``discrimination`` nor ``direction`` is above chance with its whole interval, whatever else it tops.

    Metrics, one value a condition: ``l2`` and ``pearson_delta`` (founding paper) on the `n_top` genes highest in control;
    ``pearson_perturbed`` and ``centroid_accuracy`` (Systema), ``discrimination`` (by L1, as in the Virtual Cell Challenge)
    and ``direction`` (the same by cosine of the changes from `perturbed_mean`) on all genes, the last two without the
    condition's own targets; ``sign_accuracy`` on the 20 largest observed changes among the `n_top` genes, targets left
    out; with `t` ``weighted_mse`` and ``weighted_r2`` (Mejia). ``sd_ratio`` is the median over the `n_top` genes.
    In ranks all conditions of `truth` compete.

    Parameters
    ----------
    truth
        Measured mean log-normalised expression, (n conditions, p genes), float64.
    predictions
        For each method predicted profiles (absolute, not changes), shape as `truth`. A condition that a method does not
        predict is a row of NaN. ``additive`` may leave out conditions without taking them from the others.
    control
        Control profile (p,), or the matched one of each condition (n, p).
    perturbed_mean
        Mean of perturbed profiles (p,) that metrics beside it refer to; one for all conditions, as one without the
        condition would point at it. Also what ``mean`` predicts, where it is not handed in.
    targets
        Genes perturbed in each condition.
    genes
        Names of the p genes.
    conditions
        Names of the conditions; by default targets joined by ``+``.
    reference
        Further methods of `predictions` that all others are held against; ``"mean"`` always is.
    n_top
        How many genes, highest in control, the metrics of the founding paper look at. None for all.
    halves
        ``(half_1, half_2, control_1, control_2)``: profiles of two halves of the cells, shape as `truth`, and of the
        control cells that belong to each. They give the ceiling.
    training_mean
        In cross-validation, the mean of the profiles that the model of each condition was trained on, (n, p). A prediction
        that equals it does not depend on the condition, so metrics beside the perturbed mean are undefined for it.
    t
        t-statistics of each condition against all other perturbed cells, shape as `truth`: weights of the last metrics.
    n_boot
        Replicates of the bootstrap over conditions.
    rng
        Its seed.

    Returns
    -------
    :class:`Leaderboard`. Intervals cover the sampling of conditions, not of cells, nor training again; with few
    conditions they are too narrow. No method is called better on fewer than six.

    Raises
    ------
    sc_annotate.errors.InputError
        Shapes that do not fit, values that are not finite, a row predicted in part, names that are unknown or occur
        twice, or no condition that all methods predict.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, doi:10.1038/s41592-025-02772-6. Systema: Viñas Torné et al. 2025,
    doi:10.1038/s41587-025-02777-8. Mejia et al. 2025, arXiv:2506.22641.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.evaluation import leaderboard
    >>> rng = np.random.default_rng(0)
    >>> control = rng.gamma(1.0, size=50)
    >>> genes = np.array([f"G{i}" for i in range(50)])
    >>> effects = rng.normal(size=(30, 50))
    >>> truth = control + 1 + effects
    >>> board = leaderboard(
    ...     truth,
    ...     {"model": control + 1 + 0.7 * effects},
    ...     control=control,
    ...     perturbed_mean=truth.mean(axis=0),
    ...     targets=[(g,) for g in genes[:30]],
    ...     genes=genes,
    ... )
    >>> print(board.verdict)
    On 30 conditions, model is better than no_change and mean. no_change and mean are uninformative: they predict the same
    for every perturbation.
    """
    true = arrays.profiles(truth, "truth")
    n, p = true.shape
    base = arrays.profile(control, n, p, "control")
    middle = arrays.profile(perturbed_mean, n, p, "perturbed_mean")
    own = arrays.own_columns(targets, genes, n, p)
    if n_boot < 1 or (n_top is not None and n_top < 1):
        raise InputError(f"n_boot and n_top must be 1 or more, not {n_boot} and {n_top}.")
    methods = {"no_change": base, "mean": middle} | dict(predictions)
    order = [name for name in methods if name not in OBLIGATORY] + [name for name in OBLIGATORY if name in methods]
    names = arrays.condition_names(conditions, targets)
    predicted = arrays.check_predictions({name: methods[name] for name in order}, true.shape, names)
    extra = [reference] if isinstance(reference, str) else list(reference)
    if unknown := [name for name in extra if name not in order]:
        raise InputError(f"reference names {unknown[0]!r}, which is not among the methods: {', '.join(order)}.")
    there = np.array([np.isfinite(each[:, 0]) for each in predicted.values()])
    scored, dropped = arrays.common(order, there, names)
    tried = None if t is None else arrays.profiles(t, "t", finite=False, shape=true.shape)
    task = arrays.make_task(true, base, middle, own, n_top, tried)
    found = [arrays.score(task, each) for each in predicted.values()]
    if training_mean is not None:
        learnt = arrays.profile(training_mean, n, p, "training_mean")
        for one, each in zip(found, predicted.values(), strict=True):
            # Beside a mean that holds the condition itself, its absence from this one would look like knowledge.
            same = np.abs(each - learnt).max(axis=1) <= 1e-6 * np.abs(learnt).max()
            for name in ("pearson_perturbed", "direction"):
                one[name] = np.where(same, np.nan, one[name])
    values = {m: np.stack([each[m] for each in found]) for m in task.metrics if m != SD_RATIO}
    drawn = tables.draws(int(scored.sum()), n_boot, rng)
    scores = Scores(order, task.metrics, values, there, scored, drawn)
    summary = Summary.of(scores)
    ratios, spreads = _variation(task, list(predicted.values()), scores, summary)
    findings = Findings(scores, summary, spreads, n)
    findings.compare_with([*OBLIGATORY, *extra])
    return Leaderboard.of(
        findings,
        conditions=names,
        genes=[str(g) for g in np.asarray(genes)[task.top]],
        dropped=dropped,
        sd_ratios=ratios,
        ceiling={} if halves is None else arrays.replicate(task, halves, scored),
    )


def _variation(
    task: Task, predicted: list[NDArray[np.float64]], scores: Scores, summary: Summary
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """SD ratios of the genes that are looked at, and the spread over all genes, of each method; the first into `summary`."""
    scored, column = scores.scored, scores.metrics.index(SD_RATIO)
    few = scores.drawn[: tables.affordable(len(scores.drawn), task.top.size)]
    below_all = tables.sds(task.truth[scored][:, task.top], few)
    ratios = np.full((len(predicted), task.top.size), np.nan)
    spreads = np.full(len(predicted), np.nan)
    for i, each in enumerate(predicted):
        rows = scored & scores.predicted[i]
        if rows.sum() > 1:
            spreads[i] = arrays.spread(task.truth[rows], each[rows], task.control[rows])
            a, b = task.truth[rows][:, task.top], each[rows][:, task.top]
            ratios[i] = metrics.sd_ratio(a, b)
            here = scores.predicted[i][scored]
            drawn_here = few[:, here]
            below = below_all if here.all() else tables.sds(a, drawn_here)
            middle = float(np.nanmedian(ratios[i])) if np.isfinite(ratios[i]).any() else np.nan
            limits = tables.of_sd_ratio(below, b, drawn_here, middle)
            summary.set_sd_ratio(i, column, ratios[i], limits, int(rows.sum()))
    return ratios, spreads
