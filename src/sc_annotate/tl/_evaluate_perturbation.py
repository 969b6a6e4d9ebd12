"""Any model's predicted perturbations, beside the baselines they must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate.perturbation.evaluate import evaluate
from sc_annotate.perturbation.requests import EvaluationRequest, TableRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from anndata import AnnData

    from sc_annotate.evaluation import Leaderboard


@documented()
def evaluate_perturbation(
    truth: AnnData | pd.DataFrame,
    predictions: Mapping[str, AnnData | pd.DataFrame],
    *,
    control: str | None = default(None),
    perturbation_key: str | None = default(None),
    separator: str | Sequence[str] = default("+"),
    training: Sequence[str] | None = default(None),
    reference: str | Sequence[str] = default("mean"),
    truth_is: Literal["expression", "delta"] | None = default(None),
    predictions_are: Literal["expression", "delta"] | Mapping[str, str] = default("expression"),
    genes: Literal["all", "shared"] = default("all"),
    check_scale: bool = default(True),
    n_top: int | None = default(1000),
    n_boot: int = default(2000),
    rng: int = default(0),
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
        Column of ``obs`` (of a DataFrame: column) with the names of the conditions in `truth`, and in those predictions
        that have it; by default the names of the rows.
    separator
        What stands between the targets of a combination.
    training
        Conditions of `truth` that the models were fitted on: they are not scored, ``mean`` is their mean, and ``linear``
        is fitted on them. By default all conditions are scored, and ``mean`` is theirs: then it has seen what it is scored
        on, and nothing is left to fit a line on; pass what :func:`sc_annotate.get.perturbation` has for held-out
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
        Genes, highest in control, for the metrics of the founding paper; None for all. Where `truth` holds changes all
        genes are used.
    n_boot
        Replicates of the bootstrap over conditions.
    %(rng)s

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
    >>> board.methods, board.decisions[0]
    (['shrunk', 'no_change', 'mean'], 'informative')
    """
    how = TableRequest(control=control, perturbation_key=perturbation_key, separator=separator)
    request = EvaluationRequest(
        training=training,
        reference=reference,
        truth_is=truth_is,
        predictions_are=predictions_are,
        genes=genes,
        check_scale=check_scale,
        n_top=n_top,
        n_boot=n_boot,
        rng=rng,
    )
    return evaluate(truth, predictions, how, request)
