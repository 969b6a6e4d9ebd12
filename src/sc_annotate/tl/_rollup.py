"""Roll labels up to broader terms where the fine label is uncertain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate.annotation.terms.rollup import store_rollup
from sc_annotate.annotation.terms.terms_request import RollupRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from anndata import AnnData

    from sc_annotate._vocabulary.terms.ontology import Ontology


@documented()
def rollup(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    ontology: Ontology | str | Path | Mapping[str, str | Sequence[str]] | None = default(None),
    coverage: float = default(0.9),
    by: Literal["probability", "set"] = default("probability"),
    overrides: Mapping[str, str] | None = default(None),
) -> None:
    """Label each cell with the most specific term that holds enough of its probability.

    The mass of a term is the summed probability of the types at or under it. A cell with 0.55 CD4 and 0.40 CD8 T cell is
    a T cell with 0.95. The label and its confidence stay as they are. A mass is as reliable as the confidence is
    calibrated: see :func:`sc_annotate.get.report`. A cell of a type that the reference lacks may get a confident wrong term.

    Parameters
    ----------
    adata
        An annotated object with stored probabilities. With ``store_proba="topk"`` the mass is what the kept ones have,
        so at least that.
    %(key)s
    ontology
        An OBO file, a dict from child to parent, or the result of :func:`sc_annotate.pp.read_ontology`. By default the
        levels of the labels, if the annotation has several, else the Cell Ontology of the installed
        cellxgene-ontology-guide.
    coverage
        The mass to reach, above one half and up to 1; for ``by="probability"``.
    by
        ``"probability"``, or ``"set"``: the lowest common term of the cell's prediction set (:func:`sc_annotate.get.sets`),
        with the coverage of the sets.
    overrides
        Ids or names of the terms of types which the ontology has under another name. A type without a term is an error:
        placed under the root it would move confident cells there.

    Returns
    -------
    None. Written to `adata`:

    ``obs[f"{key}_rollup"]`` : categorical
        Name of the term; the type's own label where it stays at a type; pre-labelled cells keep theirs.
    ``obs[f"{key}_rollup_confidence"]`` : float32
        Its mass; NaN for pre-labelled cells.
    ``obs[f"{key}_rollup_ontology_term_id"]`` : categorical
        Its id, where the terms have ids other than their names.
    ``uns[key]["rollup"]`` : dict
        ``by``, ``coverage``, ``ontology``, ``at_a_type`` (share of the predicted cells that stay at a type), ``membership``
        (terms x types, bool) and ``table``, a row for each term from the root down: ``term`` (id), ``name``, ``parent``
        (row of the next term above, -1 for the root), ``depth``, ``is_type``, ``n_types`` (at or under it), ``n_cells``
        (rolled up to it), ``mass`` (mean over the predicted cells).

    Raises
    ------
    StorageError
        No such result, no probabilities or no sets, or a column of that name that another tool wrote.
    LabelError
        A type without a term.
    InputError
        An argument out of range or without effect, or an ontology that cannot be read.
    MissingExtraError
        The Cell Ontology is needed and cellxgene-ontology-guide is not installed.

    Notes
    -----
    The term need not hold the label: with 0.10 for one B cell type and 0.09 for each of ten T cell types, the label is the
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
    request = RollupRequest(ontology=ontology, coverage=coverage, by=by, overrides=overrides)
    store_rollup(adata, key, request)
