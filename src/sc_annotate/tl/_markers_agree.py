"""Compare an annotation with marker lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate.annotation.markers.agree import store_agreement
from sc_annotate.annotation.markers.markers_request import MarkersRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

    from sc_annotate._data.matrix import Stated


@documented()
def markers_agree(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    markers: Any,
    types: Mapping[str, str] | None = None,
    groupby: str | None = None,
    by: Literal["zscore", "ulm", "mlm"] = default("zscore"),
    min_genes: int = default(1),
    min_support: int = default(1),
    type_column: str | None = default(None),
    gene_column: str | None = default(None),
    weight_column: str | None = default(None),
    sign_column: str | None = default(None),
    layer: str | None = default(None),
    use_raw: bool | None = default(None),
    gene_symbols: str | None = default(None),
    total_counts_key: str | None = default(None),
    values: Stated | None = default(None),
) -> None:
    """Report which labels your own marker lists contradict, with intervals.

    Each cell gets a score for each list, as in :func:`annotate_markers`. A cell agrees where the list of its label scores
    highest and stands out of the cell's other genes; it contradicts where another list stands out and is clearly ahead;
    else the lists are silent, as is common for a single cell of few molecules. The table is more informative, as it
    compares all cells of a label together: there, a silent list is one that does not separate the label from its rival.

    A contradiction does not say which is wrong, the label or the list.

    Parameters
    ----------
    adata
        An annotated object.
    %(key)s
    %(markers)s
    types
        Which list a label belongs to: label to name of a list. Others are matched by equal names, then by their spelling
        (case, punctuation, plurals, the word "cell", abbreviations such as "NK"), then, where the Cell Ontology is
        installed, by meaning the same term, as :func:`map_labels` finds it. Labels without a list are stored as
        ``unmatched``, and their cells left out; a warning says so where these are most labels.
    groupby
        Column of ``obs``: labels are compared in each of its groups (clusters, samples) as well.
    %(markers_by)s
    %(lists_request)s
    %(layer_or_raw)s
    %(gene_symbols)s
    %(total_counts_key)s
    %(values)s

    Returns
    -------
    None. Written to `adata`:

    ``obs[f"{key}_markers_agree"]`` : categorical
        ``"agree"``, ``"contradict"`` or ``"silent"``; missing where the label has no list.
    ``uns[key]["markers_agree"]`` : dict
        ``table``: a row for each label (and group), contradicted ones first: ``type``, ``group`` ("" for all cells),
        ``list``, ``n_cells``, shares of cells that agree and contradict with 95 % intervals (Wilson), ``score`` of the own
        list, ``rival`` and ``score_rival``, their ``difference`` with a 95 % interval (``low``, ``high``), and the
        ``agreement``. ``scores``: mean scores, ``labels`` x ``lists``. ``matched_by``: how the list of each of
        `labels` was found. ``unmatched``: labels without a list. ``notes``.

    Raises
    ------
    StorageError
        No such result, or a column of that name that another tool wrote.
    LabelError
        No label has a list, or `types` names a label or list that does not exist.
    InputError
        The lists, the values or the genes cannot be used.
    MissingExtraError
        decoupler is not installed.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sca.tl.markers_agree(query, markers="pbmc", types={"CD19+ B": "B cell"})
    >>> query.uns["annotation"]["markers_agree"]["table"][["type", "agreement"]].values.tolist()
    [['CD19+ B', 'agree']]
    """
    request = MarkersRequest(
        by=by,
        min_genes=min_genes,
        min_support=min_support,
        type_column=type_column,
        gene_column=gene_column,
        weight_column=weight_column,
        sign_column=sign_column,
    )
    matrix = MatrixRequest(
        layer=layer, use_raw=use_raw, gene_symbols=gene_symbols, total_counts_key=total_counts_key, values=values
    )
    store_agreement(adata, key, markers, types, groupby, request, matrix)
