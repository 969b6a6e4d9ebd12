"""What `annotate` stores, from what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import sanitize
from sc_annotate._core.settings import say
from sc_annotate._data.read import open_counts, open_input
from sc_annotate._store import storage
from sc_annotate._store.slots import AMBIGUOUS, CONFIDENT, GIVEN, LOW_QUALITY, REASONS, STATUSES, UNFAMILIAR, Slots
from sc_annotate.annotation.fitted import Query, kept_coefficients
from sc_annotate.annotation.predict import predict
from sc_annotate.errors import InputError, MatrixError
from sc_annotate.trust.options import MIN_CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate.annotation.fitted import FittedModel
    from sc_annotate.annotation.predict import Prediction
    from sc_annotate.annotation.requests import AnnotateRequest, PredictRequest


def query_of_model(adata: AnnData, model: FittedModel, matrix: MatrixRequest) -> Query:
    """Cells for a fitted model, whose problems are theirs too."""
    return Query(adata, matrix, open_input(adata, matrix), problems=list(model.provenance.problems))


def label_cells(query: Query, model: FittedModel, request: AnnotateRequest) -> storage.Annotation:
    """What the model predicts for the cells, ready to be stored; what looks wrong is logged."""
    prediction = predict(query, model, request.ask, counts=_counts(query, model, request.ask))
    say(prediction.problems)
    return build(query, model, prediction, request)


def _counts(query: Query, model: FittedModel, ask: PredictRequest) -> Any:
    """The counts that quality is measured on, where that is wanted; an error where they are missing."""
    wanted = ask.trust.check_quality
    if wanted and model.trust is None:
        raise InputError(
            "check_quality=True needs a model with calibration, which is switched off or had too few cells."
        )
    counts = open_counts(query.adata, query.found)
    if wanted and counts is None:
        raise MatrixError(
            "check_quality=True needs the counts of adata, in the matrix that is used or in layers['counts'] for the same "
            f"genes. {query.found.alternatives}"
        )
    return counts if wanted is None or wanted else None


def build(query: Query, model: FittedModel, prediction: Prediction, request: AnnotateRequest) -> storage.Annotation:
    """Columns, probabilities and ``uns`` of one method's result."""
    import pandas as pd

    slots, ask = Slots(request.key), request.ask
    proba, confidence = prediction.proba, prediction.confidence
    labelled = np.zeros(len(prediction.code), dtype=bool) if query.labelled is None else query.labelled
    status = statuses(prediction, ask.trust.false_positive_rate, ask.trust.min_confidence)
    obs: dict[str, Any] = {}
    if prediction.set_size is not None:
        obs[slots.set_size] = prediction.set_size
    if prediction.unfamiliarity is not None:
        obs[slots.unfamiliarity] = prediction.unfamiliarity
    if prediction.groups is not None:
        obs[slots.group] = categorical(prediction.groups.group, prediction.groups.record["table"]["group"].to_numpy())
    if prediction.low_quality is not None:
        obs[slots.low_quality] = categorical(reasons(prediction, labelled), REASONS)
    codes, names = prediction.code.astype(np.intp), model.classes
    if query.cells is not None:
        labels = query.cells.labels
        names = np.union1d(model.classes, labels[labelled])
        codes = np.searchsorted(names, model.classes)[codes]
        codes[labelled] = np.searchsorted(names, labels[labelled])
        status[labelled] = STATUSES.index(GIVEN)
        confidence[labelled] = np.nan
        if isinstance(proba, np.ndarray):
            proba[labelled] = np.nan
        if prediction.set_size is not None:
            prediction.set_size[labelled] = 0
        if prediction.unfamiliarity is not None:
            prediction.unfamiliarity[labelled] = np.nan
    if (status >= 0).any():
        obs[slots.status] = categorical(status, STATUSES)
    columns = {
        slots.label: categorical(codes, names),
        slots.confidence: confidence.astype(np.float32),
        **obs,
        slots.model: pd.Categorical.from_codes(np.where(labelled, -1, 0), pd.Index([model.id])),
    }
    annotation = storage.Annotation(columns, proba, _uns(query, model, prediction, request))
    levels = model.levels if query.cells is None else query.cells.levels
    if levels is not None and prediction.level_confidence is not None:
        from sc_annotate.annotation.levels import add_levels

        place = np.searchsorted(levels.labels[:, -1], names)
        confidence = np.where(labelled[:, None], np.float32(np.nan), prediction.level_confidence)
        add_levels(annotation, request.key, levels, place[codes], confidence, model.level_scores)
    return annotation


def _uns(query: Query, model: FittedModel, prediction: Prediction, request: AnnotateRequest) -> dict[str, Any]:
    """What is recorded of a result: the method, its arguments, what was found in the input, and how far to trust it."""
    found, provenance = query.found, model.provenance
    proba = prediction.proba
    return {
        "method": model.method,
        "model": model.id,
        "params": _params(query, model, request),
        "classes": model.classes.astype(object),
        "proba": "none" if proba is None else "all" if isinstance(proba, np.ndarray) else "topk",
        "input": {
            "values": found.values,
            "genes": found.genes,
            **found.left_out,
            "matched_by": prediction.matched_by,
            "n_genes_of_model": len(model.means),
            "n_genes_shared": prediction.n_shared,
            "n_cells_without_values": int(prediction.zero_cells.sum()),
            "notes": prediction.notes,
            "problems": prediction.problems,
        },
        "reference": {
            "labels_key": provenance.labels_key,
            "n_cells": provenance.n_cells,
            "n_genes": provenance.n_genes,
            "cells_per_type": model.counts,
            "values": provenance.values,
            "genes": provenance.genes,
            "notes": provenance.notes,
            "versions": provenance.versions,
            **_origin(provenance.converted_from),
        },
        **trusted(model, prediction, request.ask),
        **kept_coefficients(model, prediction.shift),
        "quality": prediction.quality,
        **({"alignment": prediction.alignment} if prediction.alignment else {}),
        **({} if model.history is None else {"history": model.history}),
        "baseline": {} if model.evaluation is None else model.evaluation.to_uns(),
    }


def _params(query: Query, model: FittedModel, request: AnnotateRequest) -> dict[str, Any]:
    """The arguments that the result follows from, under the names that users write."""
    levels = model.levels if query.cells is None else query.cells.levels
    ask = request.ask
    return {
        "labels_key": model.provenance.labels_key if levels is None else list(levels.names),
        **model.provenance.params,
        **request.matrix.to_uns(),
        "reference_layer": sanitize(request.reference_matrix.layer),
        "vote": request.vote,
        "coverage": float(ask.coverage),
        **{
            name: sanitize(getattr(ask.trust, name))
            for name in ("false_positive_rate", "check_quality", "min_overlap", "min_confidence", "align")
        },
    }


def _origin(found: dict[str, Any] | None) -> dict[str, Any]:
    """Which file a converted model was made from: of its description, which may have any keys, those that we know."""
    known = ("source", "trained_by", "url", "sha256", "version", "date", "published")
    return {} if found is None else {"converted_from": {key: found[key] for key in known if key in found}}


def categorical(codes: NDArray[Any], names: Sequence[str] | NDArray[np.str_]) -> Any:
    """A categorical with the names that occur as categories, in their order; code -1 is missing."""
    import pandas as pd

    occur = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(names)))
    place = np.full(len(names) + 1, -1, dtype=np.intp)
    place[occur] = np.arange(len(occur))
    return pd.Categorical.from_codes(place[codes], pd.Index([str(names[int(i)]) for i in occur], dtype=object))


def reasons(prediction: Prediction, labelled: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Why a cell is of low quality, in the order of `REASONS`; -1 for all others, and for cells with a label."""
    found = np.full(len(prediction.code), -1, dtype=np.int8)
    low = prediction.low_quality or {}
    for code in reversed(range(len(REASONS))):
        if REASONS[code] in low:
            found[low[REASONS[code]]] = code
    found[prediction.zero_cells] = REASONS.index("empty")
    found[labelled] = -1
    return found


def statuses(
    prediction: Prediction, false_positive_rate: float | None, min_confidence: float = MIN_CONFIDENCE
) -> NDArray[np.int8]:
    """Whether to trust each label, in the order of `STATUSES`; -1 where the model has no trust.

    ``confident`` asks for a set of one type, a confidence of `min_confidence`, and no reason in ``prediction.uncertain``.
    """
    status = np.full(len(prediction.code), -1, dtype=np.int8)
    if prediction.set_size is not None:
        sure = (prediction.set_size == 1) & (prediction.confidence >= min_confidence)
        for mask in prediction.uncertain.values():
            sure &= ~mask
        status[:] = np.where(sure, STATUSES.index(CONFIDENT), STATUSES.index(AMBIGUOUS))
    if prediction.p_familiar is not None and false_positive_rate is not None:
        status[prediction.p_familiar < false_positive_rate] = STATUSES.index(UNFAMILIAR)
    if prediction.unfamiliar is not None:
        status[prediction.unfamiliar] = STATUSES.index(UNFAMILIAR)
    if prediction.set_size is not None:
        # A label of no values, or of two cells, is not worth its confidence, whatever type it is.
        for mask in (prediction.zero_cells, *(prediction.low_quality or {}).values()):
            status[mask] = STATUSES.index(LOW_QUALITY)
    return status


def trusted(model: FittedModel, prediction: Prediction, ask: PredictRequest) -> dict[str, Any]:
    """The entries of ``uns`` about calibration, sets and out-of-distribution scores."""
    if model.trust is None:
        note = model.provenance.uncalibrated
        return {"calibration": {"method": "none"} | ({} if note is None else {"note": note})}
    sets = model.trust.sets
    fell = sets.fallback(ask.coverage)
    return {
        "calibration": model.trust.report,
        "sets": {
            "coverage": float(ask.coverage),
            "thresholds": sets.thresholds(ask.coverage),
            **sets.to_arrays()[1],
            "types_with_the_common_threshold": [str(model.classes[i]) for i in fell["marginal"]],
            "types_in_every_set": [str(model.classes[i]) for i in fell["all_types"]],
        },
        "familiarity": _familiarity(model, prediction, ask.trust.false_positive_rate),
        "groups": {} if prediction.groups is None else prediction.groups.record,
    }


def _familiarity(model: FittedModel, prediction: Prediction, rate: float | None) -> dict[str, Any]:
    """The threshold of the status unfamiliar, and the scores of the reference's own held-out cells."""
    if prediction.p_familiar is None or rate is None:
        return {}
    known = model.trust.familiarity if model.trust else None
    n = int(np.isfinite(np.asarray(prediction.p_familiar)).sum())
    return {
        "false_positive_rate": rate,
        "n_unfamiliar": int((np.asarray(prediction.p_familiar) < rate).sum()),
        "threshold": np.inf if known is None else known.threshold(rate, n),
        "reference": np.empty(0) if known is None else np.quantile(known.reference(n), np.linspace(0, 1, 101)),
    }


def colors(reference: Any, model: FittedModel, labels: Any) -> list[str] | None:
    """The reference's colours of the predicted types, where every one of them has one."""
    key = model.provenance.labels_key
    stored = getattr(reference, "uns", {}).get(f"{key}_colors")
    if stored is None or not hasattr(reference.obs.get(key), "cat"):
        return None
    categories = [str(c) for c in reference.obs[key].cat.categories]
    if len(stored) < len(categories):
        return None
    color = dict(zip(categories, map(str, stored), strict=False))
    return [color[c] for c in labels.categories] if all(c in color for c in labels.categories) else None
