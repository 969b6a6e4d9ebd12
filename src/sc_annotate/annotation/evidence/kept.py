"""The coefficients of a linear model, stored with its labels, so that evidence needs no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.registry import capabilities_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.annotation.fitted import FittedModel
    from sc_annotate.trust import Shift

MOST_NUMBERS = 4_000_000
"""Coefficients that are stored with a result at most: 16 MB."""


@dataclass(frozen=True)
class EvidenceModel:
    """The parts of a fitted model that evidence needs."""

    annotator: Any
    classes: NDArray[np.str_]
    names: dict[str, NDArray[np.str_]]
    means: NDArray[np.float32]
    input: str
    panel: dict[str, NDArray[np.str_]] | None


def kept_coefficients(model: FittedModel, shift: Shift | None = None) -> dict[str, Any]:
    """The entry ``coefficients`` of an annotation; empty for a model that is not linear, not of genes, or too large.

    What the `shift` of an aligned query adds to the scores is taken off the intercept.
    """
    if not capabilities_of(model.annotator).linear:
        return {}
    if model.input == "embedding" or len(model.means) * len(model.classes) > MOST_NUMBERS:
        return {}
    coef, intercept = model.annotator.coefficients()
    if shift is not None:
        intercept = shift.apply(intercept)
    entry: dict[str, Any] = {
        "genes": model.names["var_names"].astype(object),
        "values": np.ascontiguousarray(coef.T, dtype=np.float32),
        "intercept": np.asarray(intercept, dtype=np.float32),
        "link": str(model.annotator.link),
        "means": model.means,
        "input": model.input,
        "names": _lists(model.names),
    }
    # Methods of other packages may have none.
    limits = getattr(model.annotator, "limits", None)
    if limits is not None and (most := limits()) is not None:
        entry["limits"] = np.asarray(most, dtype=np.float32)
    if model.panel is not None:
        entry["panel"] = _lists(model.panel)
    return {"coefficients": entry}


def _lists(names: dict[str, NDArray[np.str_]]) -> dict[str, Any]:
    """Lists of names, numbered, and the names of the lists: these may not be valid keys of a file."""
    lists = {f"list_{i}": values.astype(object) for i, values in enumerate(names.values())}
    return {"list_names": np.array(list(names), dtype=object)} | lists
