"""Map free labels to ids of the Cell Ontology, in a column of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import sanitize
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.obs import check_column, obs_of
from sc_annotate._store.slots import SCHEMA, lock
from sc_annotate._store.storage import check_key, is_label_map
from sc_annotate._vocabulary.terms.map_names import map_names
from sc_annotate._vocabulary.terms.open_ontology import open_ontology
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from anndata import AnnData

    from sc_annotate.annotation.terms.terms_request import TermsRequest

UNKNOWN = "unknown"
"""The value that the CELLxGENE schema requires for a cell without a term."""


def store_terms(adata: AnnData, column_of_labels: str, request: TermsRequest) -> None:
    """Store the term of each label in a column, and a table of the labels."""
    import pandas as pd

    check_adata(adata, what="adata")
    values = check_column(adata, column_of_labels, argument="key")
    slots = check_key(column_of_labels)
    column, entry = slots.term_id, slots.terms
    _check_free(adata, column, entry)
    found = open_ontology(request.ontology)
    labels = values.astype(object).where(values.notna().to_numpy(), None)
    counts = labels.dropna().astype(str).value_counts().sort_index()
    mapped = map_names(counts.index.tolist(), found, request.overrides)
    ids = {m.label: m.id or UNKNOWN for m in mapped}
    term = np.array([UNKNOWN if v is None else ids[str(v)] for v in labels.tolist()], dtype=object)
    text = {"label": "label", "term_id": "id", "term_name": "name", "how": "how", "near": "near"}
    table = pd.DataFrame({name: np.array([getattr(m, a) for m in mapped], dtype=object) for name, a in text.items()})
    table.insert(4, "n_cells", counts.to_numpy(dtype=np.int64))
    table.index = pd.Index([str(i) for i in range(len(table))])
    provenance: dict[str, Any] = {
        "schema": SCHEMA,
        "ontology": repr(found),
        "n_cells_unmapped": int((term == UNKNOWN).sum()),
        "table": table,
    }
    stored = sanitize(provenance, where=f"uns[{entry!r}]")
    ids_of_cells = pd.Categorical(term, categories=sorted(set(term.tolist())))
    with lock():
        _check_free(adata, column, entry)
        adata.obs = obs_of(adata).assign(**{column: ids_of_cells})
        adata.uns[entry] = stored


def _check_free(adata: AnnData, column: str, entry: str) -> None:
    """Refuse to overwrite columns and entries of other tools."""
    ours = is_label_map(adata.uns.get(entry))
    others = [f"obs[{column!r}]"] if column in adata.obs and not ours else []
    others += [f"uns[{entry!r}]"] if entry in adata.uns and not ours else []
    if others:
        raise StorageError(
            f"{', '.join(others)} exist already and were not written by sc_annotate. Rename or delete them."
        )
    if adata.obs.index.name == column:
        raise StorageError(f"the index of adata.obs is named {column!r}, as the new column would be. Rename the index.")
