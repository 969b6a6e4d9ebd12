"""Label cells by lists of marker genes, without a reference."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from sc_annotate._core.arguments import one_of
from sc_annotate._core.settings import logger
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.obs import in_memory, with_tables
from sc_annotate._store import storage
from sc_annotate._store.slots import TOP_K
from sc_annotate.annotation.block import largest
from sc_annotate.annotation.cell_groups import read_groups
from sc_annotate.annotation.markers.markers_request import ASSIGNED, RANKED
from sc_annotate.annotation.markers.markers_result import MarkerLabels, result_of
from sc_annotate.annotation.markers.scored import Scored, score_cells
from sc_annotate.annotation.requests import Keep
from sc_annotate.annotators.marker_scores import fits_none, shares
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._vocabulary.marker_lists.lists import MarkerLists
    from sc_annotate.annotation.markers.markers_request import LabelsRequest


def label_by_markers(
    adata: AnnData,
    markers: Any,
    groupby: str | None,
    request: LabelsRequest,
    matrix: MatrixRequest,
    *,
    store_proba: Keep,
    key_added: str,
) -> None:
    """Store the label of each cell, or of each group of cells."""
    check_adata(adata, what="adata")
    storage.check_writable(adata, key_added)
    one_of(store_proba, "store_proba", get_args(Keep))
    if groupby is not None and request.by == ASSIGNED:
        raise InputError(
            "groupby: by='cellassign' labels each cell by its own counts. Leave it out; sca.tl.vote lets groups vote."
        )
    if isinstance(groupby, str) and groupby in own_columns(adata, key_added):
        raise InputError(
            f"adata.obs[{groupby!r}] (groupby) is part of the result {key_added!r} itself, which would be replaced. Choose another "
            "key_added."
        )
    lists = request.lists(markers)
    target, adata = adata, with_tables(adata)
    groups = None if groupby is None else read_groups(adata, groupby)
    more: dict[str, Any] = {}
    if request.by in RANKED:
        from sc_annotate.annotation.markers.ranked import rank_cells

        scored, labels, more = rank_cells(adata, lists, request, matrix, groups, groupby, key_added)
    elif request.by == ASSIGNED:
        from sc_annotate.annotation.markers.assigned import assign_cells

        scored, labels = assign_cells(adata, lists, request, matrix)
    else:
        scored = score_cells(adata, lists, request, matrix, groups)
        proba = shares(scored.scores).astype(np.float32)
        labels = MarkerLabels(proba, fits_none(scored.scores), scored.silent, groups)
    read = {name: value for name, value in matrix.to_uns().items() if name != "use_rep"}
    params = {**request.to_uns(), "markers": lists.source, "groupby": groupby, **read}
    result = result_of(scored, lists, labels, params=params, model=_id(lists, scored, params), key=key_added)
    result.obs |= more.get("obs", {})
    result.uns |= more.get("uns", {})
    if store_proba != "all":
        result.proba = largest(result.proba, TOP_K) if store_proba == "topk" else None
    result.uns["proba"] = store_proba or "none"
    storage.write(target, key_added, result)
    for problem in result.uns["input"]["problems"]:
        logger.warning(problem)
    for note in labels.notes:
        logger.info(note)
    logger.info(labels.log)


def own_columns(adata: AnnData, key: str) -> set[str]:
    """Columns of ``obs`` that the result under this key has written."""
    stored = in_memory(adata.uns.get(key))
    return {str(name) for name in stored.get("written", ())} if storage.is_result(stored) else set()


def _id(lists: MarkerLists, scored: Scored, params: dict[str, Any]) -> str:
    """Ten characters that change with the lists, the genes that were found, or the parameters."""
    digest = hashlib.sha256(json.dumps(params, sort_keys=True, default=str).encode())
    for text in (*lists.types.tolist(), *lists.genes.tolist(), *scored.matched.types.tolist()):
        digest.update(text.encode() + b"\0")
    for array in (lists.type_of.astype(np.int64), lists.weights, scored.matched.weights.sum(axis=0)):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:10]
