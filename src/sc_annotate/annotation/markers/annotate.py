"""Name cells by lists of marker genes, without a reference."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import whole
from sc_annotate._core.progress import logger
from sc_annotate._data.columns import check_column
from sc_annotate._data.lazy import with_tables
from sc_annotate._store import storage
from sc_annotate._store.slots import TOP_K
from sc_annotate._vocabulary.marker_lists.lists import read_markers
from sc_annotate.annotation.block import largest
from sc_annotate.annotation.markers.result import Named, account
from sc_annotate.annotation.markers.scored import Scored, score_cells
from sc_annotate.annotators.marker_scores import SCORES, fits_none, shares
from sc_annotate.errors import InputError, MethodError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.transform import Stated
    from sc_annotate._vocabulary.marker_lists.lists import MarkerLists
    from sc_annotate.annotation.block import Keep
    from sc_annotate.annotators.marker_scores import Score


@dataclass(frozen=True)
class Rule:
    """The parameters of ``method="markers"``, as ``method_kwargs`` gives them."""

    score: Score = "zscore"
    min_genes: int = 1
    min_support: int = 1
    type_column: str | None = None
    gene_column: str | None = None
    weight_column: str | None = None
    sign_column: str | None = None
    id_column: str | None = None

    @property
    def columns(self) -> dict[str, str | None]:
        """The columns that were named, by their role."""
        return {role: getattr(self, f"{role}_column") for role in ("type", "gene", "weight", "sign", "id")}

    def to_dict(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


def read_rule(method_kwargs: Mapping[str, Any] | None) -> Rule:
    """The parameters, checked."""
    if method_kwargs is not None and not hasattr(method_kwargs, "keys"):
        raise InputError(f"method_kwargs must be a dict of parameters, not {method_kwargs!r}.")
    given = dict(method_kwargs or {})
    known = [f.name for f in fields(Rule)]
    if wrong := sorted(str(k) for k in given if k not in known):
        raise MethodError(f"markers has no parameter {', '.join(map(repr, wrong))}. It takes: {', '.join(known)}.")
    for name in ("min_genes", "min_support"):
        if name in given:
            given[name] = whole(given[name], name, least=1)
    rule = Rule(**given)
    if rule.score not in SCORES:
        raise MethodError(f"score must be one of {', '.join(map(repr, SCORES))}, not {rule.score!r}.")
    for name, value in rule.to_dict().items():
        if name.endswith("_column") and value is not None and not isinstance(value, str):
            raise MethodError(f"{name} must be the name of a column, not {value!r}.")
    return rule


def groups_of(adata: AnnData, groupby: str) -> tuple[NDArray[np.str_], NDArray[np.int32]]:
    """Names of the groups, and the group of each cell."""
    column: pd.Series = check_column(adata, groupby, argument="groupby")
    if column.isna().any():
        raise InputError(
            f"adata.obs[{groupby!r}] (groupby) is missing for {int(column.isna().sum())} cells. Give them a group, or leave "
            "them out."
        )
    names, code = np.unique(np.asarray(column.astype(str), dtype=str), return_inverse=True)
    return names, code.astype(np.int32)


def annotate_by_markers(
    adata: AnnData,
    markers: Any,
    *,
    groupby: str | None,
    method_kwargs: Mapping[str, Any] | None,
    refused: Mapping[str, Any],
    layer: str | None,
    use_raw: bool | None,
    gene_symbols: str | None,
    total_counts_key: str | None,
    values: Stated | None,
    store_proba: Keep,
    key_added: str,
    rng: int,
) -> None:
    """Store the calls; arguments in `refused` have no meaning here and must be None."""
    del rng  # nothing is drawn
    if wrong := [name for name, value in refused.items() if value is not None]:
        raise InputError(f"method='markers' has no use for {', '.join(wrong)}: it needs no reference. Leave it out.")
    rule = read_rule(method_kwargs)
    lists = read_markers(markers, min_support=rule.min_support, columns=rule.columns)
    target, adata = adata, with_tables(adata)
    names, group = (None, None) if groupby is None else groups_of(adata, groupby)
    place = {"layer": layer, "use_raw": use_raw, "gene_symbols": gene_symbols, "total_counts_key": total_counts_key}
    scored = score_cells(
        adata,
        lists,
        group=group,
        n_groups=0 if names is None else len(names),
        score=rule.score,
        min_genes=rule.min_genes,
        layer=layer,
        use_raw=use_raw,
        gene_symbols=gene_symbols,
        total_counts_key=total_counts_key,
        values=values,
    )
    proba = shares(scored.scores).astype(np.float32)
    params = {**rule.to_dict(), "markers": lists.source, "groupby": groupby, **place, "values": values}
    named = Named(proba, fits_none(scored.scores), scored.silent, names, group)
    result = account(scored, lists, named, params=params, model=_id(lists, scored, params), key=key_added)
    every = result.proba
    if store_proba != "all":
        result.proba = largest(every, TOP_K) if store_proba == "topk" else None
    result.uns["proba"] = store_proba or "none"
    storage.write(target, key_added, result)
    for problem in result.uns["input"]["problems"]:
        logger.warning(problem)
    logger.info(
        "the confidence of markers is calibrated on nothing: it says how far the best list stands out of the others, not how "
        "often such calls are right"
    )


def _id(lists: MarkerLists, scored: Scored, params: dict[str, Any]) -> str:
    """Ten characters that change with the lists, the genes that were found, or the rule."""
    digest = hashlib.sha256(json.dumps(params, sort_keys=True, default=str).encode())
    for text in (*lists.types.tolist(), *lists.genes.tolist(), *scored.matched.types.tolist()):
        digest.update(text.encode() + b"\0")
    for array in (lists.type_of.astype(np.int64), lists.weights, scored.matched.weights.sum(axis=0)):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:10]
