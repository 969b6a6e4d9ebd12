"""If the fine label is weak, the broad one, beside the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._store.slots import DEFAULT_KEY, GIVEN, Slots
from sc_annotate._store.storage import add_columns, read_uns
from sc_annotate._store.stored import read_annotation, read_probabilities, read_sets
from sc_annotate.annotation.terms.type_terms import tree_of
from sc_annotate.errors import InputError
from sc_annotate.trust.rollup import common_term, roll_up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._vocabulary.terms.ontology import Ontology
    from sc_annotate._vocabulary.terms.type_tree import TypeTree


def rollup(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    ontology: Ontology | str | Path | Mapping[str, str | Sequence[str]] | None = None,
    coverage: float = 0.9,
    by: Literal["probability", "set"] = "probability",
    overrides: Mapping[str, str] | None = None,
) -> None:
    """Call each cell as finely as its probabilities allow: the most specific term that holds enough of them.

    The mass of a term is the summed probability of the types at or under it. A cell with 0.55 CD4 and 0.40 CD8 T cell is
    a T cell with 0.95. The call and its confidence stay as they are. It is as right as the confidence is calibrated: see
    :func:`sc_annotate.get.report`, and remember that a cell of an unseen type may be given a sure wrong call.

    Parameters
    ----------
    adata
        An annotated object with stored probabilities. With ``store_proba="topk"`` the mass is what the kept ones have,
        so at least that.
    key
        Name of the result (``key_added``).
    ontology
        What lies under what: an OBO file, a dict from child to parent, or what :func:`sc_annotate.pp.read_ontology` gave.
        By default the levels of the labels, if the annotation has several, else the Cell Ontology of the installed
        cellxgene-ontology-guide.
    coverage
        The mass to reach, above one half and up to 1.
    by
        ``"probability"``, or ``"set"``: the lowest common term of the cell's prediction set (:func:`sc_annotate.get.sets`);
        `coverage` is then that of the sets.
    overrides
        Ids or names of the terms of types which the ontology has under another name. A type without a term is an error:
        placed under the root it would push sure cells there.

    Returns
    -------
    None. Written to `adata`:

    ``obs[f"{key}_rollup"]`` : categorical
        Name of the term; the type's own label where it stays at a type; a given label stays.
    ``obs[f"{key}_rollup_confidence"]`` : float32
        Its mass; NaN where the label was given.
    ``obs[f"{key}_rollup_ontology_term_id"]`` : categorical
        Its id, where the terms have ids other than their names.
    ``uns[key]["rollup"]`` : dict
        ``by``, ``coverage``, ``ontology``, ``at_a_type`` (share of the called cells that stay at a type), ``membership``
        (terms x types, bool) and ``table``, a row for each term from the root down: ``term`` (id), ``name``, ``parent``
        (row of the next term above, -1 for the root), ``depth``, ``is_type``, ``n_types`` (at or under it), ``n_cells``
        (rolled up to it), ``mass`` (mean over the called cells).

    Raises
    ------
    StorageError
        No such result, no probabilities or no sets, or a foreign column in the way.
    LabelError
        A type without a term.
    InputError
        A coverage out of range, another `by`, or an ontology that cannot be read.
    MissingExtraError
        The Cell Ontology is needed and cellxgene-ontology-guide is not installed.

    Notes
    -----
    The term may lie beside the call: with 0.10 for one B cell type and 0.09 for each of ten T cell types, the call is the
    B cell type, and the cell is a T cell with 0.90.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> lymphoid = [t for t in query.uns["annotation"]["classes"] if t not in ("CD14+ Monocyte", "Dendritic", "CD34+")]
    >>> tree = {t: "lymphocyte" for t in lymphoid} | {"CD14+ Monocyte": "myeloid", "Dendritic": "myeloid"}
    >>> tree |= {"lymphocyte": "blood", "myeloid": "blood", "CD34+": "blood"}
    >>> sca.tl.rollup(query, ontology=tree, coverage=0.9)
    >>> bool((query.obs["annotation_rollup_confidence"] >= 0.9).all())
    True
    >>> query.uns["annotation"]["rollup"]["table"]["name"].tolist()[:3]
    ['blood', 'lymphocyte', 'myeloid']
    """
    if by not in ("probability", "set"):
        raise InputError(f"by must be 'probability' or 'set', not {by!r}.")
    if isinstance(coverage, bool) or not isinstance(coverage, int | float | np.number) or not 0.5 < coverage <= 1:
        raise InputError(
            f"coverage must be above 0.5 and up to 1, not {coverage!r}: two terms could reach less at once."
        )
    stored = read_uns(adata, key)
    calls = read_annotation(adata, key)
    p = read_probabilities(adata, key).to_numpy(dtype=np.float64)
    inside = _sets(adata, key) if by == "set" else None
    tree, found, source = tree_of(stored, ontology, overrides, key=key)
    given = np.zeros(len(p), dtype=bool)
    if "status" in calls:
        given = np.asarray(calls["status"].astype(object) == GIVEN, dtype=bool)
    if inside is None:
        term, mass = roll_up(p, tree.membership, coverage=coverage, depth=tree.depth)
    else:
        term = common_term(inside, tree.membership, depth=tree.depth)
        mass = np.where(term >= 0, np.minimum((p * tree.membership[term]).sum(axis=1), 1.0), np.nan)
    term = np.where(given, -1, term)
    mass = np.where(given, np.nan, mass)
    labels = np.asarray(calls["label"].astype(object))
    account: dict[str, Any] = {
        "by": by,
        "coverage": float(read_sets(adata, key)["coverage"]) if by == "set" else float(coverage),
        "ontology": source,
        "at_a_type": float((tree.types[term[term >= 0]] >= 0).mean()) if (term >= 0).any() else float("nan"),
        "membership": tree.membership,
        "table": _table(tree, term, p),
    }
    slots = Slots(key)
    columns: dict[str, Any] = {
        slots.rollup: _names(np.where(term >= 0, tree.names.astype(object)[term], labels)),
        slots.rollup_confidence: mass.astype(np.float32),
    }
    if (found.ids != found.names).any():
        of = dict(zip(tree.names[tree.types >= 0].tolist(), tree.ids[tree.types >= 0].tolist(), strict=True))
        own = np.array([of.get(str(label), "unknown") for label in labels], dtype=object)
        columns[slots.rollup_id] = _names(np.where(term >= 0, tree.ids.astype(object)[term], own))
    add_columns(adata, key, columns, "rollup", account, drop=[slots.rollup_id])


def _sets(adata: AnnData, key: str) -> NDArray[np.bool_]:
    from sc_annotate.get import sets

    return np.asarray(sets(adata, key), dtype=bool)


def _names(values: NDArray[Any]) -> pd.Categorical:
    """A categorical of the names that occur; cells without any are missing."""
    import pandas as pd

    categories = sorted({str(v) for v in values[~pd.isna(values)]})
    return pd.Categorical(values, categories=categories)


def _table(tree: TypeTree, term: NDArray[np.intp], p: NDArray[np.float64]) -> pd.DataFrame:
    """A row for each term, from the root down."""
    import pandas as pd

    called = term >= 0
    mean = p[called].mean(axis=0) if called.any() else np.zeros(p.shape[1])
    return pd.DataFrame(
        {
            "term": tree.ids.astype(object),
            "name": tree.names.astype(object),
            "parent": tree.parents.astype(np.int64),
            "depth": tree.depth.astype(np.int64),
            "is_type": tree.types >= 0,
            "n_types": tree.membership.sum(axis=1).astype(np.int64),
            "n_cells": np.bincount(term[called], minlength=len(tree.ids)).astype(np.int64),
            "mass": tree.membership @ mean,
        },
        index=pd.Index([str(i) for i in range(len(tree.ids))]),
    )
