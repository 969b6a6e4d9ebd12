"""Free labels to ids of the Cell Ontology, in a column of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import sanitize
from sc_annotate._data.columns import check_column
from sc_annotate._data.lazy import obs_of
from sc_annotate._data.matrix import check_adata
from sc_annotate._store.slots import SCHEMA
from sc_annotate._store.storage import check_key, is_label_map
from sc_annotate._vocabulary.terms.map_names import map_names
from sc_annotate._vocabulary.terms.open_ontology import open_ontology
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from anndata import AnnData

    from sc_annotate._vocabulary.terms.ontology import Ontology

UNKNOWN = "unknown"
"""What the CELLxGENE schema wants for a cell without a term."""


def map_labels(
    adata: AnnData,
    key: str,
    *,
    ontology: Ontology | str | Path | Mapping[str, str | Sequence[str]] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> None:
    """Give the labels of a column their ids of the Cell Ontology, in a column beside it.

    A wrong id is worse than none, so the rules are few: the name of a term, or one of its exact synonyms, case ignored;
    one spelling of both (plural, dashes, commas, ``CD4+`` for ``CD4-positive``, markers first, ``cell`` left out); and a
    few abbreviations (DC, mono, NK, pDC, Treg, ``CD4 T`` for the alpha-beta T cell with CD4). Broad, narrow and related
    synonyms are never used, and a name that means other cells elsewhere (``HSC``, ``alpha``, ``CD16+ monocyte``) has no id. Look at
    the table before you publish it, and decide the rest with `overrides`.

    Parameters
    ----------
    adata
        Any object.
    key
        Column of ``obs`` with labels: of a reference, or of an annotation.
    ontology
        An OBO file, a dict from child to parent, or what :func:`sc_annotate.pp.read_ontology` gave. By default the Cell
        Ontology of the installed cellxgene-ontology-guide.
    overrides
        Ids or names of terms for some labels; ``""`` for one that shall have none. Labels that do not occur are ignored,
        so one dict serves many objects.

    Returns
    -------
    None. Written to `adata`:

    ``obs[f"{key}_ontology_term_id"]`` : categorical
        The id; ``"unknown"``, as the CELLxGENE schema wants it, without one or without a label.
    ``uns[f"{key}_ontology"]`` : dict
        ``schema``, ``ontology`` (its version), ``n_cells_unmapped``, and ``table``, a row for each label: ``label``,
        ``term_id``, ``term_name``, ``how`` (``id``, ``exact``, ``synonym``, ``normalised``, ``abbreviation``,
        ``override``, ``ambiguous``, ``unmapped``), ``n_cells``, and ``near``, names of terms that look like a label
        without one.

    Raises
    ------
    InputError
        No such column, an override that is no term, or an ontology that cannot be read.
    StorageError
        A column or entry of that name is there and not ours.
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
    import pandas as pd

    check_adata(adata, what="adata")
    values = check_column(adata, key, argument="key")
    slots = check_key(key)
    column, entry = slots.term_id, slots.terms
    _check_free(adata, column, entry)
    found = open_ontology(ontology)
    labels = values.astype(object).where(values.notna().to_numpy(), None)
    counts = labels.dropna().astype(str).value_counts().sort_index()
    mapped = map_names(counts.index.tolist(), found, overrides)
    ids = {m.label: m.id or UNKNOWN for m in mapped}
    term = np.array([UNKNOWN if v is None else ids[str(v)] for v in labels.tolist()], dtype=object)
    text = {"label": "label", "term_id": "id", "term_name": "name", "how": "how", "near": "near"}
    table = pd.DataFrame({name: np.array([getattr(m, a) for m in mapped], dtype=object) for name, a in text.items()})
    table.insert(4, "n_cells", counts.to_numpy(dtype=np.int64))
    table.index = pd.Index([str(i) for i in range(len(table))])
    account: dict[str, Any] = {
        "schema": SCHEMA,
        "ontology": repr(found),
        "n_cells_unmapped": int((term == UNKNOWN).sum()),
        "table": table,
    }
    obs = obs_of(adata).copy()
    obs[column] = pd.Categorical(term, categories=sorted(set(term.tolist())))
    adata.obs = obs
    adata.uns[entry] = sanitize(account, where=f"uns[{entry!r}]")


def _check_free(adata: AnnData, column: str, entry: str) -> None:
    """Refuse to overwrite what this function did not write."""
    ours = is_label_map(adata.uns.get(entry))
    foreign = [f"obs[{column!r}]"] if column in adata.obs and not ours else []
    foreign += [f"uns[{entry!r}]"] if entry in adata.uns and not ours else []
    if foreign:
        raise StorageError(
            f"{', '.join(foreign)} exist already and were not written by sc_annotate. Rename or delete them."
        )
    if adata.obs.index.name == column:
        raise StorageError(f"the index of adata.obs is named {column!r}, as the new column would be. Rename the index.")
