"""Which pairs of perturbations do more, or less, than the sum of the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import sanitize
from sc_annotate._core.settings import logger
from sc_annotate._store.slots import lock, result_name
from sc_annotate._vocabulary.conditions import names_of
from sc_annotate.errors import StorageError
from sc_annotate.metrics import auroc
from sc_annotate.metrics.interactions import (
    average_precision,
    empirical_null,
    interaction_class,
    interaction_curve,
    local_fdr,
    tail_area_q,
)
from sc_annotate.perturbation.doubles import Doubles, changes, doubles
from sc_annotate.perturbation.screen import Recorded, check_profiles

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate.perturbation.requests import InteractionsRequest

TASK = "genetic_interactions"
_SCHEMA = 1
# Standard deviations of the null, in standard errors, from which on these do not explain what is seen.
_WIDE = 1.5
_CLASSES = ("buffering", "synergistic", "opposite", "other")


def interactions(profiles: AnnData, predictions: Any, key_added: str, request: InteractionsRequest) -> None:
    """Test the doubles, compare predictions of them, and store the result."""
    check_profiles(profiles)
    _check_writable(profiles, key_added)
    if predictions is None:
        request.refuse("predictions_are", why="there are no predictions")
    recorded = Recorded.of(profiles)
    if recorded is not None and recorded.is_lfc:
        request.refuse("n_top", why="log fold changes have no gene that is highest in control: all genes are used")
    found, omitted = doubles(profiles, request.n_top, request.standardise)
    predicted = changes({} if predictions is None else predictions, found, request.predictions_are)
    z = found.deviation if found.error is None else found.deviation / found.error
    null = empirical_null(z)
    q, local = tail_area_q(z, null), local_fdr(z, null)
    notes: list[str] = []
    if found.error is not None and not null.sigma0 < _WIDE:
        notes.append(
            f"most deviations are {null.sigma0:.1f} times as large as their standard errors: something shared by all doubles, such "
            "as a shift between control and perturbed cells, is not additive, and the false discovery rate does not hold"
        )
        logger.warning(notes[-1])
    # NaN is never significant.
    significant = (q if request.select_by == "tail_area" else local) <= request.fdr
    kinds = interaction_class(found.first[significant], found.second[significant], found.both[significant])
    order = np.argsort(q[significant], kind="stable")
    scores = {"deviation": found.deviation, "z": z, "q": q, "local_fdr": local}
    result: dict[str, Any] = {
        "schema": _SCHEMA,
        "task": TASK,
        "params": request.to_uns(),
        "null": {"delta0": null.delta0, "sigma0": null.sigma0, "p0": null.p0},
        "notes": notes,
        "doubles": names_of(found.targets),
        "genes": found.genes,
        **scores,
        "interaction": significant,
        "classes": {kind: int((kinds == kind).sum()) for kind in _CLASSES},
        "n_pairs": int(np.isfinite(z).sum()),
        "table": _table(found, significant, {name: each[significant] for name, each in scores.items()}, kinds, order),
        "omitted": omitted,
    }
    if significant.any():
        result["curves"] = _curves(found, predicted, significant, np.isfinite(z))
    entry = sanitize(result, where=f"uns[{key_added!r}]")
    with lock():
        _check_writable(profiles, key_added)
        # The whole mapping, so that a view becomes an object of its own without a warning.
        profiles.uns = {**profiles.uns, key_added: entry}


def _check_writable(profiles: AnnData, key: str) -> None:
    result_name(key)
    stored = profiles.uns.get(key)
    if key in profiles.uns and not (isinstance(stored, dict) and stored.get("task") == TASK):
        raise StorageError(
            f"profiles.uns[{key!r}] exists already and was not written by this function. Choose another key_added, or "
            "rename or delete it."
        )


def _table(
    found: Doubles,
    significant: NDArray[np.bool_],
    scores: dict[str, NDArray[np.float64]],
    kinds: NDArray[np.str_],
    order: NDArray[np.intp],
) -> pd.DataFrame:
    """The significant pairs in `order`; `scores` and `kinds` are those of these pairs."""
    import pandas as pd

    double, gene = np.nonzero(significant)
    columns = {
        "condition": names_of(found.targets)[double].astype(object),
        "gene": found.genes[gene].astype(object),
        **scores,
        "class": kinds.astype(object),
    }
    index = [str(i) for i in range(order.size)]
    return pd.DataFrame({name: values[order] for name, values in columns.items()}, index=index)


def _curves(
    found: Doubles, predicted: dict[str, NDArray[np.float64]], significant: NDArray[np.bool_], tested: NDArray[np.bool_]
) -> dict[str, Any]:
    """How well each prediction ranks the significant pairs, on those that all methods predict."""
    total = found.first + found.second
    there = {name: bool(np.isfinite(each).any()) for name, each in predicted.items()}
    common = tested & np.all([np.isfinite(g) for name, g in predicted.items() if there[name]], axis=0)
    if not significant[common].any():
        there = dict.fromkeys(there, False)
    undefined = float("nan")
    tpr, area, roc = [], [], []
    for name, each in predicted.items():
        score = np.abs(each - total)[common]
        ok = there[name]
        tpr.append(interaction_curve(score, significant[common])[1] if ok else np.full(101, np.nan))
        area.append(average_precision(score, significant[common]) if ok else undefined)
        roc.append(auroc(significant[common], score) if ok and not significant[common].all() else undefined)
    return {
        "methods": np.array(list(predicted), dtype=object),
        "status": np.array(["scored" if there[name] else "missing" for name in predicted], dtype=object),
        "fdp": np.linspace(0, 1, 101),
        "tpr": np.stack(tpr),
        "average_precision": np.array(area),
        "auroc": np.array(roc),
        "n_doubles": np.array([int(np.isfinite(g).all(axis=1).sum()) for g in predicted.values()]),
        "n_scored": int(common.sum()),
        "n_dropped": int((tested & ~common).sum()),
    }
