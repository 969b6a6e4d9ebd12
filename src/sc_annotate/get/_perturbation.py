"""Predicted perturbations and their scores, with names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from sc_annotate._core import perturbation_slots as slots
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def perturbation(adata: AnnData, key: str = slots.DEFAULT_KEY) -> AnnData:
    """What :func:`sc_annotate.tl.predict_perturbation` predicted, as an AnnData.

    Parameters
    ----------
    adata
        Object with the result.
    key
        Its name.

    Returns
    -------
    AnnData, conditions x genes. ``X``, float32: predicted mean log-normalised expression; rows of NaN could not be
    predicted. ``layers``: ``delta`` (minus control), ``lower`` and ``upper`` (ends of the intervals), ``observed`` (NaN
    where not measured). ``obs``: ``reason`` (why a row is NaN, else empty), ``held_out`` (predicted by a model that had not
    seen the measured condition). ``var``: ``control``. ``uns["verdict"]``: what the scores say of the method.

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
    import pandas as pd
    from anndata import AnnData

    stored = slots.read_uns(adata, key)
    names = pd.Index([str(name) for name in stored["conditions"]])
    parts = {part: np.asarray(adata.varm[key + part]).T.copy() for part in slots.PARTS}
    control = adata.var[f"{key}_control"].to_numpy()
    return AnnData(
        X=parts[""],
        obs=pd.DataFrame(
            {
                "reason": [str(text) for text in stored["reason"]],
                "held_out": [bool(yes) for yes in stored["held_out"]],
            },
            index=names,
        ),
        var=pd.DataFrame({"control": control}, index=adata.var_names),
        layers={
            "delta": parts[""] - control,
            "lower": parts["_lower"],
            "upper": parts["_upper"],
            "observed": parts["_observed"],
        },
        uns={"verdict": str(stored["verdict"])},
    )


def leaderboard(
    adata: AnnData, key: str = slots.DEFAULT_KEY, *, kind: Literal["single", "double"] | None = None
) -> pd.DataFrame:
    """Scores of all methods on held-out conditions.

    Parameters
    ----------
    adata
        Object with a result of :func:`sc_annotate.tl.predict_perturbation`.
    key
        Its name.
    kind
        Conditions of one target (``"single"``) or of several (``"double"``); by default the latter, where they were scored.

    Returns
    -------
    One row for each method and metric: ``method``, ``metric``, ``mean``, ``low`` and ``high`` (bootstrap over conditions),
    ``n_scored``, ``n_undefined``, ``n_missing``, ``status``, the ``ceiling`` that replicates of the same conditions reach, and
    the paired difference to each baseline with its interval.

    Raises
    ------
    sc_annotate.errors.StorageError
        There is no such result.
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
    from sc_annotate.evaluation import Leaderboard

    stored = slots.read_uns(adata, key)
    have = [name for name in ("double", "single") if name in stored]
    if not have:
        raise InputError(f"adata.uns[{key!r}] has no scores: too few conditions were held out, or evaluate=False.")
    if kind is not None and kind not in have:
        raise InputError(f"kind={kind!r} was not scored in adata.uns[{key!r}]; there is: {', '.join(have)}.")
    return Leaderboard.from_dict(stored[kind or have[0]]).table()
