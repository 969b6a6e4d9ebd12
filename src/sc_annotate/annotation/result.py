"""What annotate stores, from what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._store import storage
from sc_annotate._store.slots import AMBIGUOUS, CONFIDENT, GIVEN, LOW_QUALITY, STATUSES, UNFAMILIAR, Slots
from sc_annotate.annotation.evidence.coefficients import kept_coefficients
from sc_annotate.annotation.levels import add_levels
from sc_annotate.annotation.quality import REASONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.read import Input
    from sc_annotate.annotation.model import AnnotationModel
    from sc_annotate.annotation.predict import Answer
    from sc_annotate.annotation.training import LabelledCells


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
    false_alarms: float | None,
) -> storage.Annotation:
    """What is stored, from what was found."""
    import pandas as pd

    slots = Slots(key)
    proba = answer.proba
    levels = model.levels if given is None else given.levels
    mask = np.zeros(adata.n_obs, dtype=bool) if given is None else given.given
    confidence = answer.confidence
    obs: dict[str, Any] = {}
    status = statuses(answer, false_alarms)
    if answer.set_size is not None:
        obs[slots.set_size] = answer.set_size
    if answer.unfamiliarity is not None:
        obs[slots.unfamiliarity] = answer.unfamiliarity
    if answer.low_quality is not None:
        obs[slots.low_quality] = categorical(reasons(answer, mask), REASONS)
    codes, names = answer.code.astype(np.intp), model.classes
    if given is not None:
        names = np.union1d(model.classes, given.labels[mask])
        codes = np.searchsorted(names, model.classes)[codes]
        codes[mask] = np.searchsorted(names, given.labels[mask])
        status[mask] = STATUSES.index(GIVEN)
        confidence[mask] = np.nan
        if isinstance(proba, np.ndarray):
            proba[mask] = np.nan
        if answer.set_size is not None:
            answer.set_size[mask] = 0
        if answer.unfamiliarity is not None:
            answer.unfamiliarity[mask] = np.nan
    if (status >= 0).any():
        obs[slots.status] = categorical(status, STATUSES)
    columns = {
        slots.label: categorical(codes, names),
        slots.confidence: confidence.astype(np.float32),
        **obs,
        slots.model: pd.Categorical.from_codes(np.where(mask, -1, 0), pd.Index([model.id])),
    }
    about = model.about
    uns = {
        "method": model.method,
        "model": model.id,
        "params": params,
        "classes": model.classes.astype(object),
        "proba": "none" if proba is None else "all" if isinstance(proba, np.ndarray) else "topk",
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
        **kept_coefficients(model),
        "quality": answer.quality,
        "baseline": {} if model.evaluation is None else model.evaluation.to_uns(),
    }
    annotation = storage.Annotation(columns, proba, uns)
    if levels is not None and answer.level_confidence is not None:
        place = np.searchsorted(levels.labels[:, -1], names)
        add_levels(annotation, key, levels, place[codes], answer.level_confidence, mask, model.level_scores)
    return annotation


def categorical(codes: NDArray[Any], names: Sequence[str] | NDArray[np.str_]) -> Any:
    """A categorical with the names that occur as categories, in their order; code -1 is missing."""
    import pandas as pd

    occur = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(names)))
    place = np.full(len(names) + 1, -1, dtype=np.intp)
    place[occur] = np.arange(len(occur))
    return pd.Categorical.from_codes(place[codes], pd.Index([str(names[int(i)]) for i in occur], dtype=object))


def reasons(answer: Answer, given: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Why a cell is of low quality, in the order of `REASONS`; -1 for all others, and for cells whose label was given."""
    found = np.full(len(answer.code), -1, dtype=np.int8)
    low = answer.low_quality or {}
    for code in reversed(range(len(REASONS))):
        if REASONS[code] in low:
            found[low[REASONS[code]]] = code
    found[answer.zero_cells] = REASONS.index("empty")
    found[given] = -1
    return found


def statuses(answer: Answer, false_alarms: float | None) -> NDArray[np.int8]:
    """Whether to believe each call, in the order of `STATUSES`; -1 where the model knows nothing of that."""
    status = np.full(len(answer.code), -1, dtype=np.int8)
    if answer.set_size is not None:
        status[:] = np.where(answer.set_size == 1, STATUSES.index(CONFIDENT), STATUSES.index(AMBIGUOUS))
    if answer.p_familiar is not None and false_alarms is not None:
        status[answer.p_familiar < false_alarms] = STATUSES.index(UNFAMILIAR)
    if answer.set_size is not None:
        # A call made from nothing, or from two cells, is not worth its confidence, whatever type it is.
        for mask in (answer.zero_cells, *(answer.low_quality or {}).values()):
            status[mask] = STATUSES.index(LOW_QUALITY)
    return status


def trusted(model: AnnotationModel, answer: Answer, coverage: float, false_alarms: float | None) -> dict[str, Any]:
    """The entries of ``uns`` about calibration, sets and familiarity."""
    if model.trust is None:
        note = model.about.get("uncalibrated")
        return {"calibration": {"method": "none"} | ({} if note is None else {"note": str(note)})}
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
        "familiarity": {}
        if answer.p_familiar is None or false_alarms is None
        else _familiarity(model, answer, false_alarms),
    }


def _familiarity(model: AnnotationModel, answer: Answer, false_alarms: float) -> dict[str, Any]:
    """Where the line to unfamiliar lies, and how the reference's own held-out cells lie to it."""
    known = model.trust.familiarity if model.trust else None
    n = int(np.isfinite(np.asarray(answer.p_familiar)).sum())
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
