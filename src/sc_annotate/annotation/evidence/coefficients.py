"""The model that evidence is taken from: one that is passed, or the coefficients kept beside the labels."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import registry
from sc_annotate._store.storage import model_ids
from sc_annotate._store.stored import method_names, refuse_imported, refuse_markers
from sc_annotate.annotation.fitted import EvidenceModel
from sc_annotate.annotators.stored_coefficients import stored_coefficients
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


def _names(lists: dict[str, Any]) -> dict[str, NDArray[np.str_]]:
    list_names = [str(name) for name in np.ravel(lists["list_names"])]
    return {name: np.array([str(v) for v in lists[f"list_{i}"]]) for i, name in enumerate(list_names)}


def evidence_model(adata: AnnData, key: str, stored: dict[str, Any], model: Any) -> EvidenceModel:
    """The model that labelled these cells: the one passed, after a check that it is that one, else the stored coefficients."""
    from sc_annotate.annotation.load import load
    from sc_annotate.annotation.model import AnnotationModel

    refuse_markers(key, stored)
    if methods := method_names(adata, key):
        raise StorageError(
            f"adata.uns[{key!r}] is a consensus, which has no evidence of its own. Use one of its methods, such as "
            f"key={methods[0]!r}."
        )
    refuse_imported(stored, key, "model, and so no evidence")
    if isinstance(model, str | os.PathLike):
        model = load(model)
    if model is not None and not isinstance(model, AnnotationModel):
        raise InputError(
            f"model must be a fitted model, the path of a saved one, or None, not a {type(model).__name__}."
        )
    own = str(stored.get("model"))
    others = [name for name in model_ids(adata, key) if name != own]
    if others:
        raise StorageError(
            f"cells of adata were labelled by the models {', '.join([own, *others])}: objects of different models were "
            "concatenated. Run evidence before concatenating, or annotate again."
        )
    if model is not None:
        if model.id != own:
            raise InputError(
                f"the model passed has the id {model.id}, and the cells of {key!r} were labelled by {own}. Pass the one that "
                "labelled them, or annotate again with this one: `annotate(adata, model)`."
            )
        if model.input == "embedding":
            raise InputError(f"{key!r} was annotated from a representation (use_rep), which has no genes.")
        return EvidenceModel(model.annotator, model.classes, model.names, model.means, model.input, model.panel)
    kept = stored.get("coefficients")
    if not isinstance(kept, dict) or "values" not in kept:
        _of_no_transductive(stored, key)
        raise StorageError(
            f"adata.uns[{key!r}] has no coefficients: method {str(stored.get('method'))!r} is not linear, is one of very many "
            "genes and types, or used no genes. Fit it with `model = sca.tl.fit_annotator(...)`, annotate with "
            "`annotate(adata, model)`, and pass model=model here."
        )
    classes = np.array([str(c) for c in stored["classes"]])
    values = np.asarray(kept["values"], dtype=np.float32)
    return EvidenceModel(
        stored_coefficients(values.T, kept["intercept"], classes, link=str(kept["link"]), limits=kept.get("limits")),
        classes,
        _names(kept["names"]),
        np.asarray(kept["means"], dtype=np.float32),
        str(kept["input"]),
        _names(kept["panel"]) if "panel" in kept else None,
    )


def _of_no_transductive(stored: dict[str, Any], key: str) -> None:
    """Refuse a result whose model saw these very cells, and is gone."""
    method = str(stored.get("method"))
    known = registry.table("annotation").get(method)
    if known is not None and known.transductive:
        raise StorageError(
            f"{method!r}, which labelled the cells of {key!r}, is fitted anew for each object and keeps no model that could say which "
            "genes its labels rest on. Annotate with another method beside it, such as logreg or nact, under another key_added."
        )
