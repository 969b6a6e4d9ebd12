"""Map labels to ids of the Cell Ontology."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate.annotation.terms.map_labels import store_terms
from sc_annotate.annotation.terms.terms_request import TermsRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from anndata import AnnData

    from sc_annotate._vocabulary.terms.ontology import Ontology


@documented()
def map_labels(
    adata: AnnData,
    key: str,
    *,
    ontology: Ontology | str | Path | Mapping[str, str | Sequence[str]] | None = default(None),
    overrides: Mapping[str, str] | None = default(None),
) -> None:
    """Map the labels of a column to ids of the Cell Ontology, in a column beside it.

    A wrong id is worse than none, so the rules are few: the name of a term, or one of its exact synonyms, case ignored;
    one spelling of both (plural, dashes, commas, ``CD4+`` for ``CD4-positive``, markers first, ``cell`` left out); and a
    few abbreviations (DC, mono, NK, pDC, Treg, ``CD4 T`` for the alpha-beta T cell with CD4). Broad, narrow and related
    synonyms are never used, and a name that means other cells in other contexts (``HSC``, ``alpha``,
    ``CD16+ monocyte``) has no id. Check the table before you publish it, and decide the rest with `overrides`.

    Parameters
    ----------
    adata
        Any object.
    key
        Column of ``obs`` with labels: of a reference, or of an annotation.
    ontology
        An OBO file, a dict from child to parent, or the result of :func:`sc_annotate.pp.read_ontology`. By default the
        Cell Ontology of the installed cellxgene-ontology-guide.
    overrides
        Ids or names of terms for some labels; ``""`` for no term. Labels that do not occur are ignored,
        so one dict serves many objects.

    Returns
    -------
    None. Written to `adata`:

    ``obs[f"{key}_ontology_term_id"]`` : categorical
        The id; ``"unknown"``, as the CELLxGENE schema requires, for cells without a term or a label.
    ``uns[f"{key}_ontology"]`` : dict
        ``schema``, ``ontology`` (its version), ``n_cells_unmapped``, and ``table``, a row for each label: ``label``,
        ``term_id``, ``term_name``, ``how`` (``id``, ``exact``, ``synonym``, ``normalised``, ``abbreviation``,
        ``override``, ``ambiguous``, ``unmapped``), ``n_cells``, and ``near``, names of terms similar to a label
        without one.

    Raises
    ------
    InputError
        No such column, an override that is not a term, or an ontology that cannot be read.
    StorageError
        A column or entry of that name that another tool wrote.
    MissingExtraError
        The Cell Ontology is needed and cellxgene-ontology-guide is not installed.

    Notes
    -----
    The ids are those of the labels at the time: change the labels, or annotate again, and map them again.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> tree = {"CD14-positive monocyte": "cell", "dendritic cell": "cell", "B cell": "cell"}
    >>> sca.tl.map_labels(adata, "cell_type", ontology=tree, overrides={"CD19+ B": "B cell"})
    >>> adata.uns["cell_type_ontology"]["table"].set_index("label")["how"].value_counts().to_dict()
    {'unmapped': 7, 'normalised': 2, 'override': 1}
    """
    store_terms(adata, key, TermsRequest(ontology=ontology, overrides=overrides))
