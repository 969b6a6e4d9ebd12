"""What annotate stores, from what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import storage
from sc_annotate._core.slots import GIVEN, Slots

if TYPE_CHECKING:
    from anndata import AnnData

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
    store_proba: bool,
) -> storage.Annotation:
    """What is stored, from what was found."""
    import pandas as pd

    slots = Slots(key)
    proba = answer.proba
    calls = model.classes[proba.argmax(axis=1)].astype(object)
    confidence = proba.max(axis=1)
    named_by = np.full(adata.n_obs, model.id, dtype=object)
    obs: dict[str, Any] = {}
    if given is not None:
        mask = given.given
        calls[mask] = given.labels[mask]
        confidence[mask], proba[mask], named_by[mask] = np.nan, np.nan, None
        obs[slots.status] = pd.Categorical([GIVEN if m else None for m in mask], categories=[GIVEN])
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
        "calibration": {"method": "none"},
        "baseline": {} if model.evaluation is None else model.evaluation.to_uns(),
    }
    return storage.Annotation(columns, proba if store_proba else None, uns)


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
