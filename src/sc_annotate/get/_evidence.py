"""The genes behind the labels, as a table, and how far they are those of a test and of marker lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_evidence, read_evidence_table
from sc_annotate.annotation.evidence.overlap import OverlapRequest
from sc_annotate.annotation.evidence.overlap import evidence_overlap as table_of_overlap
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData


@documented()
def evidence(adata: AnnData, key: str = DEFAULT_KEY, *, group: str | None = None) -> pd.DataFrame:
    """The genes for and against the labels, from :func:`sc_annotate.tl.evidence`.

    Parameters
    ----------
    adata
        An annotated object, after ``sca.tl.evidence``.
    %(key)s
    group
        One group, or one type (the label). By default all.

    Returns
    -------
    One row for each group, label, direction and rank: ``group``, ``type``, ``n_cells``, ``direction``, ``rank``, ``gene``,
    ``contribution`` (mean log-odds, natural), ``share`` (of cells, in this direction), ``mean`` and ``mean_others``
    (values as the model sees them).

    Raises
    ------
    StorageError
        No such result, or no evidence.
    InputError
        No such group or type.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sca.tl.evidence(query, n_genes=2)
    >>> found = sca.get.evidence(query, group="Dendritic")
    >>> found["direction"].tolist()
    ['towards', 'towards', 'against', 'against']
    """
    return read_evidence_table(adata, key, group=group)


@documented()
def faithfulness(adata: AnnData, key: str = DEFAULT_KEY) -> pd.DataFrame:
    """What deleting the genes of the evidence costs of the model's confidence, beside what deleting others costs.

    Parameters
    ----------
    adata
        An object after :func:`sc_annotate.tl.evidence`, or annotated by ``annotate_markers(by="nact")``. Not changed.
    %(key)s

    Returns
    -------
    A row for each choice of genes (``deleted``): ``"first"`` of the evidence of the cell itself, ``"random"`` ones that it
    expresses and its ``"highest"``. ``n_genes`` and ``n_cells``; mean probability of the label ``before`` and ``after``, and
    ``drop``, the difference; ``first_minus``, by how much more the first ones cost, with its 95 %% interval (``low``,
    ``high``; bootstrap over cells).

    Raises
    ------
    StorageError
        No such result, no evidence, or none that was tested by deletion.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sca.tl.evidence(query)
    >>> found = sca.get.faithfulness(query).set_index("deleted")
    >>> bool(found.loc["first", "drop"] > found.loc["random", "drop"])
    True
    """
    import pandas as pd

    found = read_evidence(adata, key).get("faithfulness")
    if not isinstance(found, dict):
        raise StorageError(
            f"the evidence of adata.uns[{key!r}] was not tested by deleting genes: it is not that of a model, or of an older version. "
            f"Run `sca.tl.evidence(adata, key={key!r})`."
        )
    rows = []
    for name, drop in (("first", "drop"), ("random", "random_drop"), ("highest", "highest_drop")):
        before, cost = float(found["before"]), float(found[drop])
        row: dict[str, object] = {"deleted": name, "n_genes": int(found["n_deleted"]), "n_cells": int(found["n_cells"])}
        minus: dict[str, object] = {c: float(found.get(f"minus_{name}{end}", "nan")) for c, end in _MINUS.items()}
        rows.append({**row, "before": before, "after": before - cost, "drop": cost, **minus})
    return pd.DataFrame(rows)


_MINUS = {"first_minus": "", "low": "_low", "high": "_high"}


@documented()
def evidence_overlap(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    markers: Any = None,
    types: Mapping[str, str] | None = None,
    n_genes: int = default(10),
    max_cells: int | None = default(500),
    rng: int = default(0),
) -> pd.DataFrame:
    """How many genes of the evidence a test between the labels finds too, and how many are in the marker list of the type.

    Evidence and test answer different questions: what decides for the model, and what differs between cells. Little
    overlap is no fault; genes that are neither in a test nor in a list deserve a look.

    Parameters
    ----------
    adata
        An annotated object, after :func:`sc_annotate.tl.evidence`. Not changed: :func:`scanpy.tl.rank_genes_groups` runs on a
        copy (Wilcoxon, each label against all others), without labels of one cell.
    %(key)s
    markers
        Marker lists, as in :func:`sc_annotate.tl.markers_agree`; by default none.
    types
        Which list a label belongs to, as in :func:`sc_annotate.tl.markers_agree`.
    n_genes
        Genes of each group to compare, at most as many as ``sca.tl.evidence`` listed, and of the test.
    max_cells
        Cells of each label that are tested, drawn at random. None: all of them.
    %(rng)s

    Returns
    -------
    One row for each group and label: ``group``, ``type``, ``n_genes`` compared, ``n_tested`` (of them among the first genes
    of the test; NaN for labels of one cell) and ``by_chance`` (expected of random genes). With `markers`: ``list`` of the
    type ("" for none), ``n_list`` of its genes in the matrix, ``n_listed`` (genes of the evidence in it),
    ``listed_by_chance``, and ``n_tested_listed`` (genes of the test in it).

    Raises
    ------
    StorageError
        No such result, no evidence, or its genes are not there any more.
    InputError
        An argument or a list that cannot be used; `types` without `markers`.
    LabelError
        No label has a list.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sca.tl.evidence(query)
    >>> found = sca.get.evidence_overlap(query, markers="pbmc", types={"CD19+ B": "B cell"})
    >>> bool(found.loc[found["type"] == "CD19+ B", "n_listed"].item() >= 3)
    True
    """
    request = OverlapRequest(n_genes=n_genes, max_cells=max_cells, rng=rng)
    if markers is None and types is not None:
        raise InputError("types: says which marker list a label belongs to, and there is none. Pass markers too.")
    return table_of_overlap(adata, key, markers, types, request)
