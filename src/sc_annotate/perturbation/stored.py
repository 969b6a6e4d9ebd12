"""Stored predictions and scores, read back with names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import one_of
from sc_annotate._store import perturbation_slots as slots
from sc_annotate.errors import InputError, StorageError
from sc_annotate.evaluation import Leaderboard

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def read_predictions(adata: AnnData, key: str) -> AnnData:
    """Conditions x genes: see :func:`sc_annotate.get.perturbation`."""
    import pandas as pd
    from anndata import AnnData

    stored = slots.read_uns(adata, key)
    names = pd.Index([str(name) for name in stored["conditions"]])
    parts = {part: np.asarray(adata.varm[key + part]).T.copy() for part in slots.PARTS}
    control = adata.var[f"{key}_control"].to_numpy()
    obs = pd.DataFrame(
        {
            "reason": [str(text) for text in stored["reason"]],
            "held_out": [bool(yes) for yes in stored["held_out"]],
        },
        index=names,
    )
    if "context" in stored:
        context = np.atleast_1d(np.asarray(stored["context"], dtype=np.intp))
        for column in map(str, np.atleast_1d(stored["covariate_keys"])):
            obs[column] = np.asarray(stored["covariates"][column], dtype=object)[context]
    found = AnnData(
        X=parts[""],
        obs=obs,
        var=pd.DataFrame({"control": control}, index=pd.Index(np.asarray(adata.var_names, dtype=object))),
        layers={
            "delta": parts[""] - slots.control_of(adata, key, stored),
            "lower": parts["_lower"],
            "upper": parts["_upper"],
            "observed": parts["_observed"],
        },
        uns={"verdict": str(stored["verdict"])},
    )
    genes = slots.genes_of(adata, key)
    return found if genes.all() else found[:, genes].copy()


def read_scores(adata: AnnData, key: str, kind: str | None, context: str | None) -> pd.DataFrame:
    """A row for each method and metric: see :func:`sc_annotate.get.leaderboard`."""
    one_of(kind, "kind", ("single", "double", None))
    stored = slots.read_uns(adata, key)
    if context is not None:
        stored = _scores_in(stored, key, context)
    have = [name for name in ("double", "single") if name in stored]
    if not have:
        raise InputError(f"adata.uns[{key!r}] has no scores: too few conditions were held out, or evaluate=False.")
    if kind is not None and kind not in have:
        raise InputError(f"kind={kind!r} was not scored in adata.uns[{key!r}]; there is: {', '.join(have)}.")
    which = kind or have[0]
    try:
        board = Leaderboard.from_dict(stored[which])
        shape = len(board.methods), len(board.conditions)
        wrong = [
            name for name in ("methods", "metrics", "baselines", "conditions", "decisions") if not getattr(board, name)
        ]
        wrong += [name for name, array in board.values.items() if array.shape != shape]
        wrong += [name for name in board.metrics if name not in board.values and name != "sd_ratio"]
        wrong += [] if board.predicted.shape == shape else ["predicted"]
        table = None if wrong else board.table()
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        wrong, table = [f"{type(error).__name__}: {error}"], None
    if table is None:
        raise StorageError(
            f"adata.uns[{key!r}][{which!r}], the stored scores, was changed since it was written ({wrong[0]}). Predict again."
        )
    return table


def _scores_in(stored: dict[str, Any], key: str, context: str) -> dict[str, Any]:
    """The scores of one context, by kind."""
    if "covariates" not in stored:
        raise InputError(f"adata.uns[{key!r}] has one context only: leave context out.")
    names = ["|".join(map(str, row)) for row in stored["covariates"].to_numpy()]
    if context not in names:
        raise InputError(f"adata.uns[{key!r}] has no context {context!r}; there are: {', '.join(map(repr, names))}.")
    try:
        return dict(stored.get("context_scores", {}).get(str(names.index(context)), {}))
    except (AttributeError, TypeError, ValueError) as error:
        raise StorageError(
            f"adata.uns[{key!r}]['context_scores'], the stored scores, was changed since it was written ({error}). Predict again."
        ) from error
