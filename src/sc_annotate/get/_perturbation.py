"""Predicted perturbations and their scores, with names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sc_annotate._core.docs import documented
from sc_annotate._store.perturbation_slots import DEFAULT_KEY
from sc_annotate.perturbation.stored import read_predictions, read_scores

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@documented()
def perturbation(adata: AnnData, key: str = DEFAULT_KEY) -> AnnData:
    """What :func:`sc_annotate.tl.predict_perturbation` predicted, as an AnnData.

    Parameters
    ----------
    adata
        Object with the result.
    %(key)s

    Returns
    -------
    AnnData, conditions x genes. ``X``, float32: predicted mean log-normalised expression; rows of NaN could not be
    predicted. ``layers``: ``delta`` (minus control), ``lower`` and ``upper`` (ends of the intervals), ``observed`` (NaN
    where not measured). ``obs``: ``reason`` (why a row is NaN, else empty), ``held_out`` (predicted by a model that had not
    seen the measured condition), and, with several contexts, the covariates: rows are then named ``"KLF1|K562"``, ``delta`` is
    beside the control of the row's own context, and ``var["control"]`` is the mean of these. ``var``: ``control``. ``uns["verdict"]``: what follows from the scores.

    Raises
    ------
    sc_annotate.errors.StorageError
        There is no such result, or a part of it was deleted.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(2000, 60, 12, 0, rng=0)
    >>> sca.tl.predict_perturbation(screen, conditions=["G50"])
    >>> {"delta", "lower", "upper", "observed"} <= set(sca.get.perturbation(screen).layers)
    True
    """
    return read_predictions(adata, key)


@documented()
def leaderboard(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    kind: Literal["single", "double"] | None = None,
    context: str | None = None,
) -> pd.DataFrame:
    """Scores of all methods on held-out conditions.

    Parameters
    ----------
    adata
        Object with a result of :func:`sc_annotate.tl.predict_perturbation`.
    %(key)s
    kind
        Conditions of one target (``"single"``) or of several (``"double"``); by default the latter, where they were scored.
    context
        One of several contexts, such as ``"K562"`` or ``"K562|24h"``; by default all of them together.

    Returns
    -------
    One row for each method and metric: ``method``, ``metric``, ``mean``, ``low`` and ``high`` (bootstrap over conditions),
    ``n_scored``, ``n_undefined``, ``n_missing``, ``status``, the ``ceiling`` that replicates of the same conditions reach, and
    the paired difference to each baseline with its interval.

    Raises
    ------
    sc_annotate.errors.StorageError
        There is no such result, or its scores were damaged.
    sc_annotate.errors.InputError
        Nothing of this kind was scored.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(2000, 60, 12, 0, rng=0)
    >>> sca.tl.predict_perturbation(screen)
    >>> table = sca.get.leaderboard(screen)
    >>> sorted(table["method"].unique())
    ['linear', 'mean', 'no_change']
    """
    return read_scores(adata, key, kind, context)
