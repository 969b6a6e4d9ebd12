"""Read a stored annotation back, checked: what `get` hands out as tables and `pl` draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sc_annotate._core.matrix import check_adata
from sc_annotate._core.slots import Slots
from sc_annotate._core.storage import check_key, model_ids, read_uns
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray


def read_calls(adata: AnnData, key: str) -> pd.DataFrame:
    """The columns of ``obs`` that an annotation owns, by plain names; also of concatenated objects, without ``uns``."""
    check_adata(adata, what="adata")
    slots = check_key(key)
    names = {
        slots.call: "label",
        slots.confidence: "confidence",
        slots.status: "status",
        slots.set_size: "set_size",
        slots.unfamiliarity: "unfamiliarity",
        slots.disagreement: "disagreement",
        slots.voted: "voted",
        slots.voted_share: "voted_share",
        slots.model: "model",
    }
    if slots.call not in adata.obs or slots.model not in adata.obs:
        read_uns(adata, key)  # says what there is
        raise StorageError(
            f"adata.obs lacks {slots.call!r} or {slots.model!r}: columns of the result were deleted. Annotate again."
        )
    found = cast("pd.DataFrame", adata.obs[[name for name in names if name in adata.obs]])
    return found.rename(columns=names)


def read_probabilities(adata: AnnData, key: str) -> pd.DataFrame:
    """Cells x types with the names of the types; refuses columns that do not belong to the cells any more."""
    import pandas as pd

    stored = read_uns(adata, key)
    slots = Slots(key)
    classes = np.array([str(c) for c in stored["classes"]])
    if slots.proba not in adata.obsm:
        raise StorageError(
            f"adata.obsm has no {slots.proba!r}: the probabilities were not stored (store_proba=False), or were deleted. "
            "Annotate again with store_proba='all'."
        )
    ids = model_ids(adata, key)
    if any(i != str(stored["model"]) for i in ids):
        raise StorageError(
            f"the cells of adata were named by the models {', '.join(ids)}, but adata.uns[{key!r}] describes "
            f"{stored['model']}: objects of different models were concatenated, and the columns of the probabilities do not "
            "agree. Take the probabilities before concatenating, or annotate again."
        )
    values: NDArray[Any] = np.asarray(adata.obsm[slots.proba])
    if values.ndim != 2 or values.shape[1] != len(classes):
        raise StorageError(
            f"adata.obsm[{slots.proba!r}] has shape {values.shape}, and adata.uns[{key!r}] names {len(classes)} types. "
            "Annotate again."
        )
    return pd.DataFrame(values, index=adata.obs_names, columns=classes)


def read_baseline(adata: AnnData, key: str) -> dict[str, Any]:
    """The held-out scores of an annotation."""
    baseline = read_uns(adata, key).get("baseline")
    if not isinstance(baseline, dict) or "scores" not in baseline or "confusion" not in baseline:
        raise StorageError(
            f"adata.uns[{key!r}]['baseline'] has no held-out scores: it was annotated with cv=0, or with a model that was "
            "fitted so. Annotate again with cv=1 (one hold-out) or more folds."
        )
    return baseline
