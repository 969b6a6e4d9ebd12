"""Roll labels up to broader terms where the fine label is uncertain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._store.slots import GIVEN, Slots
from sc_annotate._store.storage import add_columns, read_uns
from sc_annotate._store.stored import read_annotation, read_probabilities, read_sets
from sc_annotate.annotation.prediction_sets import prediction_sets
from sc_annotate.annotation.terms.type_terms import tree_of
from sc_annotate.trust.rollup import common_term, roll_up

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._vocabulary.terms.type_tree import TypeTree
    from sc_annotate.annotation.terms.terms_request import RollupRequest


def store_rollup(adata: AnnData, key: str, request: RollupRequest) -> None:
    """Store the term of each cell, its mass, and a table of the terms."""
    stored = read_uns(adata, key)
    columns = read_annotation(adata, key)
    p = read_probabilities(adata, key).to_numpy(dtype=np.float64)
    inside = prediction_sets(adata, key).to_numpy(dtype=bool) if request.by == "set" else None
    tree, found, source = tree_of(stored, request, key=key)
    given = np.zeros(len(p), dtype=bool)
    if "status" in columns:
        given = np.asarray(columns["status"].astype(object) == GIVEN, dtype=bool)
    if inside is None:
        term, mass = roll_up(p, tree.membership, coverage=request.coverage, depth=tree.depth)
    else:
        term = common_term(inside, tree.membership, depth=tree.depth)
        mass = np.where(term >= 0, np.minimum((p * tree.membership[term]).sum(axis=1), 1.0), np.nan)
    term = np.where(given, -1, term)
    mass = np.where(given, np.nan, mass)
    labels = np.asarray(columns["label"].astype(object))
    entry: dict[str, Any] = {
        "by": request.by,
        "coverage": float(read_sets(adata, key)["coverage"] if request.by == "set" else request.coverage),
        "ontology": source,
        "at_a_type": float((tree.types[term[term >= 0]] >= 0).mean()) if (term >= 0).any() else float("nan"),
        "membership": tree.membership,
        "table": _table(tree, term, p),
    }
    slots = Slots(key)
    added: dict[str, Any] = {
        slots.rollup: _names(np.where(term >= 0, tree.names.astype(object)[term], labels)),
        slots.rollup_confidence: mass.astype(np.float32),
    }
    if (found.ids != found.names).any():
        of = dict(zip(tree.names[tree.types >= 0].tolist(), tree.ids[tree.types >= 0].tolist(), strict=True))
        own = np.array([of.get(str(label), "unknown") for label in labels], dtype=object)
        added[slots.rollup_id] = _names(np.where(term >= 0, tree.ids.astype(object)[term], own))
    add_columns(adata, key, added, "rollup", entry, drop=[slots.rollup_id])


def _names(values: NDArray[Any]) -> pd.Categorical:
    """A categorical of the names that occur; cells without any are missing."""
    import pandas as pd

    categories = sorted({str(v) for v in values[~pd.isna(values)]})
    return pd.Categorical(values, categories=categories)


def _table(tree: TypeTree, term: NDArray[np.intp], p: NDArray[np.float64]) -> pd.DataFrame:
    """A row for each term, from the root down."""
    import pandas as pd

    rolled = term >= 0
    mean = p[rolled].mean(axis=0) if rolled.any() else np.zeros(p.shape[1])
    return pd.DataFrame(
        {
            "term": tree.ids.astype(object),
            "name": tree.names.astype(object),
            "parent": tree.parents.astype(np.int64),
            "depth": tree.depth.astype(np.int64),
            "is_type": tree.types >= 0,
            "n_types": tree.membership.sum(axis=1).astype(np.int64),
            "n_cells": np.bincount(term[rolled], minlength=len(tree.ids)).astype(np.int64),
            "mass": tree.membership @ mean,
        },
        index=pd.Index([str(i) for i in range(len(tree.ids))]),
    )
