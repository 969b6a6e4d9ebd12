"""What annotate stores, from what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import storage
from sc_annotate._core.slots import AMBIGUOUS, CONFIDENT, GIVEN, LOW_QUALITY, STATUSES, UNFAMILIAR, Slots
from sc_annotate.tl._quality import REASONS

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._core.read import Input
    from sc_annotate.tl._model import AnnotationModel
    from sc_annotate.tl._predict import Answer
    from sc_annotate.tl._training import LabelledCells


def account(
    adata: AnnData,
    model: AnnotationModel,
    query: Input,
    answer: Answer,
    given: LabelledCells | None,
    *,
    params: dict[str, Any],
    key: str,
    coverage: float,
    false_alarms: float,
) -> storage.Annotation:
    """What is stored, from what was found."""
    import pandas as pd

    slots = Slots(key)
    proba = answer.proba
    calls = model.classes[proba.argmax(axis=1)].astype(object)
    confidence = proba.max(axis=1)
    named_by = np.full(adata.n_obs, model.id, dtype=object)
    obs: dict[str, Any] = {}
    status = statuses(answer, false_alarms)
    if answer.set_size is not None:
        obs[slots.set_size] = answer.set_size
    if answer.unfamiliarity is not None:
        obs[slots.unfamiliarity] = answer.unfamiliarity
    if answer.low_quality is not None:
        obs[slots.low_quality] = reasons(answer, given)
    if given is not None:
        mask = given.given
        calls[mask], status[mask] = given.labels[mask], GIVEN
        confidence[mask], proba[mask], named_by[mask] = np.nan, np.nan, None
        if answer.set_size is not None:
            answer.set_size[mask] = 0
        if answer.unfamiliarity is not None:
            answer.unfamiliarity[mask] = np.nan
    present = {str(s) for s in status if s is not None}
    if present:
        obs[slots.status] = pd.Categorical(status, categories=[s for s in STATUSES if s in present])
    columns = {
        slots.call: pd.Categorical(calls, categories=sorted(set(calls))),
        slots.confidence: confidence.astype(np.float32),
        **obs,
        slots.model: pd.Categorical(named_by, categories=[model.id]),
    }
    about = model.about
    uns = {
        "method": model.method,
        "model": model.id,
        "params": params,
        "classes": model.classes.astype(object),
        "input": {
            "values": query.values.to_dict(),
            "genes": None if query.genes is None else query.genes.to_dict(),
            "matched_by": answer.how,
            "n_genes_of_model": len(model.means),
            "n_genes_shared": answer.n_shared,
            "n_cells_without_values": int(answer.zero_cells.sum()),
            "notes": answer.notes,
            "problems": answer.problems,
        },
        "reference": {
            "labels_key": about["labels_key"],
            "n_cells": about["n_cells"],
            "n_genes": about["n_genes"],
            "cells_per_type": model.counts,
            "values": about["values"],
            "genes": about["genes"],
            "notes": about["notes"],
            "versions": about["versions"],
        },
        **trusted(model, answer, coverage, false_alarms),
        "quality": answer.quality,
        "baseline": {} if model.evaluation is None else model.evaluation.to_uns(),
    }
    return storage.Annotation(columns, proba, uns)


def reasons(answer: Answer, given: LabelledCells | None) -> Any:
    """Why a cell is of low quality; missing for all others, and for cells whose label was given."""
    import pandas as pd

    found = np.full(len(answer.proba), None, dtype=object)
    low = answer.low_quality or {}
    for name in [name for name in reversed(REASONS) if name in low]:
        found[low[name]] = name
    found[answer.zero_cells] = "empty"
    if given is not None:
        found[given.given] = None
    return pd.Categorical(found, categories=[name for name in REASONS if (found == name).any()])


def statuses(answer: Answer, false_alarms: float) -> NDArray[np.object_]:
    """Whether to believe each call; None where the model knows nothing of that."""
    status = np.full(len(answer.proba), None, dtype=object)
    if answer.set_size is not None:
        status[:] = np.where(answer.set_size == 1, CONFIDENT, AMBIGUOUS)
    if answer.p_familiar is not None:
        status[answer.p_familiar < false_alarms] = UNFAMILIAR
    if answer.set_size is not None:
        # A call made from nothing, or from two cells, is not worth its confidence, whatever type it is.
        for mask in (answer.zero_cells, *(answer.low_quality or {}).values()):
            status[mask] = LOW_QUALITY
    return status


def trusted(model: AnnotationModel, answer: Answer, coverage: float, false_alarms: float) -> dict[str, Any]:
    """The entries of ``uns`` about calibration, sets and familiarity."""
    if model.trust is None:
        return {"calibration": {"method": "none"}}
    sets = model.trust.sets
    fell = sets.fallback(coverage)
    return {
        "calibration": tables(model.trust.report),
        "sets": {
            "coverage": coverage,
            "thresholds": sets.thresholds(coverage),
            **sets.to_arrays()[1],
            "types_with_the_common_threshold": [str(model.classes[i]) for i in fell["marginal"]],
            "types_in_every_set": [str(model.classes[i]) for i in fell["everything"]],
        },
        "familiarity": {} if answer.p_familiar is None else _familiarity(model, answer, false_alarms),
    }


def _familiarity(model: AnnotationModel, answer: Answer, false_alarms: float) -> dict[str, Any]:
    """Where the line to unfamiliar lies, and how the reference's own held-out cells lie to it."""
    known = model.trust.familiarity if model.trust else None
    n = len(answer.proba)
    unfamiliar = np.asarray(answer.p_familiar) < false_alarms
    return {
        "false_alarms": false_alarms,
        "n_unfamiliar": int(unfamiliar.sum()),
        "threshold": np.inf if known is None else known.threshold(false_alarms, n),
        "reference": np.empty(0) if known is None else np.quantile(known.reference(n), np.linspace(0, 1, 101)),
    }


def tables(report: Any) -> Any:
    """Columns of equal length as DataFrames, as they are looked at."""
    import pandas as pd

    if not isinstance(report, dict):
        return report
    if report and all(isinstance(v, list) for v in report.values()):
        frame = pd.DataFrame(
            {k: pd.Series(v, dtype=object if any(isinstance(x, str) for x in v) else float) for k, v in report.items()}
        )
        frame.index = frame.index.astype(str)
        return frame
    return {k: tables(v) for k, v in report.items()}


def colors(reference: Any, model: AnnotationModel, calls: Any) -> list[str] | None:
    """The reference's colours of the called types, where every one of them has one."""
    key = model.about["labels_key"]
    stored = getattr(reference, "uns", {}).get(f"{key}_colors")
    if stored is None or not hasattr(reference.obs.get(key), "cat"):
        return None
    categories = [str(c) for c in reference.obs[key].cat.categories]
    if len(stored) < len(categories):
        return None
    color = dict(zip(categories, map(str, stored), strict=False))
    return [color[c] for c in calls.categories] if all(c in color for c in calls.categories) else None
